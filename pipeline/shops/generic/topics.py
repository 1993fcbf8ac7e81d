"""The types of our contract. Senders may add others at any time: these are kept and ignored."""

from __future__ import annotations

from pipeline.events import Kind
from pipeline.shops.platform import TopicMeaning, TopicTable, WebhookTopic

#: Says that an order is cancelled, whatever its statuses are.
CANCELLED = "order.cancelled"

TOPICS = TopicTable(
    (
        WebhookTopic("order.created", Kind.ORDER, menu="order.created"),
        WebhookTopic("order.updated", Kind.ORDER, menu="order.updated"),
        WebhookTopic(CANCELLED, Kind.ORDER, menu="order.cancelled"),
        WebhookTopic("order.deleted", Kind.ORDER, TopicMeaning.DELETION, menu="order.deleted"),
        WebhookTopic("customer.created", Kind.CUSTOMER, menu="customer.created"),
        WebhookTopic("customer.updated", Kind.CUSTOMER, menu="customer.updated"),
        WebhookTopic(
            "customer.consent_updated", Kind.CUSTOMER, TopicMeaning.CONSENT, menu="customer.consent_updated"
        ),
        WebhookTopic(
            "customer.deleted",
            Kind.CUSTOMER,
            TopicMeaning.DELETION,
            menu="customer.deleted",
            setting="on_customer_deleted",
        ),
        WebhookTopic("product.created", Kind.PRODUCT, menu="product.created"),
        WebhookTopic("product.updated", Kind.PRODUCT, menu="product.updated"),
        WebhookTopic("product.deleted", Kind.PRODUCT, TopicMeaning.DELETION, menu="product.deleted"),
    )
)
