"""How PrestaShop writes values: numbers as text, local times, texts by language, lists in several forms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.events import RawEvent
from pipeline.shops.base import Rejected
from pipeline.shops.php import NOTHING, entries
from pipeline.shops.prestashop.settings import ALL_SHOPS, PrestashopSettings
from pipeline.shops.values import epoch_ms, instant, money

_NO_DATE = "0000-00-00"
_TRUE, _FALSE = frozenset({"1", "true"}), frozenset({"0", "false", ""})
_ONE_KEY = 1
#: Longest list of texts by language that is read.
_MAX_LANGUAGES = 200


def flag(value: object) -> bool | None:
    """Yes or no, which PrestaShop writes as `"1"`, `"0"`, `1`, `true` or `""`; None for what is neither."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | str):
        written = str(value).strip().casefold()
        return True if written in _TRUE else False if written in _FALSE else None
    return None


def moment(
    body: Mapping[str, Any], name: str, settings: PrestashopSettings, notes: list[str] | None = None
) -> datetime | None:
    """When, in UTC: PrestaShop writes the time of the shop's zone; None where it does not say.

    Raises:
        Rejected: `invalid_date`.
    """
    value = body.get(name)
    if value in NOTHING or (isinstance(value, str) and value.startswith(_NO_DATE)):
        return None
    return instant(value, name, settings.timezone, notes)


def version_of(
    body: Mapping[str, Any], event: RawEvent, settings: PrestashopSettings, notes: list[str]
) -> int:
    """The entity's clock in epoch ms: when it was last changed, else made, else when it was read.

    In the hour that exists twice it is the later moment, unless the document was read before that: so what is
    read later is never older, and a cancellation in the second such hour counts.

    Raises:
        Rejected: `invalid_date`.
    """
    for name in ("date_upd", "date_add"):
        unclear: list[str] = []
        found = moment(body, name, settings, unclear)
        if found is None:
            continue
        earlier = epoch_ms(found)
        if not unclear:
            return earlier
        later = epoch_ms(_later(found, settings.timezone))
        return later if later <= event.received_ms else earlier
    notes.append("version_from_arrival")
    return event.received_ms


def _later(earlier: datetime, timezone: str) -> datetime:
    """The other moment at which the clocks show the same time, or would if never set."""
    zone = ZoneInfo(timezone)
    before, after = (
        moment.astimezone(zone) for moment in (earlier - timedelta(days=1), earlier + timedelta(days=1))
    )
    difference = abs((before.utcoffset() or timedelta()) - (after.utcoffset() or timedelta()))
    return (earlier + difference).astimezone(UTC)


def amount(value: object, field: str) -> Decimal:
    """An amount; nothing is zero.

    Raises:
        Rejected: `invalid_money`.
    """
    return Decimal(0) if value in NOTHING else money(value, field)


def inner(value: object) -> object:
    """What an XML converter's list holds: `{"order_row": [...]}` is the list."""
    if isinstance(value, dict) and len(value) == _ONE_KEY:
        [only] = value.values()
        if isinstance(only, list):
            return only
    return value


def rows(parent: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects that the record rests on, in any of PHP's and XML's forms.

    Raises:
        Rejected: `invalid_field`.
    """
    found = entries(inner(parent.get(key)))
    kept = None if found is None else [one for one in found if one not in NOTHING]
    if kept is None or not all(isinstance(one, dict) for one in kept):
        raise Rejected("invalid_field", key, "no list of objects")
    return kept


def listed(parent: object, key: str) -> list[dict[str, Any]]:
    """The objects of a list that the record does not rest on; what is none is left out."""
    if not isinstance(parent, Mapping):
        return []
    return [one for one in entries(inner(parent.get(key))) or () if isinstance(one, dict)]


def said_in(value: object, settings: PrestashopSettings) -> object:
    """A text that may be written by language: in the store's own, else in the first that has one.

    Shops with one language write the text itself, others `[{"id": "1", "value": ...}]`, and some modules
    `{"1": ...}`.
    """
    if not isinstance(value, dict | list):
        return value
    by_language = _by_language(value)
    preferred = [by_language.get(number) for number in settings.languages]
    return next((said for said in (*preferred, *by_language.values()) if said not in NOTHING), None)


def _by_language(value: dict[str, Any] | list[Any]) -> dict[str, object]:
    given = value.get("language", value) if isinstance(value, dict) else value
    if isinstance(given, dict) and given and all(key.isdigit() for key in given):
        return dict(list(given.items())[:_MAX_LANGUAGES])
    found: dict[str, object] = {}
    for one in (entries(given) or ())[:_MAX_LANGUAGES]:
        if not isinstance(one, dict):
            continue
        attributes = one.get("@attributes", one.get("attrs"))
        number = one.get("id", attributes.get("id") if isinstance(attributes, dict) else None)
        said = one.get("value", one.get("#text"))
        found.setdefault(str(number)[:20], said if isinstance(said, str) else None)
    return found


def is_of_other_shop(shop: str | None, settings: PrestashopSettings) -> bool:
    """Whether a shop of the installation is not this store's; where none is named, it is not known to be."""
    return settings.shop_id not in {None, ALL_SHOPS} and shop is not None and shop != settings.shop_id
