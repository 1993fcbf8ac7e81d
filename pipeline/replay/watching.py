"""Runs as metrics of a worker that is there anyway: a run whose process is gone cannot say so itself."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline.config import Settings
from pipeline.engine.engine import Engine
from pipeline.errors import PipelineError
from pipeline.logs import Sparingly
from pipeline.replay.attention import Trouble, attention
from pipeline.replay.run import ENDED, Run
from pipeline.replay.runs import Runs
from pipeline.replay.shown import status_of

log = logging.getLogger(__name__)

#: Seconds between two looks at `replay.runs`.
LOOK = 10.0
#: Milliseconds for which a run that is over is shown yet, and the most runs that are shown.
SHOWN_MS, MOST = 86_400_000, 50


class RunsCollector(Collector):
    """The runs as gauges, the same in every worker: take the highest over them.

    Args:
        runs: the runs as of the last look; None where they cannot be read.
        clock: epoch seconds.
    """

    def __init__(
        self, runs: Callable[[], Mapping[str, Run] | None], clock: Callable[[], float] = time.time
    ) -> None:
        self._runs = runs
        self._clock = clock

    def collect(self) -> list[GaugeMetricFamily]:
        """Read at every scrape."""
        unread = GaugeMetricFamily(
            "pipeline_replay_runs_unread",
            "1 while the topic replay.runs cannot be read: nobody hears of runs.",
        )
        status = GaugeMetricFamily(
            "pipeline_replay_status", "1: where a replay is.", labels=["run", "status"]
        )
        trouble = GaugeMetricFamily(
            "pipeline_replay_trouble",
            "1: a replay does not get on. failed: its process said why. interrupted: its process is gone. "
            "stopped: its process was told to end. stalled: nothing moves. `pipeline replay show` says more.",
            labels=["run", "trouble"],
        )
        events = GaugeMetricFamily(
            "pipeline_replay_events",
            "Events of a replay. total: to be repeated, if that is known. read: looked at. repeated: put "
            "on shop.replay. waiting: of these, not translated. delivered: dealt with.",
            labels=["run", "what"],
        )
        records = GaugeMetricFamily(
            "pipeline_replay_records",
            "Records of the backfill's lane since a replay began: pending, and by how they ended.",
            labels=["run", "outcome"],
        )
        window = GaugeMetricFamily(
            "pipeline_replay_window", "The most events and records of a replay under way now.", labels=["run"]
        )
        left = GaugeMetricFamily(
            "pipeline_replay_seconds_left", "Seconds that a replay takes yet, at its rate.", labels=["run"]
        )
        now_ms = int(self._clock() * 1_000)
        runs = self._runs()
        unread.add_metric([], float(runs is None))
        for name, run in list((runs or {}).items())[-MOST:]:
            state = run.state
            if state.status in ENDED and now_ms - state.updated_ms > SHOWN_MS:
                continue
            status.add_metric([name, status_of(run, now_ms)], 1)
            told = attention(run, now_ms)
            for possible in Trouble:
                trouble.add_metric([name, possible], float(told is not None and told.trouble is possible))
            counted = {
                "total": run.total,
                "read": state.read,
                "repeated": state.sent,
                "waiting": state.waiting,
                "delivered": state.delivered,
            }
            for what, count in counted.items():
                events.add_metric([name, what], count)
            for outcome, count in {"pending": state.pending, **state.ended}.items():
                records.add_metric([name, outcome], count)
            window.add_metric([name], state.window)
            seconds = run.seconds_left()
            if seconds is not None:
                left.add_metric([name], seconds)
        return [unread, status, trouble, events, records, window, left]


class RunsWatch:
    """Reads `replay.runs` as long as its worker runs.

    Args:
        settings: the program's.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._runs: dict[str, Run] | None = {}
        self._told = Sparingly()

    def now(self) -> dict[str, Run] | None:
        """As of the last look; None where they could not be read."""
        return self._runs

    async def watch(self) -> None:
        """Look until the end, in a thread that ends with the process: no broker that is gone holds it up."""
        threading.Thread(target=self._look_on, name="replay-runs", daemon=True).start()
        await asyncio.Event().wait()

    def _look_on(self) -> None:
        while True:
            try:
                with Runs(self._settings) as runs:
                    while True:
                        self._runs = runs.read()
                        time.sleep(LOOK)
            except PipelineError as error:
                self._runs = None
                if self._told.happened("unread"):
                    log.warning("replay.runs cannot be read, so nobody hears of failed replays: %s", error)
            time.sleep(LOOK)


def declare(engine: Engine) -> None:
    """Let a worker watch the runs, and export them."""
    watch = RunsWatch(engine.settings)
    engine.background(watch.watch)
    REGISTRY.register(RunsCollector(watch.now))


__all__ = ["RunsCollector", "RunsWatch", "declare"]
