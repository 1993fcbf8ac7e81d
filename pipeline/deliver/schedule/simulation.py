"""The scheduler and the limiter on a clock of their own, without calls: every call is taken to succeed.

`plan` simulates a volume, `explain` the next few calls. No HTTP, no Kafka, no disk.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.deliver.schedule.actions import Action, CheckCouponSet, Idle, Import, ListImports, Poll, Send
from pipeline.deliver.schedule.import_jobs import ImportBatch, ImportJob
from pipeline.deliver.schedule.pending_index import PendingIndex
from pipeline.deliver.schedule.scheduler import Scheduler
from pipeline.deliver.state.key import Key
from pipeline.limiter.limiter import Limiter
from pipeline.records import RecordKind

#: The least step of the clock: floats cannot distinguish closer moments.
TICK = 1e-3


@dataclass(frozen=True, slots=True)
class Times:
    """How long things take.

    Attributes:
        latency: seconds of a call.
        of_import: seconds of an import of so many rows.
        at_once: the most tasks at a time.
    """

    latency: float
    of_import: Callable[[RecordKind, int], float]
    at_once: int


@dataclass(frozen=True, slots=True)
class SimulatedCall:
    """A call that was made: when, and for what; `second` where the task's first call was made before."""

    at: float
    action: Action
    second: bool = False


class Simulation:
    """One account's.

    Args:
        scheduler: decides; a copy, as are the others here: they change.
        index: its pending index.
        limiter: its limit.
        sent: what Connectif knows; the scheduler asks it, and each record sent is added.
        times: how long things take.
        now: where the clock begins.
        wall: epoch seconds at 0 on that clock.
        calls: a record takes so many calls, one or two.
        shape: which of its columns a record fills; a file carries one shape.
        settled: called with each record once it is sent.

    Attributes:
        now: the clock.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        index: PendingIndex,
        limiter: Limiter,
        sent: set[Key],
        times: Times,
        *,
        now: float,
        wall: float,
        calls: Callable[[Key], int] = lambda _key: 1,
        shape: Callable[[Key], int] = lambda _key: 0,
        settled: Callable[[Key], None] = lambda _key: None,
    ) -> None:
        self._scheduler = scheduler
        self._index = index
        self._limiter = limiter
        self._sent = sent
        self._times = times
        self._wall = wall
        self._calls = calls
        self._shape = shape
        self._settled = settled
        self.now = now
        self._number = itertools.count()
        self._answers: list[tuple[float, int, int | None, Action, int]] = []
        #: Tasks that wait for a slot for their second call: before all that has not begun.
        self._going_on: deque[Action] = deque()
        #: When an import is over, and how long it took.
        self._ends: dict[str, tuple[float, float]] = {}
        self._take_over()

    def step(self, until: float = math.inf) -> SimulatedCall | None:
        """Make the next call, or else advance to the next answer, or to `until`; returns the call made."""
        wait = self._limiter.wait(self.now)
        if self._going_on:
            if wait <= 0:
                return self._start(self._going_on.popleft(), left=0, second=True)
        elif len(self._answers) >= self._times.at_once:
            wait = math.inf
        elif wait <= 0:
            action = self._scheduler.next(self.now, self._wall + self.now)
            made = self._file(action) if isinstance(action, Import) else action
            if made is not None and not isinstance(made, Idle):
                left = self._calls(made.key) - 1 if isinstance(made, Send) else 0
                return self._start(made, left=left, second=False)
            wait = TICK if made is None else max(TICK, made.until - self.now)
        self._go_on(wait, until)
        return None

    def _take_over(self) -> None:
        """Calls and polls in flight at the beginning are answered after the duration of a call."""
        for call in list(self._limiter.state.in_flight):
            self._await(call, Idle(self.now), left=0)
        for job in self._scheduler.imports.under_way():
            takes = self._times.of_import(job.kind, len(job.batch.ids))
            self._ends[job.import_id] = job.posted_at + takes, takes
            if job.in_flight:
                self._await(None, Poll(job), left=0)

    def _start(self, action: Action, *, left: int, second: bool) -> SimulatedCall:
        match action:
            case Import(kind=kind, batch=batch):
                self._scheduler.imports.starting(kind, batch.lane, yes=True)
            case Poll(job=job):
                job.in_flight = True
        self._await(self._limiter.start(self.now), action, left=left)
        return SimulatedCall(self.now, action, second)

    def _file(self, action: Import) -> Import | None:
        """The file that is made of an import's rows; the others are split off, as `Importer` does it."""
        kind, batch, scheduler = action.kind, action.batch, self._scheduler
        shapes: dict[int, list[str]] = {}
        for record_id in batch.ids:
            shapes.setdefault(self._shape(Key(kind, record_id)), []).append(record_id)
        file, *others = sorted(shapes.values(), key=len, reverse=True)
        worth = 1 if kind is RecordKind.COUPON else scheduler.imports.worth(kind)
        for rows in others:
            if len(rows) < worth:
                scheduler.singly(kind, rows)
            else:
                scheduler.batch(kind, ImportBatch(rows, batch.tries, batch.lane))
        if len(file) < worth:
            scheduler.singly(kind, file)
            return None
        return Import(kind, ImportBatch(file, batch.tries, batch.lane), action.decision)

    def _await(self, call: int | None, action: Action, *, left: int) -> None:
        at = self.now + self._times.latency
        heapq.heappush(self._answers, (at, next(self._number), call, action, left))

    def _go_on(self, seconds: float, until: float) -> None:
        moment = min(self.now + seconds, until)
        if not self._answers or self._answers[0][0] > moment:
            self.now = max(self.now, moment)
            return
        self.now, _, call, action, left = heapq.heappop(self._answers)
        if call is not None:
            self._limiter.finish(call, self.now)
        if left:
            self._going_on.append(action)
        else:
            self._answered(action)

    def _answered(self, action: Action) -> None:
        match action:
            case Send(key=key):
                self._settle(key)
            case Import(kind=kind, batch=batch):
                self._posted(kind, batch)
            case Poll(job=job):
                self._looked(job)
            case ListImports():
                self._scheduler.imports.listed((), self.now)
            case CheckCouponSet(name=name):
                self._scheduler.coupons.seen(name, None, self.now)

    def _posted(self, kind: RecordKind, batch: ImportBatch) -> None:
        imports, name = self._scheduler.imports, f"simulated-{next(self._number)}"
        imports.starting(kind, batch.lane, yes=False)
        takes = self._times.of_import(kind, len(batch.ids))
        self._ends[name] = self.now + takes, takes
        imports.started(kind, name, batch, "key", self.now)

    def _looked(self, job: ImportJob) -> None:
        imports, (end, takes) = self._scheduler.imports, self._ends[job.import_id]
        job.in_flight = False
        job.polls += 1
        if self.now < end:
            imports.poll_again(job, self.now)
            return
        imports.finished(job, self.now, takes)
        imports.ended(job)
        for record_id in job.batch.ids:
            self._settle(Key(job.kind, record_id))

    def _settle(self, key: Key) -> None:
        queue = self._index[key.kind]
        queue.receipt_written(key.id)
        queue.settled(key.id, None, certain=True)
        self._sent.add(key)
        self._scheduler.settled(key)
        self._settled(key)
