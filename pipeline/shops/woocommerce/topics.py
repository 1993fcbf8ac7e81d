"""The webhooks a merchant makes in WooCommerce's advanced settings.

`deleted` is the trash, and `restored` is all that says that something came out of it: for products, and for
orders of shops without high-performance order storage, no `updated` follows.
"""

from __future__ import annotations

from pipeline.shops.asked import Asked

ASKED = (
    Asked("order.created", "order created"),
    Asked("order.updated", "order updated"),
    Asked("order.deleted", "order deleted"),
    Asked("order.restored", "order restored"),
    Asked("customer.created", "customer created"),
    Asked("customer.updated", "customer updated"),
    Asked("customer.deleted", "customer deleted", "on_customer_deleted"),
    Asked("product.created", "product created"),
    Asked("product.updated", "product updated"),
    Asked("product.deleted", "product deleted"),
    Asked("product.restored", "product restored"),
)
