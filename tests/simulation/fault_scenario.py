"""A fault scenario, planned from a seed before it begins: it can be repeated with parts left out."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pipeline.sandbox.connectif.simulation.faults import FaultRule
from tests.simulation.shop_actions import ShopAction, ShopActions

ACTIONS = 120
IMPORTS: Mapping[str, Any] = {"method": "POST", "route": "/imports*"}
FAULTS = (
    FaultRule(effect="timeout_after_store", probability=0.03, seconds=60.0),
    FaultRule(effect="timeout", probability=0.02, seconds=60.0),
    FaultRule(effect="close_after_store", probability=0.03),
    FaultRule(effect="reset", probability=0.02),
    FaultRule(effect="error", probability=0.03),
    FaultRule(effect="bad_gateway", probability=0.02),
    FaultRule(effect="too_many_requests", probability=0.01),
    FaultRule(effect="slow", probability=0.05, seconds=3.0),
    FaultRule(effect="slow", probability=0.05, seconds=15.0),
    FaultRule(effect="timeout_after_store", probability=0.2, seconds=60.0, **IMPORTS),
    FaultRule(effect="import_error", probability=0.2, rows=5, **IMPORTS),
    FaultRule(effect="import_cancelled", probability=0.1, **IMPORTS),
)
#: Seconds within which `subscribed` is sent without a question.
FRESH = (0.0, 5.0, 5.0, 600.0)
#: Unknown points of the API: any of these may be how it is.
READINGS: Mapping[str, Sequence[Any]] = {
    "window": ("fixed", "sliding"),
    "window_start": ("first_call", "aligned"),
    "rate_headers": ("x", "plain", "none"),
    "rate_header_case": ("canonical", "lower"),
    "reset_fraction": (False, True),
    "retry_after": (False, True),
    "refused_calls_count": (False, True),
    "limited_body": ("text", "empty", "json"),
    "error_report": ("full", "row", "cells"),
    "delete_absent_status": (204, 404),
    "repetition_checked": ("first", "last"),
    "missing_products_listed": ("all", "first"),
    "import_parallel": (1, 4),
    "import_queue_seconds": (0.0, 2.0, 20.0),
    "import_empty_cell": ("keep", "clear"),
    "max_imports": (1, 10),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule in force from a moment on, in seconds from the beginning; `ends` None: until the last action."""

    rule: FaultRule
    at: float = 0.0
    ends: float | None = None


@dataclass(frozen=True, slots=True)
class Outage:
    """Kafka confirms nothing for so many seconds, from a moment on."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Turn:
    """A worker ends and another, or itself, begins.

    Attributes:
        steps: after so many messages and calls of the worker before it, or a minute.
        how: killed, stopped in order, or its partition taken away.
        worker: who goes on.
    """

    steps: int
    how: Literal["kill", "stop", "move"]
    worker: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens.

    Attributes:
        seed: of all chance that is left.
        switches: how Connectif is.
        actions: what the shop says, each with the seconds after the one before it.
        faults: what goes wrong.
        turns: what becomes of the workers.
        others: seconds between the calls of somebody else who shares the limit; 0: nobody does.
        outages: when Kafka confirms nothing.
    """

    seed: int
    switches: Mapping[str, Any]
    actions: tuple[tuple[float, ShopAction], ...]
    faults: tuple[Fault, ...] = ()
    turns: tuple[Turn, ...] = ()
    others: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    outages: tuple[Outage, ...] = ()

    def parts(self) -> list[object]:
        """Everything that may be left out."""
        others = [self.others] if self.others else []
        return [*self.turns, *self.faults, *self.outages, *self.actions, *others]

    def only(self, kept: Sequence[int]) -> Plan:
        """The plan with these parts, by their places in `parts`; the waits of actions left out are kept."""
        places = set(kept)
        numbers = itertools.count()
        turns = tuple(turn for turn in self.turns if next(numbers) in places)
        faults = tuple(fault for fault in self.faults if next(numbers) in places)
        outages = tuple(outage for outage in self.outages if next(numbers) in places)
        actions, waited = [], 0.0
        for pause, action in self.actions:
            waited += pause
            if next(numbers) in places:
                actions.append((waited, action))
                waited = 0.0
        others = self.others if next(numbers) in places else 0.0
        return replace(
            self, turns=turns, faults=faults, outages=outages, actions=tuple(actions), others=others
        )


def plan_of(seed: int) -> Plan:
    """The scenario of a seed: most have some of everything that can go wrong, and a few nothing of it."""
    chance = random.Random(seed)  # noqa: S311 - repeatable chance is the point
    switches = {name: chance.choice(values) for name, values in READINGS.items()}
    backfill, withdrawals = chance.choice((0.0, 0.0, 0.3, 0.7)), chance.choice((False, True, True))
    actions = ShopActions(chance, backfill=backfill, withdrawals=withdrawals)
    every = chance.choice((0.1, 0.5, 1.0, 1.0))
    return Plan(
        seed=seed,
        switches=switches,
        actions=tuple((chance.expovariate(1 / every), actions.next()) for _ in range(ACTIONS)),
        faults=tuple(_faults(chance)),
        turns=tuple(_turns(chance)),
        others=chance.choice((0.0, 0.0, 1.5, 3.0)),
        settings={
            "import_poll": chance.choice((2.0, 5.0)),
            "retry_max": 20.0,
            "consent_fresh": chance.choice(FRESH),
        },
        outages=tuple(_outages(chance)),
    )


def _faults(chance: random.Random) -> Iterator[Fault]:
    if chance.random() < 0.3:
        begins = chance.uniform(0, 60)
        rule = FaultRule(effect="import_stuck", count=chance.randint(1, 3), **IMPORTS)
        yield Fault(rule, begins, begins + chance.uniform(20, 400))
    if chance.random() < 0.7:
        yield from (Fault(rule) for rule in chance.sample(FAULTS, chance.randint(1, len(FAULTS))))


def _outages(chance: random.Random) -> Iterator[Outage]:
    for _ in range(chance.choice((0, 0, 1, 3))):
        yield Outage(chance.uniform(0, 120), chance.uniform(0.1, 30))


def _turns(chance: random.Random) -> Iterator[Turn]:
    worker, names = "w1", ("w1", "w1", chance.choice(("w1", "w2")))
    for _ in range(chance.choice((0, 1, 2, 4, 6))):
        before, worker = worker, chance.choice(names)
        hows: Sequence[Literal["kill", "stop", "move"]] = ("kill", "kill", "kill", "stop")
        how = chance.choice(hows)
        yield Turn(chance.randint(1, 1_500), "move" if how == "stop" and worker != before else how, worker)
