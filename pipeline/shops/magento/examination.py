"""What Magento's REST API tells of a store's set-up: rights are tried, and modules are listed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.shops.api import ApiRequest
from pipeline.shops.examination import KnownOrder, Question, Remark, ShopExamination, ids, moment_of, said
from pipeline.shops.magento.settings import MagentoSettings
from pipeline.shops.registration import rows_of

_MODULES = "Magento_Backend::store (list modules)"
_ONE = "searchCriteria[pageSize]=1"


def _base(settings: MagentoSettings) -> str:
    return "/V1" if settings.in_cloud else "/rest/all/V1"


def questions(settings: MagentoSettings) -> Sequence[Question]:
    """One of each kind, and what is installed."""
    base = _base(settings)
    return [
        Question("Magento_Sales::actions_view", ApiRequest(f"{base}/orders?{_ONE}&fields=total_count")),
        Question(
            "Magento_Customer::customer", ApiRequest(f"{base}/customers/search?{_ONE}&fields=total_count")
        ),
        Question("Magento_Catalog::products", ApiRequest(f"{base}/products?{_ONE}&fields=total_count")),
        Question(_MODULES, ApiRequest(f"{base}/modules?searchCriteria[pageSize]=1000"), needed=False),
    ]


def remarks(settings: MagentoSettings, answers: Mapping[str, Any]) -> Iterable[Remark]:  # noqa: ARG001 - as `ShopExamination` has it
    """A module of Connectif's beside the pipeline."""
    found = answers.get(_MODULES)
    listed = found.get("items") if isinstance(found, dict) else found
    for name in listed if isinstance(listed, list) else []:
        if "connectif" in said(name).lower():
            yield Remark(
                f"the module {said(name)[:60]} is installed: if it notifies purchases offline, each order is "
                "told twice",
                "switch `notify purchases offline` off in its settings; web tracking may stay",
                is_fault=False,
            )


def recent(settings: MagentoSettings, now: datetime) -> ApiRequest:  # noqa: ARG001 - see there
    """The five latest orders."""
    order = "searchCriteria[sortOrders][0][field]=entity_id&searchCriteria[sortOrders][0][direction]=DESC"
    fields = "items[entity_id,increment_id,created_at,items[product_id,sku]]"
    return ApiRequest(f"{_base(settings)}/orders?searchCriteria[pageSize]=5&{order}&fields={fields}")


def orders(settings: MagentoSettings, value: Any) -> Sequence[KnownOrder]:  # noqa: ARG001 - see there
    """Their ids and increment ids."""
    return [_order(row) for row in rows_of(value, "items")]


def _order(row: Mapping[str, Any]) -> KnownOrder:
    lines = [ids(product=line.get("product_id"), sku=line.get("sku")) for line in rows_of(row, "items")[:3]]
    placed = said(row.get("created_at"))
    return KnownOrder(
        ids(number=row.get("increment_id"), id=row.get("entity_id")),
        products=lines,
        placed=moment_of(f"{placed}+00:00") if placed else None,
    )


EXAMINATION: ShopExamination[MagentoSettings] = ShopExamination(
    questions=questions, remarks=remarks, recent=recent, orders=orders
)
