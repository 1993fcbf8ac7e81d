"""Kills at random: gateway, workers and broker, again and again, while shops sell."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections import Counter
from pathlib import Path
from random import Random

from benchmarks.endurance import stand, trade
from benchmarks.endurance.stand import Course, Progress, Stand
from benchmarks.harness import report
from pipeline.demo.chaos import Chaos
from pipeline.demo.result import RunResult
from pipeline.local.wiring import Wiring

#: Connections of each store: what is sent at once comes in any order.
CONNECTIONS = 4


async def run(directory: Path, kills: int, course: Course, progress: Progress) -> int:
    """Run it; returns the exit code."""
    chosen = stand.settings(directory)
    seconds = course.minutes * 60
    sold = trade.load(round(seconds * course.rate), course.seed)
    progress.say(f"{len(sold.deliveries)} webhooks, {kills} kills in {course.minutes:g} minutes")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wiring = Wiring(chosen, sandbox=True, pace=stand.PACE, say=progress.say)
    async with wiring, wiring.watched():
        shops = trade.Shops(wiring.address, sold, course.rate, CONNECTIONS)
        site = Stand(wiring, chosen, sold, shops, progress.say)
        killer = _Killer(site, kills, seconds / kills, Random(course.seed))  # noqa: S311 - no key
        result, agreed = await _endured(site, killer)
        site.usage.look(wiring.statuses)
        restarts = {status.name: status.restarts for status in wiring.statuses}
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    counted = Counter(killer.killed)
    report(
        [
            {
                "process": name,
                "kills": counted[name],
                "started again": restarts[name],
                "processor s": round(site.usage.cpu.get(name, 0.0)),
                "most MB": round(site.usage.most.get(name, 0.0)),
            }
            for name in restarts
        ]
    )
    progress.say(
        f"{len(killer.killed)} kills in {result.seconds['kills']:.0f} s; {result.posted.done} webhooks, "
        f"{result.posted.unanswered} attempts failed and were repeated; processor time of all {total:.0f} s; "
        f"the ledger agreed {agreed:.1f} s after the last kill and the last webhook"
    )
    return stand.verdict(result, progress)


async def _endured(site: Stand, killer: _Killer) -> tuple[RunResult, float]:
    """All of it; returns the result, and the seconds from the last event until all was settled."""
    await site.opens()
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        looking = group.create_task(site.looks(lambda: f"; {len(killer.killed)} kills"))
        killing = group.create_task(killer.run())
        posting = group.create_task(site.shops.run())
        await killing
        seconds = {"kills": time.monotonic() - began}
        await posting
        over = time.monotonic()
        looking.cancel()
    complaint = await site.rests()
    agreed = time.monotonic() - over
    return await site.judged(killer.killed, complaint, seconds), agreed


class _Killer:
    """Ends after so many kills, and notes what was used before each.

    They come in bursts, which hit what is just starting, and with rests in which work gets done: half of the
    pauses are shorter than a quarter of their mean, one in 25 is longer than five times it.
    """

    def __init__(self, site: Stand, kills: int, pause: float, rng: Random) -> None:
        self._site, self._kills = site, kills
        self._enough = asyncio.Event()
        statuses = lambda: site.wiring.statuses  # noqa: E731 - they change
        self._chaos = Chaos(statuses, rng, self._kill, pause=lambda rng: rng.weibullvariate(pause / 2, 0.5))

    @property
    def killed(self) -> list[str]:
        """Who was, in order."""
        return self._chaos.killed

    async def run(self) -> None:
        """Kill until it is enough."""
        await self._chaos.run(self._enough)

    def _kill(self, pid: int, number: int) -> None:
        self._site.usage.look(one for one in self._site.wiring.statuses if one.pid == pid)
        os.kill(pid, number)
        if len(self.killed) + 1 >= self._kills:
            self._enough.set()
