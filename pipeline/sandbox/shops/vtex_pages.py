"""VTEX's lists, as its documentation has them: orders by dates, clients by search and scroll, products.

Orders and clients are as the API names their fields; a product is the list of its articles' ids.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.sandbox.shops.feeds import Answer
from pipeline.sandbox.shops.quirks import Quirks, asked, cut

_ORDERS = "/api/oms/pvt/orders"
_SEARCH, _SCROLL = "/api/dataentities/CL/search", "/api/dataentities/CL/scroll"
_PRODUCTS = "/api/catalog_system/pvt/products/GetProductAndSkuIds"
_MAX_PAGES, _MAX_PER_PAGE, _MAX_FOUND, _MAX_PRODUCTS = 30, 100, 10_000, 250
_DATES = re.compile(r"(\w+):\[(\S+) TO (\S+)\]")
_WHERE = re.compile(r"(\w+) between (\S+) AND (\S+)")
_RESOURCES = re.compile(r"resources=(\d+)-(\d+)")
_REFUSED = Answer(status=400, body={"Message": "the request is not understood"})
_TOO_MANY_SCROLLS = Answer(status=400, body={"Message": "Maximum simultaneous scrolls rate exceeded (10)"})


class VtexLists:
    """The lists of one account, which may change between two pages.

    Attributes:
        orders: by their ids; what the list leaves out may be there.
        clients: by their ids.
        products: the ids of their articles by theirs.
        quirks: what it does differently.
        shows_too_long: whether it shows the first pages of a list that has more than 30.
        scrolls: that are open: what is left of each, by its token.
    """

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.clients: dict[str, dict[str, Any]] = {}
        self.products: dict[str, list[int]] = {}
        self.quirks = Quirks()
        self.shows_too_long = True
        self.scrolls: dict[str, list[list[dict[str, Any]]]] = {}

    def hold(self, name: str, rows: Sequence[dict[str, Any]], gone: Sequence[str] = ()) -> None:
        """List rows, each in place of the one with its id, and some no more; a product names its articles."""
        tables: dict[str, dict[str, Any]] = {"orders": self.orders, "customers": self.clients}
        table = tables.get(name, self.products)
        for row in rows:
            row_id = str(row["orderId"] if name == "orders" else row["id"])
            table[row_id] = row if name in tables else row["articles"]
        for row_id in gone:
            table.pop(row_id, None)

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer | None:
        """The page that is asked for; None where the path is none of a list."""
        place, said = asked(path)
        named = {name.lower(): value for name, value in headers.items()}
        if place == _ORDERS:
            return self._orders(said)
        if place == _SEARCH and "_where" in said:
            return self._search(said, named)
        if place == _SCROLL:
            return self._scroll(said)
        return self._products(said) if place == _PRODUCTS else None

    def _orders(self, said: Mapping[str, str]) -> Answer:
        page, size = int(said.get("page", "1")), int(said.get("per_page", "15"))
        if page > _MAX_PAGES or size > _MAX_PER_PAGE:
            return _REFUSED
        found = [row for row in self.orders.values() if all(_matches(row, *one) for one in said.items())]
        found.sort(key=lambda row: (row["creationDate"], row["orderId"]))
        pages = -(-len(found) // size)
        shown = pages <= _MAX_PAGES or self.shows_too_long
        listed = cut(found, (page - 1) * size, size, self.quirks) if shown else []
        total = len(found) if self.quirks.total is None else self.quirks.total
        paging = {"total": total, "pages": -(-total // size), "currentPage": page, "perPage": size}
        return Answer(body={"list": listed, "facets": [], "paging": paging, "stats": {}})

    def _search(self, said: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        where, wanted = _WHERE.fullmatch(said["_where"]), _RESOURCES.fullmatch(headers.get("rest-range", ""))
        begin, end = (0, 10) if wanted is None else (int(wanted[1]), int(wanted[2]))
        if where is None or end - begin > _MAX_PER_PAGE or end > _MAX_FOUND:
            return _REFUSED
        field, since, until = where[1], _moment(where[2]), _moment(where[3])
        found = [
            row for row in self.clients.values() if row.get(field) and since <= _moment(row[field]) <= until
        ]
        found.sort(key=lambda row: _moment(row[field]))
        listed = cut(found, begin, end - begin, self.quirks)
        total = len(found) if self.quirks.total is None else self.quirks.total
        extent = f"resources={begin}-{begin + len(listed)}/{total}"
        return Answer(body=_trimmed(listed, said), headers={"REST-Content-Range": extent})

    def _scroll(self, said: Mapping[str, str]) -> Answer:
        token = said.get("_token")
        if token is None and len(self.scrolls) == 10:  # noqa: PLR2004 - as many as an account has
            return _TOO_MANY_SCROLLS
        if token is None:
            token, size = f"scroll-{len(self.scrolls) + 1}", int(said.get("_size", "250"))
            rows = _trimmed(list(self.clients.values()), said)
            self.scrolls[token] = [rows[at : at + size] for at in range(0, len(rows), size)]
        if token not in self.scrolls:
            return _REFUSED
        pages = self.scrolls[token]
        keeps = self.quirks.repeats_last and len(pages) == 1
        listed = [] if not pages else pages[0] if keeps else pages.pop(0)
        headers = {"X-VTEX-MD-TOKEN": token, "REST-Content-Total": str(len(self.clients))}
        return Answer(body=listed, headers=headers)

    def _products(self, said: Mapping[str, str]) -> Answer:
        begin, end = int(said["_from"]), int(said["_to"])
        if end - begin >= _MAX_PRODUCTS:
            return _REFUSED
        ids = sorted(self.products, key=int)
        listed = cut(ids, begin - 1, end - begin + 1, self.quirks)
        total = len(ids) if self.quirks.total is None else self.quirks.total
        extent = {"total": total, "from": begin, "to": end}
        return Answer(body={"data": {one: self.products[one] for one in listed}, "range": extent})


def _matches(row: Mapping[str, Any], name: str, value: str) -> bool:
    """Whether an order is one of those that a filter asks for."""
    if name == "f_status":
        return bool(row.get("status") == value)
    dates = _DATES.fullmatch(value) if name.startswith("f_") else None
    if dates is None:
        return True
    said = row.get(dates[1])
    return bool(said) and _moment(dates[2]) <= _moment(str(said)) <= _moment(dates[3])


def _trimmed(rows: list[dict[str, Any]], said: Mapping[str, str]) -> list[dict[str, Any]]:
    fields = said.get("_fields", "id").split(",")
    return [{name: row.get(name) for name in fields} if fields != ["_all"] else row for row in rows]


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
