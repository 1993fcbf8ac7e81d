"""A person as Shopify's bodies describe one: names, phones, and whether there is anybody left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.shops.lenient import part
from pipeline.shops.shopify.fields import readable
from pipeline.shops.values import email_text

_MAX_NAME = 2_000
#: Shopify erases a person ten days after the request at the earliest.
_ERASURE_MS = 10 * 86_400_000
_NOBODYS = ".invalid"
_FACE = ("email", "first_name", "last_name", "phone")


def names(notes: list[str], *sources: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """First and last name of the first source that has either; "Guest" is no first name.

    A half is taken from the next source that has both, where the other half is the same there.
    """
    half: tuple[str | None, str | None] = (None, None)
    for source in sources:
        first = readable(source, "first_name", _MAX_NAME, notes)
        last = readable(source, "last_name", _MAX_NAME, notes)
        if first is not None and first.casefold() == "guest":
            notes.append("guest_name")
            first = None
        if not first and not last:
            continue
        if half == (None, None):
            half = first, last
        elif _same_name(half, first, last):
            return half[0] or first, half[1] or last
        if all(half):
            break
    return half


def _same_name(half: tuple[str | None, str | None], first: str | None, last: str | None) -> bool:
    """Whether both names say the half that is known."""
    if not first or not last:
        return False
    known, same = (half[0], first) if half[0] else (half[1], last)
    return known is not None and known.casefold() == same.casefold()


def phones(
    notes: list[str], customer: Mapping[str, Any], *homes: Mapping[str, Any]
) -> tuple[tuple[str, str | None], ...]:
    """The customer's number, then those of the addresses given; best first.

    The customer's own is read with the country of the first address that has one.
    """
    own = readable(customer, "phone", _MAX_NAME, notes)
    found = []
    if own is not None:
        found.append((own, next(filter(None, map(_country, homes)), None)))
    for home in homes:
        number = readable(home, "phone", _MAX_NAME, notes)
        if number is not None:
            found.append((number, _country(home)))
    return tuple(found)


def _country(address: Mapping[str, Any]) -> str | None:
    code = address.get("country_code")
    return code.upper() if isinstance(code, str) and len(code) == len("ES") else None


def once(notes: list[str], more: tuple[str, ...]) -> tuple[str, ...]:
    """All notes, each once."""
    return tuple(dict.fromkeys((*notes, *more))) if notes else more


def email_of(notes: list[str], *said: object) -> str | None:
    """The first address there is, as the shop wrote it."""
    for value in said:
        found = email_text(value)
        if found is not None:
            return found
        if value and not isinstance(value, str):
            notes.append("email_unreadable")
    return None


def is_placeholder(email: str) -> bool:
    """Whether the address is under `.invalid`, which is reserved: no person has it."""
    return email[-len(_NOBODYS) :].lower() == _NOBODYS


def is_erased(customer: Mapping[str, Any], since_ms: int, now_ms: int) -> bool:
    """Whether the person was erased: neither address, name nor phone is left, which Shopify does not accept.

    An app without access to protected customer data sees the same of everybody. What is younger than an
    erasure takes (`since_ms` to `now_ms`, epoch ms) is that fault and no erasure.
    """
    faceless = all(field in customer and not customer[field] for field in _FACE)
    return faceless and customer.get("id") is not None and now_ms - since_ms >= _ERASURE_MS


def home_of(customer: Mapping[str, Any], notes: list[str]) -> Mapping[str, Any]:
    """The customer's default address."""
    return part(customer, "default_address", notes)
