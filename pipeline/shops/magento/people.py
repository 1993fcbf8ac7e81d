"""Names and phones, which orders, customers and addresses write alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.shops.lenient import decoration, plain
from pipeline.shops.orders import given_name
from pipeline.shops.values import text


def names(block: Mapping[str, Any], prefix: str, notes: list[str]) -> tuple[str | None, str | None]:
    """First name with the middle name, and last name, from `{prefix}firstname` and so on."""
    first, middle, last = (plain(block, f"{prefix}{part}name", notes) for part in ("first", "middle", "last"))
    return given_name(first, middle), last


def phones(addresses: Iterable[Mapping[str, Any]], notes: list[str]) -> tuple[tuple[str, str | None], ...]:
    """The addresses' phones, each with its country."""
    found = []
    for address in addresses:
        number = decoration(address, "telephone", notes, 60)
        if number is not None:
            country = text(address.get("country_id"), 2)
            found.append((number, country.upper() if country else None))
    return tuple(found)
