"""What differs between two readings of the settings, and what of it a process that runs can take over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import BaseModel, SecretStr

from pipeline.config import Settings
from pipeline.config_values import UnreadSecret

#: What is made of these at the start stays for as long as something runs, with the reason.
_FIXED = {
    "data_dir": "what is kept in the old one would be left behind: stop everything, move it, and start again",
    "kafka": "clients and topics are made by it: stop everything, and start again",
}
#: Stands for a value that is secret.
HIDDEN = "***"
ABSENT = "-"
USED = "used"
LEFT_OUT = "left out, as it cannot be used"


class Change(NamedTuple):
    """A setting that differs.

    Attributes:
        place: such as `stores.acme-es.tax`; a store or an account that is new or gone is one change.
        old, new: as shown to a person; secrets are hidden.
        refusal: why nothing that runs can take it over; empty where it can.
    """

    place: str
    old: str
    new: str
    refusal: str = ""


def changes(old: Settings, new: Settings) -> list[Change]:
    """Every setting that differs, in the order of the places."""
    before, after = dict(_flat(old)), dict(_flat(new))
    states, states_after = _tables(old), _tables(new)
    tables = {table for table in states | states_after if states.get(table) != states_after.get(table)}
    found = [Change(table, states.get(table, ABSENT), states_after.get(table, ABSENT)) for table in tables]
    for place in before.keys() | after.keys():
        if ".".join(place.split(".")[:2]) in tables or before.get(place) == after.get(place):
            continue
        refusal = _FIXED.get(place.partition(".")[0], "")
        found.append(Change(place, _shown(before, place), _shown(after, place), refusal))
    return sorted(found)


def _tables(settings: Settings) -> dict[str, str]:
    """The stores and accounts, and whether they can be used."""
    found = {f"stores.{name}": USED for name in settings.stores}
    found |= {f"accounts.{name}": USED for name in settings.accounts}
    return found | dict.fromkeys(settings.refused, LEFT_OUT)


def _flat(value: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Every setting by its place. A list is one setting, but for lists of tables."""
    match value:
        case BaseModel():
            for name in type(value).model_fields:
                yield from _flat(getattr(value, name), f"{place}.{name}".lstrip("."))
        case Mapping():
            for name, item in value.items():
                yield from _flat(item, f"{place}.{name}")
        case tuple() if any(isinstance(item, BaseModel) for item in value):
            for number, item in enumerate(value):
                yield from _flat(item, f"{place}.{number}")
        case _:
            yield place, value


def _shown(values: Mapping[str, object], place: str) -> str:
    value = values.get(place)
    if value is None:
        return ABSENT
    listed = value if isinstance(value, tuple) else (value,)
    if any(isinstance(item, UnreadSecret | SecretStr) for item in listed):
        return HIDDEN
    if isinstance(value, frozenset):
        return ", ".join(sorted(map(str, value)))
    return ", ".join(map(str, listed))
