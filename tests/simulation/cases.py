"""Cases: what real shops sent, and what Connectif must hold because of it. One folder each in tests/cases.

A folder holds `events.json` (a list, in the order of arrival) or `input.json` (one event), `expected.md` with
a block of JSON, and `settings.json` where the store differs from a plain one or Connectif holds something
already. What no field below names is an error, so that a case is never half understood.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

FOLDER = Path(__file__).parent.parent / "cases"
_JSON = re.compile(r"^```json\n(.*?)^```", re.DOTALL | re.MULTILINE)

#: Fields by their name; `None` in place of them: the element must not exist. A text that begins with `!` is
#: what the field must not be.
Named = dict[str, dict[str, Any] | None]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sign(_Part):
    """How an event is signed.

    Attributes:
        secret: which of the secrets signs it.
        before: signatures that stand before the right one, where the platform sends several.
        seconds: what the time that is signed differs by from the present.
    """

    secret: str
    before: list[str] = Field(default_factory=list)
    seconds: float = 0.0


class Fetched(_Part):
    """What the shop's API answers to one request; a second of the same path is its next answer."""

    request: str
    status: int = 200
    body: Any = None


class Event(_Part):
    """One delivery. A `body` that is a text is sent as it stands, all else as JSON.

    A `notification` is the body of a delivery that only names what happened, `fetched` what the shop's API
    answers when it is asked about it.
    """

    topic: str
    received: datetime
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    notification: Any = None
    fetched: list[Fetched] = Field(default_factory=list)
    sign: Sign | None = None

    @property
    def raw(self) -> bytes:
        """The body as PHP and Ruby write it: without spaces, and beyond ASCII escaped."""
        said = self.body if self.notification is None else self.notification
        if isinstance(said, str):
            return said.encode()
        return json.dumps(said, separators=(",", ":")).encode()


class Held(_Part):
    """What Connectif holds before the first event: contacts by address, products by id."""

    contacts: dict[str, dict[str, Any]] = Field(default_factory=dict)
    products: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Given(_Part):
    """Settings that differ from the plain store's: `secrets` by a name events are signed with."""

    account: dict[str, Any] = Field(default_factory=dict)
    store: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=lambda: {"only": "the store's own secret"})
    connectif: Held = Held()


class Expected(_Part):
    """What must come out. What is left out is not compared.

    Attributes:
        purchases: all that exist at the end.
        contacts: of these, what is named.
        products: the same.
        outcomes: of each event: one, any of a list, or (None) any at all.
        answers: the status of the gateway's answer to each event, in the same way.
        lines: by purchase and product id: of all its lines, what is named.
        line_names: names of the lines of all purchases, in any order.
        uses: what is recorded of coupon codes, in its order: the code, and whether it is used.
        readme_names: what step 3 of the README's set-up must name.
    """

    purchases: dict[str, dict[str, Any]] | None = None
    contacts: Named = Field(default_factory=dict)
    products: Named = Field(default_factory=dict)
    outcomes: list[str | list[str] | None] | None = None
    answers: list[int | list[int] | None] | None = None
    lines: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    line_names: list[str] | None = None
    uses: list[tuple[str, bool]] | None = None
    readme_names: list[str] = Field(default_factory=list)


class Case(_Part):
    """One folder."""

    platform: str
    name: str
    events: list[Event] = Field(min_length=1)
    given: Given
    expected: Expected


def folders(root: Path = FOLDER) -> Iterator[Path]:
    """The folder of every case, by platform and name."""
    return (path.parent for path in sorted(root.glob("*/*/expected.md")))


def read(folder: Path) -> Case:
    """Read one case.

    Raises:
        ValueError: naming what is missing, or what key nobody knows.
    """
    found = _JSON.search((folder / "expected.md").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{folder}: expected.md has no block of JSON")
    single, several = folder / "input.json", folder / "events.json"
    events = json.loads(several.read_bytes()) if several.exists() else [json.loads(single.read_bytes())]
    differs = folder / "settings.json"
    case = Case(
        platform=folder.parent.name,
        name=folder.name,
        events=events,
        given=json.loads(differs.read_bytes()) if differs.exists() else Given(),
        expected=json.loads(found.group(1)),
    )
    for counted in (case.expected.outcomes, case.expected.answers):
        if counted is not None and len(counted) != len(case.events):
            raise ValueError(f"{folder}: {len(counted)} outcomes or answers of {len(case.events)} events")
    return case


def differences(expected: Named, held: dict[str, dict[str, Any]], kind: str) -> Iterator[str]:
    """What of the named elements is not as it must be."""
    for key, fields in expected.items():
        has = held.get(key)
        if fields is None:
            if has is not None:
                yield f"{kind} {key} exists"
        elif has is None and any(not _is_not(wanted) for wanted in fields.values()):
            yield f"{kind} {key} is missing"
        else:
            yield from _fields(fields, has or {}, f"{kind} {key}")


def _fields(expected: dict[str, Any], has: dict[str, Any], what: str) -> Iterator[str]:
    for name, wanted in expected.items():
        value = has.get(name)
        if _is_not(wanted):
            if value == wanted[1:]:
                yield f"{what}: {name} is {value!r}"
        elif value != wanted:
            yield f"{what}: {name} is {value!r}, not {wanted!r}"


def _is_not(wanted: object) -> bool:
    return isinstance(wanted, str) and wanted.startswith("!")


def unlike(expected: list[Any], seen: list[Any], what: str) -> Iterator[str]:
    """Which of the outcomes or answers are none of those expected."""
    for number, (wanted, value) in enumerate(zip(expected, seen, strict=True), 1):
        allowed: Iterable[Any] = wanted if isinstance(wanted, list) else [wanted]
        if wanted is not None and value not in allowed:
            yield f"{what} of event {number} is {value!r}, not {wanted!r}"
