"""What a worker's pages have at least; one of another form comes from a worker of another release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.records import RecordKind

_Count = Annotated[int, Field(ge=0, lt=2**63)]


class _Page(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", frozen=True)


class _Emitted(_Page):
    account: str
    kind: RecordKind
    id: str


class EntityPage(_Page):
    """`/state/entity`: what translate remembers."""

    known: bool
    held: str
    next_offset: _Count
    deliveries: list[Any]
    emitted: list[_Emitted]
    emitted_in_all: _Count


class _Source(_Page):
    topic: str
    offset: int


class _Version(_Page):
    place: str
    offset: _Count
    lane: str
    source: _Source
    owner: str = ""
    accepted_ms: _Count = 0


class _LastSent(_Page):
    version: _Count | None
    fingerprint: str | None
    owner: str = ""


class RecordPage(_Page):
    """`/state/record`: what deliver has."""

    account: str
    kind: RecordKind
    id: str
    pending: bool
    why: str
    versions: list[_Version]
    last_sent: _LastSent | None


def wrong(found: Mapping[str, Any], page: type[_Page]) -> str:
    """What a page lacks of its form, by its first field; empty where nothing."""
    try:
        page.model_validate_json(orjson.dumps(found))
    except ValidationError as error:
        return ".".join(map(str, error.errors()[0]["loc"])) or "its form"
    except TypeError:
        return "its form"
    return ""
