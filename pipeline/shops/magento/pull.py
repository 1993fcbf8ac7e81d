"""How Magento's orders, customers and products are read page by page.

A page's number is never counted: rows move between pages while they change, and behind the last page many
versions give it again. Each page asks for the rows behind the last one of the page before, in the order of
(time of change, id) or of the id alone, and the first page without further rows is the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from pipeline.events import Kind, RawEvent
from pipeline.shops import php
from pipeline.shops.api import FETCHED, FOUND, ApiRequest, Documents, pack, without
from pipeline.shops.base import Rejected
from pipeline.shops.magento import api
from pipeline.shops.magento.fields import moment
from pipeline.shops.magento.settings import MagentoSettings, MagentoStore
from pipeline.shops.pull import (
    PullAnswer,
    PulledRow,
    PullPage,
    PullPass,
    PullScope,
    ShopPull,
    placed_ms,
    rows_of,
)
from pipeline.shops.values import epoch_ms, instant, text

PER_PAGE = 100
_LISTS = {Kind.ORDER: "orders", Kind.CUSTOMER: "customers/search", Kind.PRODUCT: "products"}
_CONSENT = (
    "id,email,store_id,website_id,created_at,updated_at,extension_attributes[is_subscribed]"  # of a customer
)
_FORMAT = "%Y-%m-%d %H:%M:%S"
#: Names what is fetched, as an event of Adobe's would.
_SAVED = "observer.catalog_product_save_commit_after"
#: Says that a customer or product is gone, as a module's webhook would.
_GONE = {Kind.CUSTOMER: "customer.deleted", Kind.PRODUCT: "catalog.product.deleted"}

#: Field, value and condition; those of one group are alternatives.
_Filter = tuple[str, str, str]


class _Last(NamedTuple):
    """The last row of the page before: its time, where times order the rows, and its id."""

    changed: str
    number: int


def first(settings: MagentoSettings, scope: PullScope) -> ApiRequest:
    """The request for the first page."""
    return _request(settings, scope, None)


def read(settings: MagentoSettings, scope: PullScope, request: ApiRequest, answer: PullAnswer) -> PullPage:
    """What a page says. Rows that are not behind the last one of the page before came again.

    Raises:
        Rejected: `not_a_page`, `invalid_date`.
    """
    listed = _items(answer.value)
    before = _Last(*orjson.loads(request.note)) if request.note else _Last("", 0)
    further = [(last, row) for row in listed if (last := _last_of(scope, row)) > before]
    singly = scope.kind is Kind.CUSTOMER and _has_websites(settings, [row for _, row in further])
    rows = [_row(settings, scope, last, row, empty=singly) for last, row in further]
    following = _request(settings, scope, max(last for last, _ in further)) if further else None
    total = None if request.note else _total(answer.value)  # later ones count what is behind the last row
    return PullPage(rows, following, _lookups(settings, scope, rows) if singly else (), total=total)


def needs(row: PulledRow, documents: Documents, store: MagentoStore) -> Sequence[str]:
    """The parts of a product whose price is theirs."""
    if row.topic != f"{FETCHED}{Kind.PRODUCT}":
        return ()
    named = next((document.body for document in documents.values()), None)
    sku = text(named.get("sku"), 200) if isinstance(named, dict) else None
    event = RawEvent(
        store.name, "magento", Kind.PRODUCT, row.entity, _SAVED, "", 0, orjson.dumps({"sku": sku})
    )
    return api.needs(event, documents, store)


def deletion(kind: Kind, entity: str) -> tuple[str, bytes] | None:
    """Magento deletes no orders."""
    topic = _GONE.get(kind)
    return None if topic is None else (topic, orjson.dumps({"entity_id": entity}))


# Requests.


def _request(settings: MagentoSettings, scope: PullScope, last: _Last | None) -> ApiRequest:
    changed = scope.reads is PullPass.CHANGED
    groups = list(_changed_since(scope, last) if changed else _behind(last))
    view = settings.store_code if scope.kind is Kind.PRODUCT else api.ALL_VIEWS
    asked = [
        f"searchCriteria[filterGroups][{group}][filters][{number}][{part}]={quote(said, safe='')}"
        for group, filters in enumerate(groups)
        for number, one in enumerate(filters)
        for part, said in zip(("field", "value", "conditionType"), one, strict=True)
    ]
    for number, field in enumerate(("updated_at", "entity_id") if changed else ("entity_id",)):
        order = f"searchCriteria[sortOrders][{number}]"
        asked += [f"{order}[field]={field}", f"{order}[direction]=ASC"]
    asked += [f"searchCriteria[pageSize]={PER_PAGE}", "searchCriteria[currentPage]=1", *_fields(scope)]
    note = "" if last is None else orjson.dumps(list(last)).decode()
    return ApiRequest(f"{api.base_path(settings, view)}/{_LISTS[scope.kind]}?{'&'.join(asked)}", note=note)


def _changed_since(scope: PullScope, last: _Last | None) -> Iterator[list[_Filter]]:
    if last is not None:
        yield [("updated_at", last.changed, "gteq")]
        yield [("updated_at", last.changed, "gt"), ("entity_id", str(last.number), "gt")]
    elif scope.since_ms is not None:
        yield [("updated_at", _text(scope.since_ms), "gteq")]
    yield [("updated_at", _text(scope.until_ms + 999), "lteq")]


def _behind(last: _Last | None) -> Iterator[list[_Filter]]:
    yield [("entity_id", str(0 if last is None else last.number), "gt")]


def _fields(scope: PullScope) -> list[str]:
    if scope.reads is PullPass.CONSENT:
        return [f"fields=items[{_CONSENT}],total_count"]
    return ["fields=items[id],total_count"] if scope.reads is PullPass.PRESENT else []


def _text(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1_000, UTC).strftime(_FORMAT)


# Answers.


def _items(value: object) -> list[dict[str, Any]]:
    items = value.get("items", _items) if isinstance(value, dict) else _items
    listed = None if items is _items else php.entries(items)
    return rows_of(listed, "items")


def _total(value: Any) -> int | None:
    total = value.get("total_count")
    return total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None


def _last_of(scope: PullScope, row: dict[str, Any]) -> _Last:
    own = php.readable_id(row.get("entity_id" if scope.kind is Kind.ORDER else "id"))
    if own is None:
        raise Rejected("not_a_page", "items.id", "a row without its id")
    changed = scope.reads is PullPass.CHANGED
    return _Last(instant(row.get("updated_at"), "updated_at").strftime(_FORMAT) if changed else "", int(own))


def _has_websites(settings: MagentoSettings, rows: Sequence[dict[str, Any]]) -> bool:
    """Whether the shop has several websites: then a list can show a person's consent on another of them."""
    websites = {php.readable_id(row.get("website_id")) for row in rows if "website_id" in row}
    told = settings.website_ids is not None or any(route.shop for route in settings.routes)
    return told or not websites <= {"1"}


def _row(
    settings: MagentoSettings, scope: PullScope, last: _Last, row: dict[str, Any], *, empty: bool
) -> PulledRow:
    own, topic = str(last.number), f"{FETCHED}{scope.kind}"
    if scope.reads is PullPass.PRESENT:
        return PulledRow(own, topic, b"", None)
    if scope.reads is PullPass.CONSENT:  # few fields are another statement: rows are compared by topic
        topic = f"{FETCHED}consent"
    said = row.get("updated_at")
    changed = epoch_ms(instant(said, "updated_at")) if said else None
    body = b"" if empty else pack([(_path(settings, scope, own, row), FOUND, _document(row))])
    placed = placed_ms(scope.kind, lambda: moment(row, "created_at"))
    return PulledRow(own, topic, body, changed, placed)


def _document(row: dict[str, Any]) -> bytes:
    return without(orjson.dumps(row), api.API.withheld)


def _path(settings: MagentoSettings, scope: PullScope, own: str, row: dict[str, Any]) -> str:
    if scope.kind is Kind.ORDER:
        return api.order_path(settings, own)
    if scope.kind is Kind.CUSTOMER:
        return api.customer_path(settings, own)
    sku = text(row.get("sku"), 200)
    if sku is None:
        raise Rejected("not_a_page", "items.sku", "a product without its SKU")
    return api.product_path(settings, sku)


def _lookups(
    settings: MagentoSettings, scope: PullScope, rows: Sequence[PulledRow]
) -> Sequence[tuple[int, Sequence[str]]]:
    if scope.reads is PullPass.PRESENT:
        return ()
    return [(number, (api.customer_path(settings, row.entity),)) for number, row in enumerate(rows)]


PULL: ShopPull[MagentoSettings] = ShopPull(
    passes={
        Kind.ORDER: (PullPass.CHANGED, PullPass.FULL),
        Kind.CUSTOMER: (PullPass.CHANGED, PullPass.FULL, PullPass.CONSENT, PullPass.PRESENT),
        Kind.PRODUCT: (PullPass.CHANGED, PullPass.FULL, PullPass.PRESENT),
    },
    first=first,
    read=read,
    needs=needs,
    overlap=300.0,
    lag=60.0,
    deletion=deletion,
)
