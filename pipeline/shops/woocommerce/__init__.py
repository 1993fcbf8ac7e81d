"""WooCommerce: REST v3 resources pushed by WordPress, signed, never repeated.

An `order.updated` carries the whole order as it was when it was sent, not when it happened; deletions carry
`{"id":n}` and no clock; money is texts, dates are pairs of local and UTC time.
"""

from pipeline.shops.woocommerce.platform import WOOCOMMERCE

__all__ = ["WOOCOMMERCE"]
