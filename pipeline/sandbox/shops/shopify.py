"""Shopify's lists over GraphQL, as far as pulls ask for them: cursors, filters, a bucket of points.

A query is not parsed as GraphQL is: the list's name, its order and the variables are all that is looked at,
and rows are answered whole.
"""

from __future__ import annotations

import base64
import heapq
import json
import re
from typing import Any

from pipeline.sandbox.shops.lists import ListAnswer, ListSettings, Row, Rows

_LIST = re.compile(r"\b(orders|customers|products|deletionEvents)\(")
_ORDER = re.compile(r"sortKey:\s*(UPDATED_AT|ID)\b")
_BOUND = re.compile(r"\b(updated_at|occurred_at|id):(>=|>|<=|<)'?([0-9TZ:.-]+)'?")
_HANGS_ON = {"orders": "lineItems", "products": "variants"}


class Bucket:
    """The points of one app at one shop.

    Args:
        settings: how large, and how fast it fills.
    """

    def __init__(self, settings: ListSettings) -> None:
        self._settings = settings
        self._points = settings.points
        self._at = 0.0
        self._began = 0.0
        self._spent = 0.0

    def status(self, now: float) -> dict[str, float]:
        """What is there."""
        passed = max(0.0, now - self._at) if self._at else 0.0
        self._points = min(self._settings.points, self._points + passed * self._settings.restore)
        self._at = now
        self._began = self._began or now
        return {
            "maximumAvailable": self._settings.points,
            "currentlyAvailable": self._points,
            "restoreRate": self._settings.restore,
        }

    def takes(self, cost: float, now: float) -> bool:
        """Whether a query finds its points; it takes them then."""
        if self.status(now)["currentlyAvailable"] < cost:
            return False
        self._points -= cost
        self._spent += cost
        return True

    def cost(self, cost: float, now: float) -> dict[str, Any]:
        """What an answer says of points, of a query that took so many."""
        return {"requestedQueryCost": cost, "actualQueryCost": cost, "throttleStatus": self.status(now)}

    def figures(self) -> dict[str, float]:
        """Points that were taken, and those that could have been since the first request until the last."""
        restored = (self._at - self._began) * self._settings.restore
        return {"spent": self._spent, "allowed": self._settings.points + restored}


def answer(settings: ListSettings, rows: Rows, body: bytes, bucket: Bucket, now: float) -> ListAnswer:
    """The answer to a request of GraphQL."""
    try:
        asked = json.loads(body)
        query, variables = str(asked["query"]), dict(asked.get("variables") or {})
        first = int(variables["first"])
    except (ValueError, KeyError, TypeError):
        return _error("no query that is understood here", "undefinedField")
    named = _LIST.search(query)
    if named is None or not 1 <= first <= 250:  # noqa: PLR2004 - Shopify's limit
        return _error("no list that is understood here", "argumentLiteralsIncompatible")
    if named[1] in settings.denied:
        return _error(f"Access denied for {named[1]} field.", "ACCESS_DENIED")
    cost = 2 + first * (1 + int(variables.get("nested") or 0) // 10)
    if cost > settings.dearest:
        return _error(f"Query cost is {cost}", "MAX_COST_EXCEEDED")
    if not bucket.takes(cost, now):
        return throttled(cost, bucket, now)
    data = _data(named[1], query, variables, rows)
    return ListAnswer(body={"data": data, "extensions": {"cost": bucket.cost(cost, now)}})


def _data(name: str, query: str, variables: dict[str, Any], rows: Rows) -> dict[str, Any]:
    by_change = (found := _ORDER.search(query)) is not None and found[1] == "UPDATED_AT"
    whole_days = name == "customers"
    bounds = _BOUND.findall(str(variables.get("query") or ""))
    known = rows.get(name, {}).values()
    found_rows = [row for row in known if all(_within(row, bound, whole_days=whole_days) for bound in bounds)]
    if name == "products" and "status:" not in str(variables.get("query")):
        found_rows = [row for row in found_rows if row.get("status") == "ACTIVE"]
    placed = [(_place(row, by_change=by_change), row) for row in found_rows]
    after, first = _decoded(variables.get("after")), int(variables["first"])
    rest = placed if after is None else [one for one in placed if one[0] > after]
    page = heapq.nsmallest(first, rest, key=lambda one: one[0])
    cut = [_cut(name, row, variables) for _, row in page]
    info = {"hasNextPage": len(rest) > len(page), "endCursor": _encoded(page[-1][0]) if page else None}
    data: dict[str, Any] = {name: {"nodes": cut, "pageInfo": info}}
    if variables.get("counted"):
        data[f"{name}Count"] = {"count": min(len(found_rows), 10_000), "precision": "EXACT"}
    return data


def _within(row: Row, bound: tuple[str, str, str], *, whole_days: bool) -> bool:
    field, operator, value = bound
    if field == "id":
        number, other = int(row["legacyResourceId"]), int(value)
        return number >= other  # `>` behaves as `>=`
    said = str(row["occurredAt" if field == "occurred_at" else "updatedAt"])
    if whole_days:
        said, value = said[:10], value[:10]
    return said >= value if operator.startswith(">") else said <= value  # `<` behaves as `<=`


def _place(row: Row, *, by_change: bool) -> list[Any]:
    number = int(row.get("legacyResourceId") or 0)
    return [row.get("updatedAt") or row.get("occurredAt"), number] if by_change or not number else [number]


def _encoded(place: list[Any]) -> str:
    return base64.b64encode(json.dumps(place).encode()).decode()


def _decoded(cursor: object) -> list[Any] | None:
    return list(json.loads(base64.b64decode(cursor))) if isinstance(cursor, str) else None


def _cut(name: str, row: Row, variables: dict[str, Any]) -> Row:
    """The row with as many of what hangs on it as were asked for."""
    hangs, most = _HANGS_ON.get(name), int(variables.get("nested") or 0)
    if hangs is None or hangs not in row or not most:
        return row
    nodes = row[hangs]["nodes"]
    info = {"hasNextPage": len(nodes) > most, "endCursor": "next"}
    return {**row, hangs: {"nodes": nodes[:most], "pageInfo": info}}


def _error(message: str, code: str) -> ListAnswer:
    return ListAnswer(body={"errors": [{"message": message, "extensions": {"code": code}}]})


def throttled(cost: float, bucket: Bucket, now: float) -> ListAnswer:
    """What is answered where a query does not find its points."""
    errors = [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
    used = {**bucket.cost(cost, now), "actualQueryCost": None}
    return ListAnswer(body={"errors": errors, "extensions": {"cost": used}})
