"""`pipeline worker reconcile`: makes the run of each store that is due, and shows what came of it.

One run at a time. There may be several of these processes: each run is made by one of them, see `claims`.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import secrets
import signal
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from zoneinfo import ZoneInfo

from pipeline import metrics
from pipeline.config import Settings
from pipeline.config_checks import require_stores
from pipeline.errors import PipelineError
from pipeline.kafka import topic_check
from pipeline.listening import bound_socket
from pipeline.observe import observed
from pipeline.reconcile.daily.claims import (
    SILENT_MS,
    ReconcileClaim,
    ReconcileResult,
    RunOutcome,
    StoreRuns,
)
from pipeline.reconcile.daily.job import JobResult, work
from pipeline.reconcile.daily.schedule import Due, due
from pipeline.reconcile.daily.topic import DailyRuns
from pipeline.shops.settings import ReconcileSettings

log = logging.getLogger(__name__)

#: Seconds between two looks for what is due; between two words of a run that it goes on; without a confirmed
#: one of these, after which it is ended: another process may have begun it.
LOOK, REPEAT, GIVEN_UP = 2.0, 10.0, SILENT_MS / 1_000 - 15
#: Seconds that a run may take.
LONGEST = 20 * 3_600.0
#: Seconds without Kafka until the process says that it is not ready.
PATIENCE = 30.0


def serve(settings: Settings, *, host: str, port: int) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        PipelineError: the settings or the address cannot be used, or a topic is missing.
    """
    require_stores(settings)
    with bound_socket(host, port) as sock:
        asyncio.run(_serve(settings, sock))


async def _serve(settings: Settings, sock: socket.socket) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    worker = DailyWorker(settings, stopping)
    async with observed("reconcile", worker.not_ready, sock):
        await worker.run()


class DailyWorker:
    """See the module.

    Args:
        settings: the program's.
        stopping: set when the process is to end.
    """

    def __init__(self, settings: Settings, stopping: asyncio.Event) -> None:
        self._settings, self._stopping = settings, stopping
        self._owner = f"{socket.gethostname()[:50]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._wishes = {
            name: store.reconcile for name, store in settings.stores.items() if store.reconcile is not None
        }
        self._heard = time.monotonic()
        self._why = "starting"
        self._said = ""
        self._refused: dict[str, float] = {}

    def not_ready(self) -> str | None:
        """Why it is not ready; None: it is."""
        return "stopping" if self._stopping.is_set() else self._why or None

    async def run(self) -> None:
        """Look, and run what is due, until the process is to end."""
        if not self._wishes:
            log.info("no store asks to be reconciled daily (stores.*.reconcile.at)")
            self._set_ready("")
            await self._stopping.wait()
            return
        await asyncio.to_thread(topic_check.verify, self._settings)
        with DailyRuns(self._settings) as runs:
            while not self._stopping.is_set():
                try:
                    await self._look(runs)
                except PipelineError as error:
                    self._kafka_away(error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), LOOK)

    async def _look(self, runs: DailyRuns) -> None:
        await asyncio.to_thread(runs.read)
        self._heard = time.monotonic()
        self._set_ready("")
        self._show(runs)
        for name, wish in self._wishes.items():
            wanted = self._due(name, wish)
            if await self._claimed(runs, name, wanted):
                await self._make(runs, name, wanted)
                await asyncio.to_thread(runs.read)
                self._show(runs)
            if self._stopping.is_set():
                return

    def _due(self, name: str, wish: ReconcileSettings) -> Due:
        zone = ZoneInfo(self._settings.stores[name].timezone)
        return due(datetime.now(UTC), wish.at, zone, wish.days)

    async def _claimed(self, runs: DailyRuns, name: str, wanted: Due) -> bool:
        """Whether the run is this process's to make."""
        day, found = wanted.day.isoformat(), runs.stores[name]
        if not found.is_open(day, int(time.time() * 1_000)):
            return False
        # Where the clocks of this machine and the brokers differ, a claim may be refused: not at each look.
        if time.monotonic() - self._refused.get(name, -1e9) < SILENT_MS / 1_000:
            return False
        await asyncio.to_thread(runs.write, ReconcileClaim(store=name, day=day, owner=self._owner))
        await asyncio.to_thread(runs.read)
        if found.holder(day) == self._owner:
            return True
        self._refused[name] = time.monotonic()
        return False

    async def _make(self, runs: DailyRuns, name: str, wanted: Due) -> None:
        """Make a run, and write what came of it."""
        log.info(
            "store %s: reconciling its orders of %s to %s",
            name,
            wanted.since,
            wanted.until,
            extra={"event": "reconcile.begins", "store": name},
        )
        began = time.time()
        metrics.RECONCILE_RUNNING.labels(name).set(1)
        try:
            found = await self._carried_out(runs, name, wanted)
        finally:
            metrics.RECONCILE_RUNNING.labels(name).set(0)
        if found is None:
            return  # another process's now
        outcome = RunOutcome.FAILED if found.error else RunOutcome.DONE
        if self._stopping.is_set() and found.error:
            outcome = RunOutcome.GIVEN_BACK
        result = ReconcileResult(
            store=name,
            day=wanted.day.isoformat(),
            owner=self._owner,
            outcome=outcome,
            began_ms=int(began * 1_000),
            ended_ms=int(time.time() * 1_000),
            orders=found.orders,
            sent_again=found.sent_again,
            error=found.error[:1_000],
            files=found.files,
        )
        await asyncio.to_thread(runs.write, result)
        _log(name, outcome, found, time.time() - began)

    async def _carried_out(self, runs: DailyRuns, name: str, wanted: Due) -> JobResult | None:
        """Run it in a process of its own; None where it turned out to be another's."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        job = context.Process(target=work, args=(theirs, self._settings, name, wanted), daemon=True)
        job.start()
        theirs.close()
        try:
            return await self._watched(
                runs, ReconcileClaim(store=name, day=wanted.day.isoformat(), owner=self._owner), job, ours
            )
        finally:
            await asyncio.to_thread(_end, job)
            ours.close()

    async def _watched(
        self, runs: DailyRuns, claim: ReconcileClaim, job: SpawnProcess, ours: Connection
    ) -> JobResult | None:
        """Wait for a run's end, and say meanwhile that it goes on."""
        began = confirmed = said = time.monotonic()
        while True:
            if ours.poll():
                with suppress(EOFError):
                    found: JobResult = ours.recv()
                    return found
            if not job.is_alive():
                return JobResult({}, error=f"its process ended ({_ending(job.exitcode)})")
            now = time.monotonic()
            if self._stopping.is_set():
                return JobResult({}, error="stopped")
            if now - began > LONGEST:
                return JobResult({}, error=f"it was not done after {LONGEST / 3_600:.0f} hours")
            if now - said > REPEAT:
                said = now
                if not await self._goes_on(runs, claim):
                    if now - confirmed > GIVEN_UP:
                        return JobResult({}, error="Kafka took no word of it for too long")
                elif runs.stores[claim.store].holder(claim.day) != self._owner:
                    return None
                else:
                    confirmed = time.monotonic()
            await asyncio.sleep(0.1)

    async def _goes_on(self, runs: DailyRuns, claim: ReconcileClaim) -> bool:
        """Say that a run goes on, and read whether it is still this process's; False: Kafka is away."""
        try:
            async with asyncio.timeout(GIVEN_UP):
                await asyncio.to_thread(runs.write, claim)
                await asyncio.to_thread(runs.read)
        except (PipelineError, TimeoutError) as error:
            self._kafka_away(error)
            return False
        self._heard = time.monotonic()
        self._set_ready("")
        self._show(runs)
        return True

    def _kafka_away(self, error: Exception) -> None:
        if str(error) != self._said:
            self._said = str(error)
            log.warning("the state of the daily runs cannot be read or written: %s", error)
        if time.monotonic() - self._heard > PATIENCE:
            self._set_ready(f"Kafka has not answered for {PATIENCE:.0f} s or more")

    def _set_ready(self, why: str) -> None:
        self._why = why
        self._said = self._said if why else ""
        metrics.READY.labels("reconcile").set(0 if why else 1)

    def _show(self, runs: DailyRuns) -> None:
        """Every store's series."""
        for name, wish in self._wishes.items():
            _show_store(name, self._due(name, wish), runs.stores[name])


def _show_store(name: str, wanted: Due, found: StoreRuns) -> None:
    """A store's series."""
    done = found.done
    for result, orders in (done.orders if done is not None else {}).items():
        metrics.RECONCILE_ORDERS.labels(name, result).set(orders)
    metrics.RECONCILE_LAST_RUN.labels(name).set(done.ended_ms / 1_000 if done is not None else 0)
    metrics.RECONCILE_FAILED.labels(name).set(found.failed)
    late = done is None or done.day < wanted.day.isoformat()
    overdue = time.time() - wanted.at.timestamp() if late else 0.0
    metrics.RECONCILE_OVERDUE.labels(name).set(max(0.0, overdue))


def _log(name: str, outcome: RunOutcome, found: JobResult, seconds: float) -> None:
    event, took = f"reconcile.{outcome.value}", round(seconds, 1)
    if outcome is RunOutcome.DONE:
        agrees = not any(found.orders.get(one) for one in ("missing", "different", "only_connectif"))
        level = logging.INFO if agrees else logging.WARNING
        log.log(
            level,
            "store %s: %s; report: %s",
            name,
            found.words,
            found.files[0],
            extra={"event": event, "store": name, "seconds": took},
        )
        for remark in found.remarks:
            log.info("store %s: %s", name, remark, extra={"event": "reconcile.remark", "store": name})
    elif outcome is RunOutcome.FAILED:
        log.error(
            "store %s: the daily reconcile failed: %s",
            name,
            found.error,
            extra={"event": event, "store": name, "seconds": took},
        )
    else:
        log.info(
            "store %s: the daily reconcile is left to the next process",
            name,
            extra={"event": event, "store": name, "seconds": took},
        )


def _end(job: SpawnProcess) -> None:
    """See that a run's process is gone."""
    job.join(0.5)
    if job.is_alive():
        job.terminate()
        job.join(5)
    if job.is_alive():
        job.kill()
        job.join()


def _ending(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
