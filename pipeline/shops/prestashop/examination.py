"""What PrestaShop's webservice tells of a store: the rights of a key are tried, resource by resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.shops.api import ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.examination import KnownOrder, Question, Remark, ShopExamination, ids, said
from pipeline.shops.prestashop.documents import rows
from pipeline.shops.prestashop.settings import PrestashopSettings
from pipeline.shops.registration import rows_of
from pipeline.shops.values import instant

_RESOURCES = ("orders", "customers", "products", "addresses", "currencies", "stock_availables")
_LATEST = "sort=[id_DESC]&limit=5&output_format=JSON"


def questions(settings: PrestashopSettings) -> Sequence[Question]:  # noqa: ARG001 - as `ShopExamination` has it
    """One of each resource that announcements need."""
    return [
        Question(f"view {one}", ApiRequest(f"/api/{one}?display=[id]&limit=1&output_format=JSON"))
        for one in _RESOURCES
    ]


def remarks(settings: PrestashopSettings, answers: Mapping[str, Any]) -> Iterable[Remark]:  # noqa: ARG001 - see there
    """None: what is installed, the webservice does not tell."""
    return ()


def recent(settings: PrestashopSettings, now: datetime) -> ApiRequest:  # noqa: ARG001 - see there
    """The five latest orders of the shop."""
    shop = f"&id_shop={settings.shop_id}" if settings.shop_id is not None else ""
    return ApiRequest(f"/api/orders?display=full&{_LATEST}{shop}")


def orders(settings: PrestashopSettings, value: Any) -> Sequence[KnownOrder]:
    """Their ids, references and rows; dates are the shop's own time."""
    return [_order(row, settings.timezone) for row in rows_of(value, "orders")]


def _order(row: Mapping[str, Any], zone: str) -> KnownOrder:
    try:
        placed = instant(row.get("date_add"), "date_add", zone)
    except Rejected:
        placed = None
    inside = row.get("associations")
    bought = rows(inside.get("order_rows"), "order_row") if isinstance(inside, dict) else []
    lines = [
        ids(
            product=(own := line.get("product_id")),
            variant=_variant(line) or own,
            sku=line.get("product_reference"),
        )
        for line in bought[:3]
    ]
    return KnownOrder(ids(id=row.get("id"), name=row.get("reference")), products=lines, placed=placed)


def _variant(line: Mapping[str, Any]) -> str:
    found = said(line.get("product_attribute_id"))
    return "" if found == "0" else found


EXAMINATION: ShopExamination[PrestashopSettings] = ShopExamination(
    questions=questions, remarks=remarks, recent=recent, orders=orders
)
