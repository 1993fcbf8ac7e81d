"""What VTEX's API tells of a store's set-up: roles cannot be read, so each is tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.shops.api import ApiRequest
from pipeline.shops.examination import (
    KnownOrder,
    OrderLines,
    Question,
    Remark,
    ShopExamination,
    ids,
    moment_of,
)
from pipeline.shops.registration import rows_of
from pipeline.shops.vtex.lookups import order_path
from pipeline.shops.vtex.settings import VtexSettings

_RECENT = "/api/oms/pvt/orders?orderBy=creationDate,desc&page=1&per_page=5"


def questions(settings: VtexSettings) -> Sequence[Question]:  # noqa: ARG001 - as `ShopExamination` has it
    """One of each kind."""
    client = {"REST-Range": "resources=0-1"}
    return [
        Question('OMS "List Orders"', ApiRequest("/api/oms/pvt/orders?page=1&per_page=1")),
        Question(
            'Dynamic Storage "Read only documents"',
            ApiRequest("/api/dataentities/CL/search?_fields=id,isNewsletterOptIn", headers=client),
        ),
        Question(
            'Catalog "Product management" (read)',
            ApiRequest("/api/catalog_system/pvt/products/GetProductAndSkuIds?_from=1&_to=1"),
        ),
    ]


def remarks(settings: VtexSettings, answers: Mapping[str, Any]) -> Iterable[Remark]:  # noqa: ARG001 - see there
    """None: what else its API tells needs further rights."""
    return ()


def recent(settings: VtexSettings, now: datetime) -> ApiRequest:  # noqa: ARG001 - see there
    """The five latest orders."""
    return ApiRequest(_RECENT)


def orders(settings: VtexSettings, value: Any) -> Sequence[KnownOrder]:  # noqa: ARG001 - see there
    """Their ids; the list names no lines."""
    return [_order(row) for row in rows_of(value, "list")]


def _order(row: Mapping[str, Any]) -> KnownOrder:
    own = ids(id=row.get("orderId"), number=row.get("sequence"))
    group = {"orderGroup": group} if (group := own.get("id", "").partition("-")[0]) else {}
    return KnownOrder(own, group, placed=moment_of(row.get("creationDate")))


def lines(value: Any) -> Sequence[Mapping[str, str]]:
    """The ids of an order's lines: the product's, the article's, and the shop's own word for it."""
    return [
        ids(product=row.get("productId"), variant=row.get("id"), sku=row.get("refId"))
        for row in rows_of(value, "items")[:3]
    ]


EXAMINATION: ShopExamination[VtexSettings] = ShopExamination(
    questions=questions,
    remarks=remarks,
    recent=recent,
    orders=orders,
    lines=OrderLines(lambda number: ApiRequest(order_path(number)), lines),
)
