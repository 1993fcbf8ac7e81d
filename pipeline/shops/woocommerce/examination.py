"""What WooCommerce's REST API tells of a store's set-up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.shops.api import ApiRequest
from pipeline.shops.examination import (
    KnownOrder,
    Question,
    Remark,
    ShopExamination,
    at,
    ids,
    moment_of,
    said,
)
from pipeline.shops.registration import rows_of
from pipeline.shops.woocommerce.api import BASE
from pipeline.shops.woocommerce.settings import WooCommerceSettings

_STATUS = "read the system status"


def questions(settings: WooCommerceSettings) -> Sequence[Question]:  # noqa: ARG001 - as `ShopExamination` has it
    """One of each kind, and what is installed."""
    one = "?per_page=1&_fields=id"
    return [
        Question("read orders", ApiRequest(f"{BASE}/orders{one}")),
        Question("read customers", ApiRequest(f"{BASE}/customers{one}")),
        Question("read products", ApiRequest(f"{BASE}/products{one}")),
        Question(
            _STATUS,
            ApiRequest(f"{BASE}/system_status?_fields=environment,active_plugins,settings"),
            needed=False,
        ),
    ]


def remarks(settings: WooCommerceSettings, answers: Mapping[str, Any]) -> Iterable[Remark]:  # noqa: ARG001 - see there
    """A plugin of Connectif's beside the pipeline."""
    for plugin in rows_of(answers.get(_STATUS), "active_plugins"):
        names = said(plugin.get("plugin")).lower() + said(plugin.get("name")).lower()
        if "connectif" in names:
            yield Remark(
                f"the plugin {said(plugin.get('name'))[:60] or 'Connectif'} is active: with its order events "
                "each order is told twice",
                "switch its order events off; web tracking may stay",
                is_fault=False,
            )


def recent(settings: WooCommerceSettings, now: datetime) -> ApiRequest:  # noqa: ARG001 - see there
    """The five latest orders that are paid."""
    fields = "id,number,date_created_gmt,line_items"
    return ApiRequest(f"{BASE}/orders?per_page=5&status=processing,completed&_fields={fields}")


def orders(settings: WooCommerceSettings, value: Any) -> Sequence[KnownOrder]:  # noqa: ARG001 - see there
    """Their ids; plugins give orders a number of its own."""
    return [_order(row) for row in rows_of(value)]


def _order(row: Mapping[str, Any]) -> KnownOrder:
    lines = []
    for line in rows_of(row, "line_items")[:3]:
        product, variation = line.get("product_id"), line.get("variation_id")
        lines.append(ids(product=product, variant=variation or product, sku=line.get("sku")))
    purchase = ids(id=row.get("id"), number=row.get("number"))
    placed = said(at(row, "date_created_gmt"))
    return KnownOrder(purchase, products=lines, placed=moment_of(f"{placed}+00:00") if placed else None)


EXAMINATION: ShopExamination[WooCommerceSettings] = ShopExamination(
    questions=questions,
    remarks=remarks,
    recent=recent,
    orders=orders,
    ready=lambda settings: settings.readable,
    lacking="consumer_key and consumer_secret",
)
