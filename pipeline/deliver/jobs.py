"""The imports of one account: those under way, those to come, and those of unknown content to wait for."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.config import DeliverSettings
from pipeline.deliver.imports import TYPES, Progress, Stage
from pipeline.records import RecordKind

#: A poll comes at the latest when an import has taken this much longer than at the poll before.
PATIENCE = 0.2
#: An import is slow after so many polls' time.
SLOW = 3


@dataclass(frozen=True, slots=True)
class Batch:
    """Ids for one import; `tries` counts the imports that said nothing of their rows."""

    ids: list[str]
    tries: int = 0


@dataclass(slots=True)
class Job:
    """An import under way. `retries` counts attempts at its error report."""

    kind: RecordKind
    import_id: str
    batch: Batch
    key_column: str
    posted_at: float
    poll_at: float
    flying: bool = False
    retries: int = 0


@dataclass(slots=True)
class ImportQueue:
    """See the module. One import a kind at a time: so a row's data never overtakes newer data of its key.

    Attributes:
        batches: what goes by import next, ahead of what stands in line.
    """

    settings: DeliverSettings
    batches: dict[RecordKind, deque[Batch]] = field(
        default_factory=lambda: {kind: deque() for kind in RecordKind}
    )
    _jobs: dict[RecordKind, Job] = field(default_factory=dict)
    _gates: dict[RecordKind, float] = field(default_factory=dict)
    _starting: set[RecordKind] = field(default_factory=set)
    _list_at: float = math.inf
    _not_before: float = -math.inf

    # Our own.

    def can_start(self, kind: RecordKind, now: float) -> bool:
        """Whether an import of this kind may be made now."""
        free = kind not in self._jobs and kind not in self._starting
        return free and not self.gated(kind) and now >= self._not_before

    def slow(self, kind: RecordKind, now: float) -> bool:
        """Whether the next import of this kind cannot be expected within a few looks."""
        job = self._jobs.get(kind)
        return now < self._not_before or (
            job is not None and now > job.posted_at + SLOW * self.settings.import_poll
        )

    def starting(self, kind: RecordKind, *, yes: bool) -> None:
        """A file of this kind is being made and sent."""
        if yes:
            self._starting.add(kind)
        else:
            self._starting.discard(kind)

    def started(self, job: Job) -> None:
        """Connectif has taken a file."""
        self._jobs[job.kind] = job

    def ended(self, job: Job) -> None:
        """Nothing more is to be asked of an import."""
        self._jobs.pop(job.kind, None)

    def has_ended(self, job: Job) -> bool:
        """Whether `ended` was called for it."""
        return self._jobs.get(job.kind) is not job

    def queue_full(self, now: float) -> None:
        """Connectif takes no more imports for now."""
        self._not_before = now + self.settings.import_poll

    def poll_due(self, now: float) -> Job | None:
        """An import to look at now."""
        due = (job for job in self._jobs.values() if not job.flying and job.poll_at <= now)
        return min(due, key=lambda job: job.poll_at, default=None)

    def poll_again(self, job: Job, now: float) -> None:
        """It is not finished: the longer it takes, the longer until the next look."""
        job.poll_at = now + max(self.settings.import_poll, PATIENCE * (now - job.posted_at))

    def stuck(self, job: Job, now: float) -> bool:
        """Whether it takes longer than anything should."""
        return now - job.posted_at > self.settings.import_stuck_after

    def failed(self, batch: Batch, *, split: bool) -> list[Batch]:
        """How the rows of an import that said nothing of them are sent again: whole once, then in halves."""
        tries, middle = batch.tries + 1, len(batch.ids) // 2
        if not middle or (not split and not batch.tries):
            return [Batch(batch.ids, tries)]
        return [Batch(batch.ids[:middle], tries), Batch(batch.ids[middle:], tries)]

    # Others', or our own of which we do not know.

    def doubt(self, kinds: Iterable[RecordKind], now: float) -> None:
        """Imports of these kinds may be on their way unknown to us: look, before newer data is sent."""
        for kind in kinds:
            self._gates[kind] = now + self.settings.import_stuck_after
        self._list_at = now

    def gated(self, kind: RecordKind) -> bool:
        """Whether data of this kind must wait for an import of unknown content."""
        return kind in self._gates

    def list_due(self, now: float) -> bool:
        """Whether to look at the list of imports now; the next look is planned at once."""
        if now < self._list_at:
            return False
        self._list_at = now + self.settings.import_poll
        return True

    def listed(self, found: Iterable[Progress], now: float) -> None:
        """The list was read: a kind opens once none of its imports is unfinished, or one is stuck."""
        ours = {job.import_id for job in self._jobs.values()}
        busy = {
            progress.kind
            for progress in found
            if progress.stage is Stage.UNFINISHED and progress.import_id not in ours and not progress.by_hand
        }
        for kind in list(self._gates):
            if TYPES[kind].value not in busy or now >= self._gates[kind]:
                del self._gates[kind]
        if not self._gates:
            self._list_at = math.inf

    def next_moment(self, now: float) -> float:
        """When there is something to look at next."""
        moments = [job.poll_at for job in self._jobs.values() if not job.flying]
        if any(self.batches.values()) and self._not_before > now:
            moments.append(self._not_before)
        return min([*moments, self._list_at])
