"""What lists of shops do that nobody expects, and how they are asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl

RowT = TypeVar("RowT")


class Quirks(NamedTuple):
    """How a shop's lists differ from what they should be.

    Attributes:
        total: what is said instead of the number of rows.
        repeats_last: whether the last page comes again behind it.
        shortest: rows of the longest page that is given, whatever is asked for; None: as asked.
    """

    total: int | None = None
    repeats_last: bool = False
    shortest: int | None = None


class ShopLists:
    """The lists of one shop, which may change between two pages.

    Attributes:
        orders: by their ids; so are the others.
        customers: see there.
        products: see there.
        quirks: what it does differently.
    """

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.customers: dict[str, dict[str, Any]] = {}
        self.products: dict[str, dict[str, Any]] = {}
        self.quirks = Quirks()

    def hold(self, name: str, rows: Sequence[dict[str, Any]], gone: Sequence[str] = ()) -> None:
        """List rows, each in place of the one with its id, and some no more."""
        table: dict[str, dict[str, Any]] = getattr(self, name)
        table.update({str(row.get("entity_id") or row["id"]): row for row in rows})
        for row_id in gone:
            table.pop(row_id, None)


def asked(path: str) -> tuple[str, dict[str, str]]:
    """The path without its query, and what the query says."""
    place, _, query = path.partition("?")
    return place, dict(parse_qsl(query, keep_blank_values=True))


def cut(rows: list[RowT], begin: int, size: int, quirks: Quirks) -> list[RowT]:
    """The rows of one page, from a place on."""
    size = size if quirks.shortest is None else min(size, quirks.shortest)
    if quirks.repeats_last and rows and begin >= len(rows):
        begin = (len(rows) - 1) // size * size
    return rows[begin : begin + size]
