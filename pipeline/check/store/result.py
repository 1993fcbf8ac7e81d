"""What a check came to, step by step. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Outcome(enum.StrEnum):
    """What came of a step."""

    OK = "ok"
    WARNING = "warning"  # it works, and deserves a look
    FAULT = "fault"  # it does not work as it is
    BY_HAND = "by hand"  # no program can tell; a person looks
    SKIPPED = "skipped"  # it could not be tried, and why


class Step(NamedTuple):
    """One step.

    Attributes:
        name: what was looked at.
        outcome: see there.
        said: what was found; by hand: what to look for.
        todo: what to do about it; "" where nothing.
    """

    name: str
    outcome: Outcome
    said: str
    todo: str = ""


def ok(name: str, said: str) -> Step:
    """A step without a complaint."""
    return Step(name, Outcome.OK, said)


def fault(name: str, said: str, todo: str) -> Step:
    """A step that found a fault."""
    return Step(name, Outcome.FAULT, said, todo)


def warning(name: str, said: str, todo: str) -> Step:
    """A step that found something worth a look."""
    return Step(name, Outcome.WARNING, said, todo)


def by_hand(name: str, said: str) -> Step:
    """A step for a person."""
    return Step(name, Outcome.BY_HAND, said)


def skipped(name: str, said: str, todo: str = "") -> Step:
    """A step that could not be tried."""
    return Step(name, Outcome.SKIPPED, said, todo)


@dataclass(slots=True)
class StoreReport:
    """All steps of one store.

    Attributes:
        store: its name.
        platform: what it runs on.
        steps: in their order.
        seconds: how long it took.
        calls: of Connectif's limit, by account.
    """

    store: str
    platform: str
    steps: list[Step] = field(default_factory=list)
    seconds: float = 0.0
    calls: dict[str, int] = field(default_factory=dict)

    def add(self, steps: Iterable[Step]) -> bool:
        """Add steps; whether none of them is a fault, and some were tried."""
        added = list(steps)
        self.steps += added
        return bool(added) and all(step.outcome in {Outcome.OK, Outcome.WARNING} for step in added)

    @property
    def faults(self) -> int:
        """How many steps found one."""
        return sum(step.outcome is Outcome.FAULT for step in self.steps)

    def tree(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "store": self.store,
            "platform": self.platform,
            "faults": self.faults,
            "seconds": round(self.seconds, 1),
            "connectif_calls": self.calls,
            "steps": [{**step._asdict(), "outcome": str(step.outcome)} for step in self.steps],
        }
