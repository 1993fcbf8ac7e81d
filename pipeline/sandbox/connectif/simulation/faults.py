"""Fault injection: rules that match calls, each with one effect."""

from __future__ import annotations

import fnmatch
import itertools
import random
import re
from collections.abc import Iterable
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

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
    "export_error",
    "expired_url",
    "headers",
    "page",
    "reply",
    "echo",
    "huge_body",
    "bomb",
]
#: Effects whose answer has a `status` of the rule's and a body.
_ANSWERING = ("error", "page", "reply", "echo", "huge_body", "bomb")
#: Statuses that HTTP gives no body.
_BODILESS = (204, 205, 304)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,16000}")
#: What says where the body ends: with another value the connection is of no use.
_FRAMING = ("content-length", "transfer-encoding")
MAX_SIZE = 2_000_000_000


class FaultRule(BaseModel):
    """Which calls go wrong, and how.

    A rule is for calls that have a known key and are within the limit. It lets `after` of those it matches
    pass, then applies with `probability`, at most `count` times and for `seconds_active` seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    effect: Effect = Field(
        description="timeout: hang, nothing stored; timeout_after_store: carry out, then hang; reset and "
        "close_after_store: the same, but the connection breaks at once; error: an HttpError of `status`; "
        "bad_gateway: 502 in HTML; no_server: 404 in HTML; slow: `seconds` late; import_*: what becomes of "
        "the import created (stuck: queued until the rule is gone); export_error: the export created fails; "
        "expired_url: links to files are past their end; headers: carry out, answer with `headers`; in "
        "Connectif's place answer page: HTML of `status`, reply: `status`, `content_type` and `body`, echo: "
        "an HttpError of `status` that repeats the request, huge_body and bomb: one of `size` bytes, plain "
        "or packed by gzip"
    )
    account: str | None = Field(None, description="none: every account")
    method: str | None = Field(None, description="none: every method")
    route: str | None = Field(
        None, description="template as the ledger shows it, `*` for any text: /purchases/*; none: every route"
    )
    after: int = Field(0, ge=0, description="matching calls let pass first")
    probability: float = Field(1.0, ge=0, le=1)
    count: int | None = Field(None, ge=1, description="times it applies, then it rests; none: without end")
    seconds_active: float | None = Field(
        None, gt=0, description="from the first time it applies; none: for ever"
    )
    status: int = Field(
        500,
        ge=200,
        le=599,
        description="of `error` (400 on), `page`, `reply`, `echo`, `huge_body` and `bomb`",
    )
    detail: str = Field("Something unexpected happened.", description="of effect `error`")
    seconds: float = Field(
        120.0, ge=0, description="clock seconds of a hang (then the connection breaks) or of slowness"
    )
    rows: int = Field(
        0, ge=0, description="rows an `import_error` carries out, an `export_error` gets to, before it fails"
    )
    headers: dict[str, str] = Field(
        default_factory=dict,
        max_length=50,
        description="of the answer, whatever the effect, in place of those of the same name",
    )
    carried_out: bool = Field(
        False, description="what answers in Connectif's place does so once the call was carried out"
    )
    content_type: str = Field("application/json", description="of effect `reply`")
    body: str = Field('{"message": "no healthy upstream"}', description="of effect `reply`")
    size: int = Field(
        50_000_000, ge=200, le=MAX_SIZE, description="bytes of a `huge_body`, of a `bomb` once unpacked"
    )

    @property
    def sent_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The rule's headers as they are sent."""
        return tuple((name.encode(), value.encode("latin-1")) for name, value in self.headers.items())

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or name.lower() in _FRAMING:
                raise ValueError(f"header {name!r} cannot be sent")
        return headers

    @field_validator("content_type")
    @classmethod
    def _is_a_header(cls, content_type: str) -> str:
        if not _VALUE.fullmatch(content_type):
            raise ValueError("the content type cannot be sent")
        return content_type

    @model_validator(mode="after")
    def _has_a_status_it_can_answer(self) -> Self:
        lowest = 400 if self.effect == "error" else 200
        if self.effect in _ANSWERING and (self.status < lowest or self.status in _BODILESS):
            raise ValueError(f"{self.effect} cannot answer {self.status}")
        return self


class _ActiveRule:
    def __init__(self, number: int, rule: FaultRule) -> None:
        self.number = number
        self.rule = rule
        self.seen = 0
        self.injected = 0
        self.until: float | None = None

    def matches(self, account: str, method: str, route: str) -> bool:
        rule = self.rule
        return (
            rule.account in (None, account)
            and rule.method in (None, method)
            and (rule.route is None or fnmatch.fnmatchcase(route, rule.route))
        )

    def applies_at(self, now: float, rng: random.Random) -> bool:
        self.seen += 1
        if self.seen <= self.rule.after or self.injected == self.rule.count:
            return False
        if self.until is not None and now >= self.until:
            return False
        if rng.random() >= self.rule.probability:
            return False
        self.injected += 1
        if self.until is None and self.rule.seconds_active is not None:
            self.until = now + self.rule.seconds_active
        return True


class InjectedFault:
    """The fault that a rule injects into one call. `number` names the rule while it is in force."""

    __slots__ = ("number", "rule")

    def __init__(self, number: int, rule: FaultRule) -> None:
        self.number = number
        self.rule = rule


class FaultInjector:
    """The rules in force, in the order they came; the first that applies to a call decides."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._numbers = itertools.count(1)
        self._active: list[_ActiveRule] = []

    def add(self, rules: Iterable[FaultRule]) -> None:
        """Put rules in force."""
        self._active += [_ActiveRule(next(self._numbers), rule) for rule in rules]

    def clear(self, number: int | None = None) -> None:
        """Remove one rule, or all; imports it held continue."""
        self._active = [active for active in self._active if number not in (None, active.number)]

    def in_force(self, number: int) -> bool:
        """Whether the rule is still there."""
        return any(active.number == number for active in self._active)

    def choose(self, account: str, method: str, route: str, now: float) -> InjectedFault | None:
        """What goes wrong with this call, if anything."""
        for active in self._active:
            if active.matches(account, method, route) and active.applies_at(now, self._rng):
                return InjectedFault(active.number, active.rule)
        return None

    def report(self) -> list[dict[str, object]]:
        """The rules, each with the calls it matched and the faults it injected."""
        return [
            {
                "id": active.number,
                "seen": active.seen,
                "strikes": active.injected,
                **active.rule.model_dump(exclude_defaults=True),
            }
            for active in self._active
        ]
