"""How PrestaShop's webservice writes: wrapped documents, lists in several forms, languages, local times."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.events import RawEvent
from pipeline.shops.api import FOUND, Document, Documents
from pipeline.shops.base import Rejected
from pipeline.shops.catalogue import plain_name
from pipeline.shops.php import NOTHING, entries, identifier, is_no_date
from pipeline.shops.values import epoch_ms, instant, text

#: What XML has around a document.
_ROOT = "prestashop"


def one_of(document: Document | None, name: str) -> dict[str, Any] | None:
    """A document out of its wrapping (`{"order": {...}}`, or a list of one); None where there is none."""
    body = _body_of(document)
    inner = body.get(name)
    if isinstance(inner, dict):
        return inner
    listed = rows(next((body[several] for several in _plurals(name) if several in body), None), name)
    return listed[0] if len(listed) == 1 else None


def _plurals(name: str) -> tuple[str, ...]:
    return (f"{name}s", f"{name}es", f"{name.removesuffix('y')}ies")


def list_of(document: Document | None, name: str) -> list[dict[str, Any]]:
    """The rows of a list (`{"order_slips": [...]}`); an empty one is `[]` without its name."""
    return rows(_body_of(document).get(name), name.removesuffix("s"))


def _body_of(document: Document | None) -> Mapping[str, Any]:
    """What a document says, without XML's root, which some converters keep."""
    body = None if document is None or document.status != FOUND else document.body
    inner = body.get(_ROOT) if isinstance(body, dict) else None
    found = body if inner is None else inner
    return found if isinstance(found, dict) else {}


def rows(value: object, name: str) -> list[dict[str, Any]]:
    """The objects of a list in any form: a list, one object, or `{name: ...}` as converters of XML do."""
    if isinstance(value, dict) and name in value:
        value = value[name]
    if isinstance(value, dict) and not all(isinstance(one, dict) for one in value.values()):
        return [value]
    return [one for one in entries(value) or () if isinstance(one, dict)]


def path_at(documents: Documents, beginning: str) -> Document | None:
    """The answer to the path that begins so, up to its query."""
    return next((one for path, one in documents.items() if path.partition("?")[0] == beginning), None)


def own_id(body: Mapping[str, Any]) -> str:
    """The id of what a document describes.

    Raises:
        Rejected: `missing_field`, `invalid_id`.
    """
    found = identifier(body.get("id"), "id")
    if found is None:
        raise Rejected("missing_field", "id", "the document does not say which it is")
    return found


def flag(value: object) -> bool | None:
    """A boolean in any of PHP's forms; None for what is none."""
    if isinstance(value, bool):
        return value
    if value is None or value == "":
        return None
    if isinstance(value, int | str) and re.fullmatch(r"\s*(?:0|1|true|false)\s*", str(value), re.IGNORECASE):
        return str(value).strip().lower() in {"1", "true"}
    return None


def moment(body: Mapping[str, Any], name: str, zone: str, notes: list[str]) -> datetime | None:
    """When, by the shop's local time; None for PrestaShop's date of nothing.

    Raises:
        Rejected: `invalid_date`.
    """
    value = body.get(name)
    if is_no_date(value):
        return None
    return instant(value, name, zone, notes)


def version_of(body: Mapping[str, Any], event: RawEvent, zone: str, notes: list[str]) -> int:
    """The entity's clock in epoch ms: when it was last changed, else made, else when it arrived.

    In the hour that exists twice it is the later moment, unless the document was read before that: so what is
    read later is never older, and a cancellation in the second such hour counts.

    Raises:
        Rejected: `invalid_date`.
    """
    for name in ("date_upd", "date_add"):
        unclear: list[str] = []
        found = moment(body, name, zone, unclear)
        if found is None:
            continue
        later = epoch_ms(_later(found, zone)) if unclear else 0
        return later if unclear and later <= event.received_ms else epoch_ms(found)
    notes.append("version_from_arrival")
    return event.received_ms


def _later(earlier: datetime, zone: str) -> datetime:
    """The second moment at which the clocks show the same time; the same one where they never show it."""
    around = (earlier + timedelta(days=days) for days in (-1, 1))
    before, after = (moment.astimezone(ZoneInfo(zone)).utcoffset() or timedelta() for moment in around)
    return earlier + max(before - after, timedelta())


def in_language(value: object, languages: Sequence[str]) -> object:
    """The text of a field in the first of some languages that it has, else the first that there is.

    Lists of `{"id", "value"}`, objects by the language's id, and plain texts of shops with one language.
    """
    if isinstance(value, dict) and "language" in value:
        value = value["language"]
    if not isinstance(value, dict | list):
        return value
    found = list(_languages(value))
    own = (said for language in languages for number, said in found if number == language and said)
    return next(own, None) or next((said for _, said in found if said), None)


def languages_in(value: object) -> list[str]:
    """The ids of the languages a field has a text in; none where it is a plain one."""
    if isinstance(value, dict) and "language" in value:
        value = value["language"]
    return [number for number, said in _languages(value) if said] if isinstance(value, dict | list) else []


def _languages(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and "value" not in value:
        for number, said in value.items():
            if isinstance(said, str):
                yield str(number), said
        return
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict) and isinstance(one.get("value"), str):
            attributes = one.get("@attributes", one.get("attrs"))
            own = attributes.get("id") if isinstance(attributes, dict) else one.get("id")
            yield str(own), one["value"]


def name_of(value: object, field: str, notes: list[str], limit: int = 2_000) -> str | None:
    """A name without its markup and escapes; noted where tags were taken out, and where it is no text."""
    if value not in NOTHING and not isinstance(value, str):
        notes.append(f"{field}_unreadable")
        return None
    found = text(value, 4_000)
    if found is None:
        return None
    name, marked_up = plain_name(found)
    if marked_up:
        notes.append("markup_removed")
    return name[:limit] if name else None
