"""Orders that a marketplace plugin wrote for its vendors: shares of another order, not sales of their own.

The customer paid the main order once, and the plugin keeps it whole. A `parent_id` alone makes no share:
deposits, renewals and split orders have parents too, and are paid besides them. The plugin's own mark
decides, together with a parent (Dokan marks orders of a single vendor, which have none, in the same way).

Certain, as the plugins' published code writes them: `created_via` of Dokan, YITH Multi Vendor, MultiVendorX
and its former self WC Marketplace, with the meta data `_dokan_vendor_id`, `_vendor_id` and
`multivendorx_store_id`; and `marketking_earning_id`, which MarketKing adds once it has reckoned the vendor's
share (it knows its sub-orders by their parent alone). Inferred from how plugins name what is theirs: all else
here. WCFM writes no order per vendor, but rows of its own.
"""

from __future__ import annotations

from typing import Any

from pipeline.shops.php import NOTHING, entries, readable_id
from pipeline.shops.values import text

_CREATED_BY_MARKETPLACE = (
    "dokan",
    "yith_wcmv",
    "mvx_",
    "multivendorx",
    "wcmp_",
    "marketking",
    "wcfm",
)
_META_OF_MARKETPLACE = (
    "dokan_",
    "mvx_",
    "multivendorx_",
    "wcmp_",
    "marketking",
    "yith_wcmv",
    "vendor_id",
    "commission_id",
)
#: Children that are sales: balances of WooCommerce Deposits and of YITH's, renewals of subscriptions.
_SALES = frozenset({"wc_deposits", "yith_wcdp_balance_order", "subscription"})


def is_sub_order(body: dict[str, Any], notes: list[str]) -> bool:
    """Whether the order is a vendor's share of another one.

    `child_order` is added to `notes` where it has a parent and nothing says why.
    """
    parent = body.get("parent_id")
    if parent == 0 or parent in NOTHING:
        return False
    if readable_id(parent) is None:
        notes.append("parent_id_unreadable")
        return False
    created = (text(body.get("created_via"), 100) or "").lower()
    if created in _SALES:
        return False
    if created.startswith(_CREATED_BY_MARKETPLACE) or _has_vendor(body.get("meta_data")):
        return True
    notes.append("child_order")
    return False


def _has_vendor(metas: object) -> bool:
    """Whether meta data name a vendor, with or without the underscore that hides a key in the admin."""
    for meta in entries(metas) or ():
        key = meta.get("key") if isinstance(meta, dict) else None
        if isinstance(key, str) and key.lstrip("_").startswith(_META_OF_MARKETPLACE):
            return True
    return False
