"""The imports of one account: those in flight, those to come, and those of unknown content to wait for."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import InitVar, dataclass, field, replace

from pipeline.config_stages import DeliverSettings
from pipeline.connectif.imports import TYPES, ImportProgress, ImportStage
from pipeline.deliver.schedule.import_durations import ImportDurations
from pipeline.events import Lane
from pipeline.records import RecordKind

#: An import is late after so many times the time to its first poll.
LATE = 4
#: How many of our imports are remembered once they are over.
KNOWN = 1_000


@dataclass(frozen=True, slots=True)
class ImportBatch:
    """Ids for one import; `tries` counts the imports that said nothing of their rows.

    `asks`: Connectif is asked first which of these people have withdrawn.
    """

    ids: list[str]
    tries: int = 0
    lane: Lane = Lane.LIVE
    asks: bool = False


@dataclass(slots=True)
class ImportJob:
    """An import in flight.

    Attributes:
        unfinished_at: when it was last seen unfinished.
        late_at: when it takes much longer than was expected.
        alone: whether no other of ours was in flight when it was made.
        polls: of it so far.
        retries: attempts at its error report.
        numbered: whether each row is one line, so that a line's number is a row's.
    """

    kind: RecordKind
    import_id: str
    batch: ImportBatch
    key_column: str
    posted_at: float
    poll_at: float
    unfinished_at: float
    late_at: float
    alone: bool = True
    in_flight: bool = False
    polls: int = 0
    retries: int = 0
    numbered: bool = True


@dataclass(slots=True)
class ImportQueue:
    """See the module. Imports of one kind run side by side: no two hold the same id.

    Args:
        settings: sizes and times.
        window: of the limit, in seconds.

    Attributes:
        batches: what goes by import next, ahead of what waits in queues.
        asking: whether an export of withdrawals is running; batches that need it wait.
        durations: what was learned of each kind.
    """

    settings: DeliverSettings
    window: InitVar[float]
    batches: dict[RecordKind, deque[ImportBatch]] = field(
        default_factory=lambda: {kind: deque() for kind in RecordKind}
    )
    asking: bool = False
    durations: dict[RecordKind, ImportDurations] = field(init=False)
    _jobs: dict[str, ImportJob] = field(default_factory=dict)
    _known: deque[str] = field(default_factory=lambda: deque(maxlen=KNOWN))
    _starting: Counter[tuple[RecordKind, Lane]] = field(default_factory=Counter)
    _gates: dict[RecordKind, float] = field(default_factory=dict)
    _doubted_at: float = -math.inf
    _list_at: float = math.inf
    _not_before: float = -math.inf

    def __post_init__(self, window: float) -> None:
        self.durations = {kind: ImportDurations.unknown(window) for kind in RecordKind}

    def copy(self) -> ImportQueue:
        """A copy."""
        twin = replace(
            self,
            window=1.0,  # that of guesses before anything was learned, which are replaced at once
            batches={kind: batches.copy() for kind, batches in self.batches.items()},
            _jobs={name: replace(job) for name, job in self._jobs.items()},
            _known=self._known.copy(),
            _starting=self._starting.copy(),
            _gates=self._gates.copy(),
        )
        twin.durations = {kind: replace(learned) for kind, learned in self.durations.items()}
        return twin

    # Our own.

    def can_start(self, kind: RecordKind, now: float) -> bool:
        """Whether an import of this kind may be made now."""
        running = len(self._jobs) + self._starting.total()
        return running < self.settings.imports_at_once and not self.gated(kind) and now >= self._not_before

    def worth(self, kind: RecordKind) -> int:
        """With how many rows an import costs fewer calls than they would one by one."""
        return max(self.settings.import_min_rows, math.floor(self.durations[kind].calls) + 1)

    def rows(self, kind: RecordKind, lane: Lane) -> int:
        """Rows of a lane that are in flight; 1 at least while a file of it is being made."""
        under_way = sum(len(job.batch.ids) for job in self._jobs.values() if _is(job, kind, lane))
        return under_way + self._starting[kind, lane]

    def starting(self, kind: RecordKind, lane: Lane, *, yes: bool) -> None:
        """A file of this kind is being made and sent, or is no more."""
        self._starting[kind, lane] += 1 if yes else -1

    def is_new(self, progress: ImportProgress) -> bool:
        """Whether what answers a file can be its import: none that was made before."""
        return progress.import_id not in self._known

    def started(
        self,
        kind: RecordKind,
        import_id: str,
        batch: ImportBatch,
        key_column: str,
        now: float,
        *,
        numbered: bool = True,
    ) -> None:
        """Connectif has taken a file; see `ImportJob`."""
        self._known.append(import_id)
        look_at = now + self.durations[kind].first_look(len(batch.ids))
        late_at = now + LATE * (look_at - now)
        self._jobs[import_id] = ImportJob(
            kind,
            import_id,
            batch,
            key_column,
            now,
            look_at,
            now,
            late_at,
            alone=not self._jobs,
            numbered=numbered,
        )

    def finished(self, job: ImportJob, now: float, seconds: float | None) -> None:
        """An import was found finished; `seconds` it took by Connectif's own clock, where it says so."""
        if seconds is not None:
            seconds = min(seconds, now - job.posted_at)  # whatever its clock says
        if job.alone:  # else it may have waited for the others
            self.durations[job.kind].learn(
                len(job.batch.ids),
                longer_than=job.unfinished_at - job.posted_at if seconds is None else seconds,
                at_most=now - job.posted_at if seconds is None else seconds,
                polls=job.polls,
            )

    def ended(self, job: ImportJob) -> None:
        """Nothing more is to be asked of an import."""
        self._jobs.pop(job.import_id, None)

    def has_ended(self, job: ImportJob) -> bool:
        """Whether `ended` was called for it."""
        return job.import_id not in self._jobs

    def under_way(self) -> Iterator[ImportJob]:
        """Every import of ours that is not known to be over."""
        yield from self._jobs.values()

    def queue_full(self, now: float) -> None:
        """Connectif accepts no more imports for now."""
        self._not_before = now + self.durations[RecordKind.CONTACT].fixed

    def poll_due(self, now: float) -> ImportJob | None:
        """An import to poll now."""
        due = (job for job in self._jobs.values() if not job.in_flight and job.poll_at <= now)
        return min(due, key=lambda job: job.poll_at, default=None)

    def poll_again(self, job: ImportJob, now: float) -> None:
        """It is not finished: the longer it takes, the longer until the next poll."""
        job.unfinished_at = now
        job.poll_at = now + ImportDurations.next_look(now - job.posted_at, self.settings.import_poll)

    def late(self, kind: RecordKind, now: float) -> frozenset[str]:
        """The ids of imports that take much longer than was expected."""
        jobs = [job for job in self._jobs.values() if job.kind is kind and now > job.late_at]
        return frozenset().union(*(job.batch.ids for job in jobs))

    def stuck(self, job: ImportJob, now: float) -> bool:
        """Whether it takes longer than anything should."""
        return now - job.posted_at > self.settings.import_stuck_after

    def failed(self, batch: ImportBatch, *, split: bool) -> list[ImportBatch]:
        """How the rows of an import that said nothing of them are sent again: whole once, then in halves."""
        again = replace(batch, tries=batch.tries + 1)
        return [again] if not split and not batch.tries else halves(again)

    # Others', or our own of which we do not know.

    def doubt(self, kinds: Iterable[RecordKind], now: float) -> None:
        """Imports of these kinds may be in flight unknown to us: list them before newer data is sent."""
        for kind in kinds:
            self._gates[kind] = now + self.settings.import_stuck_after
        self._doubted_at = self._list_at = now

    def gated(self, kind: RecordKind) -> bool:
        """Whether data of this kind must wait for an import of unknown content."""
        return kind in self._gates

    def list_due(self, now: float) -> bool:
        """Whether to list the imports now; also plans when to list them next."""
        if now < self._list_at:
            return False
        self._list_at = now + ImportDurations.next_look(now - self._doubted_at, self.settings.import_poll)
        return True

    def listed(self, found: Iterable[ImportProgress], now: float) -> None:
        """The list was read: a kind opens once none of its imports is unfinished, or one is stuck."""
        busy = {
            progress.kind
            for progress in found
            if progress.stage is ImportStage.UNFINISHED
            and progress.import_id not in self._jobs
            and not progress.by_hand
        }
        for kind in list(self._gates):
            if TYPES[kind].value not in busy or now >= self._gates[kind]:
                del self._gates[kind]
        if not self._gates:
            self._list_at = math.inf

    def next_moment(self, now: float) -> float:
        """When there is something to poll next."""
        moments = [job.poll_at for job in self._jobs.values() if not job.in_flight]
        if any(self.batches.values()) and self._not_before > now:
            moments.append(self._not_before)
        return min([*moments, self._list_at])


def halves(batch: ImportBatch) -> list[ImportBatch]:
    """A batch in two, where it has more than one row."""
    middle = len(batch.ids) // 2
    return [replace(batch, ids=ids) for ids in (batch.ids[:middle], batch.ids[middle:]) if ids]


def _is(job: ImportJob, kind: RecordKind, lane: Lane) -> bool:
    return job.kind is kind and job.batch.lane is lane
