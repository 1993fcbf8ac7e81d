"""PrestaShop's lists, as its webservice filters, sorts and cuts them: no total, and `[]` for nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pipeline.sandbox.shops.feeds import Answer
from pipeline.sandbox.shops.quirks import ShopLists, asked, cut

_PATH = re.compile(r"/api/(orders|customers|products)")
_BETWEEN = re.compile(r"\[([^,\]]*),([^,\]]*)\]")
_ABOVE = re.compile(r">\[(\d+)\]")
_LIMIT = re.compile(r"(\d+),(\d+)")


class PrestashopLists(ShopLists):
    """Lists as the platform gives them."""

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer | None:  # noqa: ARG002 - as `Lists` has it
        """The page that is asked for; None where the path is none of a list."""
        place, said = asked(path)
        found = _PATH.fullmatch(place)
        if found is None or "sort" not in said:
            return None
        if "date_upd" in said.get("sort", "") + "".join(said) and said.get("date") != "1":
            return Answer(status=500, body={"errors": [{"code": 38, "message": "date=1 is missing"}]})
        limit = _LIMIT.fullmatch(said.get("limit", ""))  # one in brackets begins at 0 at any time
        begin, size = (0, 10**9) if limit is None else (int(limit[1]), int(limit[2]))
        rows = [
            row
            for row in getattr(self, found[1]).values()
            if all(_matches(row, *one) for one in said.items())
        ]
        fields = [one.removesuffix("_ASC") for one in said["sort"].strip("[]").split(",")]
        rows.sort(key=lambda row: [_value(row, field) for field in fields])
        listed = cut(rows, begin, size, self.quirks)
        shown = [_shown(row, said.get("display", "full")) for row in listed]
        return Answer(body={found[1]: shown} if shown else [])


def _value(row: Mapping[str, Any], field: str) -> Any:
    return int(row["id"]) if field == "id" else row[field]


def _matches(row: Mapping[str, Any], name: str, value: str) -> bool:
    if not name.startswith("filter["):
        return True
    own = _value(row, name.removeprefix("filter[").removesuffix("]"))
    if above := _ABOVE.fullmatch(value):
        return bool(own > int(above[1]))
    if between := _BETWEEN.fullmatch(value):
        lower, upper = sorted(between.groups())
        return bool(lower <= own <= upper)
    return str(own) == value.strip("[]")


def _shown(row: dict[str, Any], display: str) -> dict[str, Any]:
    if display == "full":
        return row
    return {name: row.get(name) for name in display.strip("[]").split(",")}
