"""What is kept of a run: what it repeats, how far it is, and what operators want of it."""

from __future__ import annotations

import enum

from pydantic import BaseModel, ConfigDict, Field

from pipeline.kafka.replays import ReplayMode
from pipeline.records import Frozen, RecordKind
from pipeline.replay.selection import Choice

#: Seconds without a word of a run's process after which it counts as gone.
SILENT_AFTER = 20.0
#: Seconds in which a run at work gets on; after that something holds it up.
STALLED_AFTER = 600.0
#: A run's rate is that of the last part of what was delivered: it begins slowly, and live traffic changes.
RECENT = 0.5
#: How far it was is kept for each hundredth of it.
POINTS = 100
#: Purchases made of an event, at least, where they say how much is delivered.
PURCHASES_SHARE = 0.2


class RunStatus(enum.StrEnum):
    """Where a run is."""

    RUNNING = "running"  # events are repeated, or what they made is delivered
    PAUSED = "paused"  # by an operator
    STOPPED = "stopped"  # its process was told to end; `resume` goes on
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
        chosen: events to be repeated in all; None while they are not counted.
        ids: of the plan's ids, those that an event was found of; counted with `chosen`.
        waiting: events that were repeated and that translate has not dealt with.
        window: the most events and records that may be under way now.
        tails: where the counting of records and receipts goes on, by topic and partition.
        records: of the backfill's lane that were made since it began.
        ended: of them, by their outcome.
        kinds, ended_kinds: the same by kind.
        delivered: events that are dealt with, as of the last look.
        working: seconds it was at work.
        points: seconds at work and events delivered, from time to time.
        moved_ms: when it last got on: something was read, or something ended.
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
    chosen: int | None = None
    ids: int | None = None
    waiting: int = 0
    window: int = 0
    tails: dict[str, int] = Field(default_factory=dict)
    records: int = 0
    ended: dict[str, int] = Field(default_factory=dict)
    kinds: dict[str, int] = Field(default_factory=dict)
    ended_kinds: dict[str, int] = Field(default_factory=dict)
    delivered: float = 0.0
    working: float = 0.0
    points: list[tuple[float, float]] = Field(default_factory=list)
    moved_ms: int = 0
    updated_ms: int = 0
    error: str = ""

    @property
    def pending(self) -> int:
        """Records of the backfill's lane that have not ended."""
        return max(0, self.records - sum(self.ended.values()))

    def looked(self, waiting: int) -> None:
        """After a look at what is under way, and before anything more is let out: how much is delivered.

        Purchases cost the calls, the rest goes by import: where orders make them, they say how many events
        are dealt with. Else all records do.
        """
        self.waiting = waiting
        translated = max(0, self.sent - waiting)
        made, left = self.records, self.pending
        purchases = self.kinds.get(RecordKind.PURCHASE, 0)
        if purchases >= PURCHASES_SHARE * translated:
            made, left = purchases, purchases - self.ended_kinds.get(RecordKind.PURCHASE, 0)
        self.delivered = max(0.0, translated * (1 - max(0, left) / made)) if made else float(translated)

    def got_on(self) -> tuple[int, ...]:
        """What differs once it got on."""
        return *self.next, self.waiting, *self.ended.values()


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

    def needs_process(self, now_ms: int) -> bool:
        """Whether nobody works on it though it is not over."""
        return self.is_silent(now_ms) or self.state.status in {RunStatus.FAILED, RunStatus.STOPPED}

    def is_silent(self, now_ms: int) -> bool:
        """Whether its process is gone though it is not over."""
        active = self.state.status in {RunStatus.RUNNING, RunStatus.PAUSED}
        return active and now_ms - self.state.updated_ms > SILENT_AFTER * 1_000

    @property
    def total(self) -> float:
        """Events to be repeated; while they are not counted, as many as the part that was read suggests."""
        state = self.state
        if state.chosen is not None:
            return max(state.chosen, state.sent)
        return state.sent * self.plan.offsets / self.done if self.done else 0.0

    def measure(self) -> None:
        """Keep how far it is."""
        state = self.state
        last = state.points[-1][1] if state.points else 0.0
        if state.delivered > 0 and state.delivered >= last + self.total / POINTS:
            state.points = [*state.points[1 - POINTS :], (state.working, state.delivered)]

    def seconds_left(self) -> float | None:
        """As long as it takes at the rate it had; None while that is not known, 0 once it is over.

        A run stays little ahead of delivery: its own rate is that of the real limit beside the live traffic.
        """
        state = self.state
        if state.status in ENDED:
            return 0.0
        if not state.points:
            return None
        recent = state.delivered * (1 - RECENT)
        began, before = max((at for at in state.points if at[1] <= recent), default=state.points[0])
        seconds, events = state.working - began, state.delivered - before
        if seconds <= 0 or events < self.total / POINTS:
            return None  # too little for a rate
        rate, limit = events / seconds, self.control.per_minute
        if limit is not None:
            rate = min(rate, limit / 60)
        return max(0.0, self.total - state.delivered) / rate

    def stalled(self, now_ms: int) -> bool:
        """Whether it is at work and gets on no more."""
        at_work = self.state.status is RunStatus.RUNNING and self.control.wanted is RunStatus.RUNNING
        moved = max(self.state.moved_ms, self.control.at_ms)
        return at_work and self.state.moved_ms > 0 and now_ms - moved > STALLED_AFTER * 1_000


__all__ = ["ENDED", "SILENT_AFTER", "STALLED_AFTER", "Control", "Part", "Plan", "Run", "RunStatus", "State"]
