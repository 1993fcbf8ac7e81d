"""Live orders with a replay and without, in one run: `python -m benchmarks.replay_live`.

A shop sold `--orders`; its account is emptied. Then it sells `--live` orders a minute for `--seconds`, alone,
and again while all of the former is replayed by force. Printed are the seconds from the webhook to the
answer to the live purchases, and how far off the replay's estimate was once a tenth was delivered.
"""

from __future__ import annotations

import logging
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.arguments import argument_parser
from pipeline.events import Lane
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import RECEIPTS, full_name
from pipeline.local.broker import EmbeddedKafka
from pipeline.records import Receipt, RecordKind
from pipeline.replay.run import Run, RunStatus
from pipeline.replay.runs import Runs
from tests.broker import KafkaSettings
from tests.integration.replaying import STORE, Site, site
from tests.processes import wait_until

#: Connectif's minute is ten seconds: the account takes 600 calls of a real minute.
SPEED, CALLS_PER_MINUTE = 6.0, 100
#: The first number of live orders, without the replay and beside it.
ALONE, BESIDE = 1_000_000, 2_000_000
PATIENCE = 480.0


def main() -> None:
    """Print the figures."""
    parser = argument_parser(__doc__)
    parser.add_argument("--orders", type=int, default=600)
    parser.add_argument("--live", type=int, default=60, help="orders a minute")
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        with EmbeddedKafka(place / "broker") as broker:
            kafka = KafkaSettings(broker.bootstrap, place)
            with site(kafka, calls_per_minute=CALLS_PER_MINUTE, speed=SPEED, import_poll=2.0) as play:
                _measure(play, options.orders, options.live, options.seconds)


def _measure(play: Site, orders: int, live: int, seconds: int) -> None:
    for number in range(1, orders + 1):
        play.put(number)
    play.flush()
    wait_until(lambda: play.count() >= orders, PATIENCE, every=1)
    wait_until(play.ended, PATIENCE, every=1)
    print(f"{orders:,} orders are in Connectif, and lost; load {os.getloadavg()[0]:.1f}")
    play.lose_everything()
    _sell(play, ALONE, live, seconds)
    wait_until(play.ended, PATIENCE, every=0.5)
    command = play.replay("start", "--force", "--store", STORE, "--until", time.strftime("%Y-%m-%dT%H:%M:%S"))
    looks: list[tuple[float, float, float | None]] = []
    over = threading.Event()
    watching = threading.Thread(target=_watch, args=(play, looks, over))
    watching.start()
    wait_until(lambda: bool(looks), PATIENCE, every=0.5)
    _sell(play, BESIDE, live, seconds)
    command.communicate(timeout=PATIENCE)
    over.set()
    watching.join()
    wait_until(play.ended, PATIENCE, every=0.5)
    alone, beside = _live_seconds(play)
    for what, found in (("alone", alone), ("beside the replay", beside)):
        middle = statistics.median(found)
        print(f"live orders {what}: {len(found)}, median {middle:.2f} s, p95 {_p95(found):.2f} s")
    print(f"difference of the p95: {_p95(beside) - _p95(alone):+.2f} s")
    _say_estimate(looks)


def _sell(play: Site, first: int, live: int, seconds: int) -> None:
    """Sell at an even pace."""
    began = time.monotonic()
    for number in range(live * seconds // 60):
        time.sleep(max(0.0, began + number * 60 / live - time.monotonic()))
        play.put(first + number, received_ms=int(time.time() * 1_000))
        play.flush()


def _watch(play: Site, looks: list[tuple[float, float, float | None]], over: threading.Event) -> None:
    """Keep (moment, share delivered, estimate of the seconds left) until the run is done."""
    with Runs(play.settings) as runs:
        while not over.wait(0.5):
            for run in runs.read().values():
                looks.append((time.monotonic(), _share(run), run.seconds_left()))
                if run.state.status is RunStatus.DONE:
                    return


def _share(run: Run) -> float:
    return run.state.delivered / run.total if run.total else 0.0


def _say_estimate(looks: list[tuple[float, float, float | None]]) -> None:
    """How far off the estimate was."""
    end = looks[-1][0]
    for share in (0.1, 0.25, 0.5, 0.75):
        at, _, left = next(look for look in looks if look[1] >= share)
        if left is not None:
            wrong = left / (end - at) - 1
            print(f"after {share:.0%}: {left:.0f} s left, it took {end - at:.0f} s: {wrong:+.1%}")


def _live_seconds(play: Site) -> tuple[list[float], list[float]]:
    """Seconds from the arrival to the receipt, of the live purchases alone and beside the replay."""
    alone: list[float] = []
    beside: list[float] = []
    with RangeReader(client_config(play.settings)) as reader:
        for batch in reader.read(reader.ranges(full_name(play.settings, RECEIPTS))):
            for message in batch.messages():
                said = Receipt.model_validate_json(message.value or b"")
                if said.kind is RecordKind.PURCHASE and said.lane is Lane.LIVE and said.status:
                    number = int(said.id.removeprefix("#"))
                    if number >= ALONE:
                        found = beside if number >= BESIDE else alone
                        found.append((said.at_ms - said.received_ms) / 1_000)
    return alone, beside


def _p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


if __name__ == "__main__":
    main()
