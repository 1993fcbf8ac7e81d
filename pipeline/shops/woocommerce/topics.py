"""WooCommerce's topics; those with a `menu` a merchant makes in WooCommerce's advanced settings.

`deleted` is the trash, and `restored` is all that says that something came out of it: for products, and for
orders of shops without high-performance order storage, no `updated` follows. Users have no trash.
"""

from __future__ import annotations

from pipeline.events import Kind
from pipeline.shops.platform import TopicMeaning, TopicTable, WebhookTopic

TOPICS = TopicTable(
    (
        WebhookTopic("order.created", Kind.ORDER, menu="order created"),
        WebhookTopic("order.updated", Kind.ORDER, menu="order updated"),
        WebhookTopic("order.deleted", Kind.ORDER, TopicMeaning.DELETION, menu="order deleted"),
        WebhookTopic("order.restored", Kind.ORDER, menu="order restored"),
        WebhookTopic("customer.created", Kind.CUSTOMER, menu="customer created"),
        WebhookTopic("customer.updated", Kind.CUSTOMER, menu="customer updated"),
        WebhookTopic(
            "customer.deleted",
            Kind.CUSTOMER,
            TopicMeaning.DELETION,
            menu="customer deleted",
            setting="on_customer_deleted",
        ),
        WebhookTopic("product.created", Kind.PRODUCT, menu="product created"),
        WebhookTopic("product.updated", Kind.PRODUCT, menu="product updated"),
        WebhookTopic("product.deleted", Kind.PRODUCT, TopicMeaning.DELETION, menu="product deleted"),
        WebhookTopic("product.restored", Kind.PRODUCT, menu="product restored"),
        # Plugins add actions of their own; each comes with the whole resource.
        WebhookTopic("order.*", Kind.ORDER, said_by="order.updated"),
        WebhookTopic("customer.*", Kind.CUSTOMER, said_by="customer.updated"),
        WebhookTopic("product.*", Kind.PRODUCT, said_by="product.updated"),
        # An action of any plugin with a bare id, and discounts of the shop's own: nothing usable.
        WebhookTopic("action.*", Kind.ORDER, TopicMeaning.IGNORED, reason="action_topic"),
        WebhookTopic("coupon.*", Kind.ORDER, TopicMeaning.IGNORED, reason="coupon_topic"),
    )
)
