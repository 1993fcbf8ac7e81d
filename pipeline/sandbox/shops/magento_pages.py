"""Magento's lists, as its REST API searches them: groups of filters, orders, pages whose last comes again."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from pipeline.sandbox.shops.feeds import Answer
from pipeline.sandbox.shops.quirks import Quirks, ShopLists, asked, cut

_LISTS = {"orders": "orders", "customers/search": "customers", "products": "products"}
_PATH = re.compile(r"(?:/rest/\w+)?/V1/(orders|customers/search|products)")
_FILTER = re.compile(r"searchCriteria\[filterGroups\]\[(\d+)\]\[filters\]\[(\d+)\]\[(\w+)\]")
_ORDER = re.compile(r"searchCriteria\[sortOrders\]\[(\d+)\]\[(\w+)\]")
_MAX = 300


class MagentoLists(ShopLists):
    """Lists whose last page comes again behind it: Magento's habit."""

    def __init__(self) -> None:
        super().__init__()
        self.quirks = Quirks(repeats_last=True)

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer | None:  # noqa: ARG002 - as `Lists` has it
        """The page that is asked for; None where the path is none of a list."""
        place, said = asked(path)
        found = _PATH.fullmatch(place)
        if found is None or not any(name.startswith("searchCriteria") for name in said):
            return None
        size = int(said.get("searchCriteria[pageSize]", "0"))
        page = max(1, int(said.get("searchCriteria[currentPage]", "1")))
        if size > _MAX:
            parameters = {"max": _MAX}
            return Answer(
                status=400,
                body={"message": "Maximum SearchCriteria pageSize is %max", "parameters": parameters},
            )
        rows = self._ordered(list(getattr(self, _LISTS[found[1]]).values()), said)
        listed = cut(rows, (page - 1) * size, size, self.quirks) if size else rows
        total = len(rows) if self.quirks.total is None else self.quirks.total
        fields = said.get("fields", "")
        return Answer(body={"items": [_trimmed(row, fields) for row in listed], "total_count": total})

    def _ordered(self, rows: list[dict[str, Any]], said: Mapping[str, str]) -> list[dict[str, Any]]:
        groups: defaultdict[str, defaultdict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
        orders: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for name, value in said.items():
            if found := _FILTER.fullmatch(name):
                groups[found[1]][found[2]][found[3]] = value
            if found := _ORDER.fullmatch(name):
                orders[found[1]][found[2]] = value
        kept = [
            row
            for row in rows
            if all(any(_matches(row, one) for one in of.values()) for of in groups.values())
        ]
        for number in sorted(orders, reverse=True):
            order = orders[number]
            kept.sort(
                key=lambda row, field=order["field"]: _value(row, field),  # type: ignore[misc]
                reverse=order.get("direction", "DESC") == "DESC",
            )
        return kept


def _value(row: Mapping[str, Any], field: str) -> Any:
    if field == "entity_id":
        return int(row.get("entity_id") or row["id"])
    return row[field]


def _is_in(row: Mapping[str, Any], group: Mapping[str, Mapping[str, str]]) -> bool:
    return any(_matches(row, one) for one in group.values())


def _matches(row: Mapping[str, Any], one: Mapping[str, str]) -> bool:
    own = _value(row, one["field"])
    given: Any = int(one["value"]) if isinstance(own, int) else one["value"]
    condition = one.get("conditionType", "eq")
    if condition == "in":
        return str(own) in one["value"].split(",")
    results: dict[str, bool] = {
        "eq": own == given,
        "gt": own > given,
        "gteq": own >= given,
        "lt": own < given,
        "lteq": own <= given,
    }
    return results[condition]


def _trimmed(row: dict[str, Any], fields: str) -> dict[str, Any]:
    """The fields that `fields=items[a,b[c]],total_count` names; all where nothing is said."""
    if not fields:
        return row
    inner = fields.removeprefix("items[").rpartition("]")[0]
    flat = re.sub(r"\[[^\]]*\]", "", inner).split(",")
    return {name: row[name] for name in flat if name in row}
