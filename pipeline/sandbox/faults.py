"""What goes wrong on purpose: rules that match calls, each with one effect."""

from __future__ import annotations

import fnmatch
import itertools
import random
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Effect = Literal[
    "timeout",
    "timeout_after_store",
    "reset",
    "close_after_store",
    "error",
    "bad_gateway",
    "no_server",
    "too_many_requests",
    "unauthorised",
    "forbidden",
    "slow",
    "import_stuck",
    "import_error",
    "import_cancelled",
    "expired_url",
]


class FaultRule(BaseModel):
    """Which calls go wrong, and how.

    A rule looks at calls that carry a known key and are within the limit. It lets `after` of those it matches
    pass, then strikes with `probability`, at most `count` times and for `seconds_active` seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    effect: Effect = Field(
        description="timeout: hang, nothing stored; timeout_after_store: carry out, then hang; reset and "
        "close_after_store: the same, but the connection breaks at once; error: an HttpError of `status`; "
        "bad_gateway: 502 in HTML; no_server: 404 in HTML; slow: `seconds` late; import_*: what becomes of "
        "the import created (stuck: queued until the rule is gone); expired_url: links to files are past "
        "their end"
    )
    account: str | None = Field(None, description="none: every account")
    method: str | None = Field(None, description="none: every method")
    route: str | None = Field(
        None, description="template as the ledger shows it, `*` for any text: /purchases/*; none: every route"
    )
    after: int = Field(0, ge=0, description="matching calls let pass first")
    probability: float = Field(1.0, ge=0, le=1)
    count: int | None = Field(None, ge=1, description="strikes, then it rests; none: without end")
    seconds_active: float | None = Field(None, gt=0, description="from its first strike on; none: for ever")
    status: int = Field(500, ge=400, le=599, description="of effect `error`")
    detail: str = Field("Something unexpected happened.", description="of effect `error`")
    seconds: float = Field(
        120.0, ge=0, description="clock seconds of a hang (then the connection breaks) or of slowness"
    )
    rows: int = Field(0, ge=0, description="rows an `import_error` carries out before it fails")


class _Armed:
    def __init__(self, number: int, rule: FaultRule) -> None:
        self.number = number
        self.rule = rule
        self.seen = 0
        self.strikes = 0
        self.until: float | None = None

    def matches(self, account: str, method: str, route: str) -> bool:
        rule = self.rule
        return (
            rule.account in (None, account)
            and rule.method in (None, method)
            and (rule.route is None or fnmatch.fnmatchcase(route, rule.route))
        )

    def strikes_at(self, now: float, chance: random.Random) -> bool:
        self.seen += 1
        if self.seen <= self.rule.after or self.strikes == self.rule.count:
            return False
        if self.until is not None and now >= self.until:
            return False
        if chance.random() >= self.rule.probability:
            return False
        self.strikes += 1
        if self.until is None and self.rule.seconds_active is not None:
            self.until = now + self.rule.seconds_active
        return True


class Strike:
    """A rule that hit a call. `number` names the rule while it is in force."""

    __slots__ = ("number", "rule")

    def __init__(self, number: int, rule: FaultRule) -> None:
        self.number = number
        self.rule = rule


class Faults:
    """The rules in force, in the order they came; the first that strikes a call decides."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._numbers = itertools.count(1)
        self._armed: list[_Armed] = []

    def add(self, rules: Iterable[FaultRule]) -> None:
        """Put rules in force."""
        self._armed += [_Armed(next(self._numbers), rule) for rule in rules]

    def clear(self, number: int | None = None) -> None:
        """Take one rule, or all, out of force; imports it held go on."""
        self._armed = [armed for armed in self._armed if number not in (None, armed.number)]

    def in_force(self, number: int) -> bool:
        """Whether the rule is still there."""
        return any(armed.number == number for armed in self._armed)

    def strike(self, account: str, method: str, route: str, now: float) -> Strike | None:
        """What goes wrong with this call, if anything."""
        for armed in self._armed:
            if armed.matches(account, method, route) and armed.strikes_at(now, self._chance):
                return Strike(armed.number, armed.rule)
        return None

    def report(self) -> list[dict[str, object]]:
        """The rules with what they saw and struck."""
        return [
            {
                "id": armed.number,
                "seen": armed.seen,
                "strikes": armed.strikes,
                **armed.rule.model_dump(exclude_defaults=True),
            }
            for armed in self._armed
        ]
