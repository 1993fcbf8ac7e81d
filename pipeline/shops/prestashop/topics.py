"""What PrestaShop's modules say, under names of our own: each module has its own names for the same."""

from __future__ import annotations

from pipeline.events import Kind
from pipeline.shops.api import IGNORED
from pipeline.shops.platform import TopicMeaning, TopicTable, WebhookTopic

_NOTIFICATION, _DELETION = TopicMeaning.NOTIFICATION, TopicMeaning.DELETION

#: Stands where nothing says what a request is about.
NO_TOPIC = "none"
ORDER, CUSTOMER, PRODUCT = "order", "customer", "product"
ORDER_DELETED, CUSTOMER_DELETED, PRODUCT_DELETED = "order.deleted", "customer.deleted", "product.deleted"
#: The shop's own GDPR module has erased somebody.
ERASED = "customer.erased"
#: Somebody used the newsletter's form, which names an address only.
NEWSLETTER = "customer.newsletter"

TOPICS: TopicTable[WebhookTopic] = TopicTable(
    (
        WebhookTopic("order.created", Kind.ORDER, _NOTIFICATION, menu="Order, add", reason=IGNORED),
        WebhookTopic("order.updated", Kind.ORDER, _NOTIFICATION, menu="Order, update", reason=IGNORED),
        WebhookTopic(
            "order.order_slip_created", Kind.ORDER, _NOTIFICATION, menu="OrderSlip, add", reason=IGNORED
        ),
        WebhookTopic(ORDER_DELETED, Kind.ORDER, _DELETION, menu="Order, delete"),
        WebhookTopic("order.*", Kind.ORDER, _NOTIFICATION, said_by="order.updated", reason=IGNORED),
        WebhookTopic("customer.created", Kind.CUSTOMER, _NOTIFICATION, menu="Customer, add", reason=IGNORED),
        WebhookTopic(
            "customer.updated", Kind.CUSTOMER, _NOTIFICATION, menu="Customer, update", reason=IGNORED
        ),
        WebhookTopic(CUSTOMER_DELETED, Kind.CUSTOMER, _DELETION, menu="Customer, delete"),
        WebhookTopic(ERASED, Kind.CUSTOMER, TopicMeaning.PRIVACY, reason="erasure_request"),
        WebhookTopic(NEWSLETTER, Kind.CUSTOMER, _NOTIFICATION, said_by="customer.updated", reason=IGNORED),
        WebhookTopic("customer.*", Kind.CUSTOMER, _NOTIFICATION, said_by="customer.updated", reason=IGNORED),
        WebhookTopic("product.created", Kind.PRODUCT, _NOTIFICATION, menu="Product, add", reason=IGNORED),
        WebhookTopic("product.updated", Kind.PRODUCT, _NOTIFICATION, menu="Product, update", reason=IGNORED),
        WebhookTopic(
            "product.stock_available_updated",
            Kind.PRODUCT,
            _NOTIFICATION,
            menu="StockAvailable, update",
            reason=IGNORED,
        ),
        WebhookTopic(PRODUCT_DELETED, Kind.PRODUCT, _DELETION, menu="Product, delete"),
        WebhookTopic("product.*", Kind.PRODUCT, _NOTIFICATION, said_by="product.updated", reason=IGNORED),
    )
)
