"""WooCommerce's lists by its reference and its code: pages by number or offset, totals in headers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from pipeline.sandbox.shops.lists import ListAnswer, ListSettings, Row, Rows

BASE = "/wp-json/wc/v3/"
_ORDER_BY = ("date", "id", "include", "title", "slug", "modified")
_CUSTOMERS_BY = ("id", "include", "name", "registered_date")


def answer(settings: ListSettings, rows: Rows, asked: str) -> ListAnswer | None:
    """The answer to a path with its query; None where it is no list."""
    path, _, query = asked.partition("?")
    name = path.removeprefix(BASE)
    if not path.startswith(BASE):
        return None
    said = dict(parse_qsl(query))
    parts = name.split("/")
    if len(parts) == 3 and parts[0] == "products" and parts[2] == "variations":  # noqa: PLR2004 - of the path
        if parts[1] not in rows.get("products", {}):
            return ListAnswer(status=404, body={"code": "woocommerce_rest_product_invalid_id"})
        found = [one for one in _of(rows, "variations") if str(one.get("parent_id")) == parts[1]]
        return _page(settings, found, said, _ORDER_BY)
    if name not in {"orders", "products", "customers"}:
        return None
    found = _of(rows, name)
    if name == "customers":
        wanted = said.get("role", "customer")
        found = [one for one in found if wanted in ("all", one.get("role", "customer"))]
        return _page(settings, found, said, _CUSTOMERS_BY)
    status = said.get("status", "any")
    found = [one for one in found if _has_status(one, status)]
    return _page(settings, [one for one in found if _within(one, said)], said, _ORDER_BY)


def _of(rows: Rows, name: str) -> list[Row]:
    return list(rows.get(name, {}).values())


def _has_status(row: Row, wanted: str) -> bool:
    status = row.get("status")
    return status != "trash" if wanted == "any" else status == wanted


def _within(row: Row, said: dict[str, str]) -> bool:
    """Bounds are exclusive; without `dates_are_gmt` they are of the shop's time, here two hours ahead."""
    after, before = said.get("modified_after"), said.get("modified_before")
    if after is None and before is None:
        return True
    changed = datetime.fromisoformat(row["date_modified_gmt"])
    if said.get("dates_are_gmt") != "true":
        changed += timedelta(hours=2)
    late = after is None or changed > datetime.fromisoformat(after)
    return late and (before is None or changed < datetime.fromisoformat(before))


def _page(
    settings: ListSettings, found: list[Row], said: dict[str, str], orders: tuple[str, ...]
) -> ListAnswer:
    by, size = said.get("orderby", orders[0]), int(said.get("per_page", 10))
    unknown = by not in orders or (settings.old and by == "modified")
    if unknown or not 1 <= size <= settings.most:
        name = "orderby" if unknown else "per_page"
        body = {"code": "rest_invalid_param", "message": f"Invalid parameter(s): {name}"}
        return ListAnswer(status=400, body=body)
    found.sort(key=lambda one: _key(one, by), reverse=said.get("order", "desc") == "desc")
    start = int(said["offset"]) if "offset" in said else (int(said.get("page", 1)) - 1) * size
    shown = [
        _fields(one, said) for one in found[start : start + size] if str(one["id"]) not in settings.hidden
    ]
    total = max(0, len(found) + settings.total_off)
    headers = {"x-wp-total": str(total), "x-wp-totalpages": str(-(-total // size))}
    return ListAnswer(body=shown, headers=headers)


def _key(row: Row, by: str) -> tuple[Any, ...]:
    if by == "modified":
        return (row["date_modified_gmt"], row["id"])
    return (row["id"],)


def _fields(row: Row, said: dict[str, str]) -> Row:
    wanted = said.get("_fields")
    return row if wanted is None else {name: row[name] for name in wanted.split(",") if name in row}
