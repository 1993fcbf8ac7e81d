"""What PrestaShop's modules announce: an entity, and whether it was made, changed or deleted.

Their names differ (`order.created`; entity `Order` and action `add`); `webhooks.py` brings them into one
form. All but deletions are names of what must be fetched.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.events import Kind
from pipeline.shops.api import IGNORED
from pipeline.shops.platform import TopicMeaning, TopicTable, WebhookTopic


@dataclass(frozen=True, slots=True)
class PrestashopTopic(WebhookTopic):
    """A topic, and the fields that can hold the entity's id, best first."""

    ids: tuple[str, ...] = ("id",)


def _named(name: str, kind: Kind, *ids: str, menu: str = "") -> PrestashopTopic:
    return PrestashopTopic(
        name, kind, TopicMeaning.NOTIFICATION, menu=menu, reason=IGNORED, ids=ids or ("id",)
    )


def _of_parts(entity: str, kind: Kind, of: str) -> PrestashopTopic:
    """Whatever happens to a part of an entity is news of the entity."""
    return _named(f"{entity}.*", kind, of)


TOPICS = TopicTable(
    (
        _named("order.created", Kind.ORDER, "id", "id_order", menu="order: add"),
        _named("order.updated", Kind.ORDER, "id", "id_order", menu="order: update"),
        PrestashopTopic("order.deleted", Kind.ORDER, TopicMeaning.DELETION, menu="order: delete"),
        _named("order.*", Kind.ORDER, "id", "id_order"),
        _named("customer.created", Kind.CUSTOMER, menu="customer: add"),
        _named("customer.updated", Kind.CUSTOMER, menu="customer: update"),
        PrestashopTopic(
            "customer.deleted",
            Kind.CUSTOMER,
            TopicMeaning.DELETION,
            menu="customer: delete",
            setting="on_customer_deleted",
        ),
        _named("customer.*", Kind.CUSTOMER, "id", "id_customer"),
        _named("product.created", Kind.PRODUCT, menu="product: add"),
        _named("product.updated", Kind.PRODUCT, menu="product: update"),
        PrestashopTopic("product.deleted", Kind.PRODUCT, TopicMeaning.DELETION, menu="product: delete"),
        _named("product.*", Kind.PRODUCT, "id", "id_product"),
        _named("orderslip.created", Kind.ORDER, "id_order", menu="order slip: add"),
        _of_parts("orderslip", Kind.ORDER, "id_order"),
        _of_parts("order_slip", Kind.ORDER, "id_order"),
        _of_parts("orderhistory", Kind.ORDER, "id_order"),
        _of_parts("order_history", Kind.ORDER, "id_order"),
        _of_parts("orderdetail", Kind.ORDER, "id_order"),
        _of_parts("address", Kind.CUSTOMER, "id_customer"),
        _named("stockavailable.updated", Kind.PRODUCT, "id_product", menu="stock available: update"),
        _of_parts("stockavailable", Kind.PRODUCT, "id_product"),
        _of_parts("stock_available", Kind.PRODUCT, "id_product"),
        _of_parts("combination", Kind.PRODUCT, "id_product"),
        _of_parts("specificprice", Kind.PRODUCT, "id_product"),
        _of_parts("specific_price", Kind.PRODUCT, "id_product"),
    )
)
