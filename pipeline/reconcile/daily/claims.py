"""Who makes a store's run of a day, and what came of it: what a log's messages, in their order, add up to.

Every process reads the same log, so all come to the same result, whatever their clocks say. A process that
wants to make a run writes a claim, and reads whether it counts: it does not while another's is alive, or once
the day's run is done. The one whose claim counts repeats it now and then; if it is silent for too long,
another's counts. Pure.
"""

from __future__ import annotations

import enum
from typing import Literal

from pydantic import ConfigDict, Field

from pipeline.records import Frozen

#: Milliseconds without a word of a process after which its claim is over.
SILENT_MS = 60_000
#: Times that a day's run is begun at most, and the pause after one that failed.
ATTEMPTS, PAUSE_MS = 3, 3_600_000


class RunOutcome(enum.StrEnum):
    """How a run ended."""

    DONE = "done"
    FAILED = "failed"
    GIVEN_BACK = "given_back"  # its process was stopped: another makes it, or the same, once it is back


class ReconcileClaim(Frozen):
    """A process wants to make a run, or is making it.

    Attributes:
        what: which document it is.
        store: its name.
        day: whose run it is, ISO 8601.
        owner: the process.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    what: Literal["claim"] = "claim"
    store: str
    day: str
    owner: str


class ReconcileResult(Frozen):
    """A run that ended.

    Attributes:
        what: which document it is.
        store: its name.
        day: whose run it is, ISO 8601.
        owner: the process.
        outcome: how.
        began_ms: when, by its clock.
        ended_ms: likewise.
        orders: of each result, such as missing; of a run that is done.
        sent_again: orders that it repaired.
        error: why it failed, in words.
        files: reports that it wrote.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    what: Literal["result"] = "result"
    store: str
    day: str
    owner: str
    outcome: RunOutcome
    began_ms: int
    ended_ms: int
    orders: dict[str, int] = Field(default_factory=dict)
    sent_again: int = 0
    error: str = ""
    files: tuple[str, ...] = ()


class StoreRuns:
    """What is known of one store's runs.

    Attributes:
        done: the newest result that is done; None: there is none.
        failed: results that failed since then.
        error: of the newest of them.
    """

    def __init__(self) -> None:
        self.done: ReconcileResult | None = None
        self.failed = 0
        self.error = ""
        self._day = self._owner = ""
        self._heard_ms = 0
        self._attempts = 0
        self._not_before_ms = 0

    def holder(self, day: str) -> str:
        """The process whose claim for a day counts, though it may be gone; empty: none does."""
        return self._owner if self._day == day else ""

    def is_open(self, day: str, at_ms: int) -> bool:
        """Whether somebody may begin a day's run."""
        if self.done is not None and self.done.day >= day:
            return False
        if self._owner and at_ms - self._heard_ms < SILENT_MS:
            return False
        tried = self._attempts if self._day == day else 0
        return tried < ATTEMPTS and (not tried or at_ms >= self._not_before_ms)

    def take(self, said: ReconcileClaim | ReconcileResult, at_ms: int) -> None:
        """The next message of the log.

        Args:
            said: it.
            at_ms: when it arrived, by the brokers' clock.
        """
        if isinstance(said, ReconcileClaim):
            self._claimed(said, at_ms)
        else:
            self._ended(said, at_ms)

    def _claimed(self, said: ReconcileClaim, at_ms: int) -> None:
        if said.owner == self._owner and said.day == self._day:
            # Late is as good, as nobody else's counted meanwhile.
            self._heard_ms = at_ms
        elif self.is_open(said.day, at_ms):
            self._attempts = self._attempts + 1 if said.day == self._day else 1
            self._day, self._owner, self._heard_ms = said.day, said.owner, at_ms

    def _ended(self, said: ReconcileResult, at_ms: int) -> None:
        own = not self._owner or said.owner == self._owner
        if said.outcome is RunOutcome.DONE:
            # Whoever made it: it is made.
            if self.done is None or said.day >= self.done.day:
                self.done, self.failed, self.error = said, 0, ""
        elif not own:
            return
        elif said.outcome is RunOutcome.FAILED:
            self.failed, self.error = self.failed + 1, said.error
            self._not_before_ms = at_ms + PAUSE_MS
        else:
            self._attempts = max(0, self._attempts - 1)
            self._not_before_ms = at_ms
        if own:
            self._owner = ""
