"""The broker is away while shops sell: the gateway keeps what comes, is killed, and brings it later."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from benchmarks.endurance import stand, trade
from benchmarks.endurance.order import out_of_order
from benchmarks.endurance.stand import Course, Progress, Stand
from benchmarks.harness import metric, report
from pipeline.local.wiring import GATEWAY, Wiring

#: Seconds of trade before the broker goes, and after it is back.
BEFORE, AFTER = 30.0, 30.0
#: Kills of the gateway meanwhile, and seconds between two samples.
KILLS, EVERY = 5, 5.0
#: Seconds until the spool must have been brought to Kafka.
DRAINED_WITHIN = 1_800.0
#: Of the outage, after which memory and processor time are compared: what it costs to notice is over.
SETTLED = 0.1


async def run(directory: Path, course: Course, progress: Progress) -> int:
    """Run it; returns the exit code."""
    chosen = stand.settings(directory)
    seconds = course.minutes * 60
    sold = trade.load(round((seconds + BEFORE + AFTER) * course.rate), course.seed)
    progress.say(f"{len(sold.deliveries)} webhooks; Kafka is away for {course.minutes:g} minutes")
    async with Wiring(chosen, sandbox=True, say=progress.say) as wiring:
        shops = trade.Shops(wiring.address, sold, course.rate, connections=1)
        site = Stand(wiring, chosen, sold, shops, progress.say)
        outage = _Outage(site, chosen.data_dir / "gateway" / "spool", seconds, Random(course.seed))  # noqa: S311
        await site.opens()
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(site.looks(lambda: f"; spool {outage.spool / 1e6:.1f} MB"))
            posting = group.create_task(shops.run())
            await asyncio.sleep(BEFORE)
            await outage.run()
            async with wiring.watched():
                back = time.monotonic()
                spooled = outage.spool
                await outage.drained()
                drained = time.monotonic() - back
                await posting
                looking.cancel()
                complaint = await site.rests()
                settled = time.monotonic() - back
                compared, wrong = await asyncio.to_thread(out_of_order, chosen, sold.deliveries)
                result = await site.judged([GATEWAY] * outage.kills, complaint, {"outage": seconds})
    report(outage.rows())
    progress.say(
        f"spool {spooled / 1e6:.1f} MB in the end; brought to Kafka {drained:.1f} s after the broker was "
        f"started again, all settled after {settled:.1f} s; {outage.kills} kills of the gateway; "
        f"{result.posted.done} webhooks, {result.posted.unanswered} attempts failed and were repeated"
    )
    progress.say(f"{'NO ' if wrong else 'yes'} of {compared} webhooks in Kafka none lies behind a later one")
    for line in wrong[:20]:
        progress.say(f"      {line}")
    return stand.verdict(result, progress) or int(bool(wrong))


class _Outage:
    """Takes the broker away, kills the gateway, and samples.

    Attributes:
        kills: of the gateway so far.
        spool: bytes in its files at the last sample.
    """

    def __init__(self, site: Stand, spool: Path, seconds: float, rng: Random) -> None:
        self.kills = self.spool = 0
        self._site, self._directory, self._seconds = site, spool, seconds
        self._kills_at = sorted(rng.uniform(0.1, 0.9) * seconds for _ in range(KILLS))
        self._samples: list[tuple[float, dict[str, float], dict[str, float]]] = []

    async def run(self) -> None:
        """The whole outage."""
        kafka = self._site.wiring.kafka
        assert kafka is not None  # the settings name none
        await asyncio.to_thread(kafka.kill)
        began = time.monotonic()
        while (passed := time.monotonic() - began) < self._seconds:
            self._sample(passed)
            if len(self._kills_at) > self.kills and self._kills_at[self.kills] <= passed:
                self._kill()
            await asyncio.sleep(EVERY)

    async def drained(self) -> None:
        """Return once the gateway has nothing on disk.

        Raises:
            TimeoutError: it has for too long.
        """
        async with asyncio.timeout(DRAINED_WITHIN):
            while not await asyncio.to_thread(self._is_drained):  # noqa: ASYNC110 - polls
                await asyncio.sleep(0.5)

    def _is_drained(self) -> bool:
        port = urlsplit(self._site.wiring.urls[GATEWAY]).port or 0
        return metric(port, "pipeline_gateway_kafka_up") == 1 and not metric(
            port, "pipeline_gateway_spool_events"
        )

    def _kill(self) -> None:
        pid = self._site.wiring.status(GATEWAY).pid
        if pid is not None:
            self._site.usage.look(self._site.wiring.statuses)
            os.kill(pid, signal.SIGKILL)
            self.kills += 1

    def _sample(self, passed: float) -> None:
        usage = self._site.usage
        usage.look(self._site.wiring.statuses)
        self.spool = sum(path.stat().st_size for path in self._directory.rglob("*") if path.is_file())
        self._samples.append((passed, dict(usage.cpu), dict(usage.rss)))

    def rows(self) -> list[dict[str, object]]:
        """Memory and processor time of each process while there was no Kafka."""
        settled = [sample for sample in self._samples if sample[0] >= SETTLED * self._seconds]
        (start, cpu_then, rss_then), (end, cpu_now, rss_now) = settled[0], settled[-1]
        return [
            {
                "process": name,
                "MB at the beginning": round(rss_then.get(name, 0.0)),
                "MB at the end": round(rss_now.get(name, 0.0)),
                "MB at most": round(max(rss.get(name, 0.0) for _, _, rss in settled)),
                "% of a processor": round(100 * (cpu_now[name] - cpu_then.get(name, 0.0)) / (end - start), 1),
            }
            for name in cpu_now
            if name != "kafka"
        ]
