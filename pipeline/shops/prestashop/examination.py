"""What PrestaShop's webservice tells of a store: the rights of a key are tried, resource by resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.shops.api import ApiRequest
from pipeline.shops.examination import KnownOrder, Question, Remark, ShopExamination, ids
from pipeline.shops.prestashop.settings import PrestashopSettings
from pipeline.shops.registration import rows_of

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


def recent(settings: PrestashopSettings) -> ApiRequest:
    """The five latest orders of the shop."""
    shop = f"&id_shop={settings.shop_id}" if settings.shop_id is not None else ""
    return ApiRequest(f"/api/orders?display=[id,reference,date_add]&{_LATEST}{shop}")


def orders(settings: PrestashopSettings, value: Any) -> Sequence[KnownOrder]:  # noqa: ARG001 - see there
    """Their ids and references."""
    return [KnownOrder(ids(id=row.get("id"), name=row.get("reference"))) for row in rows_of(value, "orders")]


EXAMINATION: ShopExamination[PrestashopSettings] = ShopExamination(
    questions=questions, remarks=remarks, recent=recent, orders=orders
)
