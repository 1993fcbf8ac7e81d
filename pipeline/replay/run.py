"""What is kept of a run: what it repeats, how far it is, and what operators want of it."""

from __future__ import annotations

import enum

from pydantic import BaseModel, ConfigDict, Field

from pipeline.kafka.replays import ReplayMode
from pipeline.records import Frozen
from pipeline.replay.selection import Choice

#: Seconds without a word of a run's process after which it counts as gone.
SILENT_AFTER = 20.0


class RunStatus(enum.StrEnum):
    """Where a run is."""

    RUNNING = "running"  # events are repeated, or what they made is delivered
    PAUSED = "paused"  # by an operator
    DONE = "done"  # all of it is dealt with
    CANCELLED = "cancelled"  # by an operator; what was repeated by then is delivered
    FAILED = "failed"  # `error` says why; `resume` goes on


#: A run that is over.
ENDED = frozenset({RunStatus.DONE, RunStatus.CANCELLED})


class Part(Frozen):
    """Offsets of one partition, from `start` up to, not including, `end`; `topic` without the prefix."""

    topic: str
    partition: int
    start: int
    end: int


class Plan(Frozen):
    """What a run repeats; written once."""

    run: str
    made_ms: int
    choice: Choice
    mode: ReplayMode
    trigger: bool = False
    parts: tuple[Part, ...]
    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def offsets(self) -> int:
        """How many offsets are to be read."""
        return sum(part.end - part.start for part in self.parts)


class State(BaseModel):
    """How far a run is; written after what was repeated is confirmed.

    Attributes:
        run: its id.
        epoch, owner: counts the processes that worked on it, and the name of the last; of two with one count
            the greater name goes on, and the other ends.
        status: as it is.
        next: for each part, in their order, the next offset to read.
        read, sent: events that were read, and repeated.
        tails: where the counting of records and receipts goes on, by topic and partition.
        records: of the backfill's lane that were made since it began.
        ended: of them, by their outcome.
        working: seconds it was at work.
        updated_ms: when this was written.
        error: why it failed.
    """

    model_config = ConfigDict(extra="ignore")

    run: str
    epoch: int = 0
    owner: str = ""
    status: RunStatus = RunStatus.RUNNING
    next: list[int] = Field(default_factory=list)
    read: int = 0
    sent: int = 0
    tails: dict[str, int] = Field(default_factory=dict)
    records: int = 0
    ended: dict[str, int] = Field(default_factory=dict)
    working: float = 0.0
    updated_ms: int = 0
    error: str = ""

    @property
    def pending(self) -> int:
        """Records of the backfill's lane that have not ended."""
        return max(0, self.records - sum(self.ended.values()))


class Control(Frozen):
    """What operators want of a run."""

    run: str
    wanted: RunStatus = RunStatus.RUNNING
    per_minute: float | None = None
    at_ms: int = 0


class Run(BaseModel):
    """All that is kept of one run."""

    plan: Plan
    state: State
    control: Control

    @property
    def done(self) -> int:
        """Offsets that were read."""
        starts = (part.start for part in self.plan.parts)
        return sum(at - start for at, start in zip(self.state.next, starts, strict=True))

    def is_silent(self, now_ms: int) -> bool:
        """Whether its process is gone though it is not over."""
        active = self.state.status in {RunStatus.RUNNING, RunStatus.PAUSED}
        return active and now_ms - self.state.updated_ms > SILENT_AFTER * 1_000

    def seconds_left(self) -> float | None:
        """As long as it takes at the speed it had; None while that is not known, 0 once it is over.

        A run stays little ahead of delivery, so its own speed is that of the real limit and the live traffic.
        """
        if self.state.status in ENDED:
            return 0.0
        ahead = min(self.done, self.state.pending)
        delivered = self.done - ahead
        if delivered <= 0 or self.state.working <= 0:
            return None
        return (self.plan.offsets - delivered) * self.state.working / delivered


__all__ = ["ENDED", "Control", "Part", "Plan", "Run", "RunStatus", "State"]
