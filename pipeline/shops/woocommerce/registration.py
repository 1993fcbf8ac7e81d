"""WooCommerce's webhooks: all of the shop's, whoever made them; their secrets are never shown.

WooCommerce disables a webhook at the seventh failure in a row, and keeps the count when it is enabled again:
the next failure would disable it once more. A disabled one is made anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from pipeline.shops.api import ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.examination import said
from pipeline.shops.registration import NAME, Registered, RegisteredPage, ShopRegistration, rows_of
from pipeline.shops.woocommerce.api import BASE
from pipeline.shops.woocommerce.settings import WooCommerceSettings
from pipeline.shops.woocommerce.topics import TOPICS

_PAGE = 100
_STATUSES = {
    "disabled": "WooCommerce disabled it after failed deliveries",
    "paused": "it is paused",
}
_SIGNED = (
    "WooCommerce never shows a webhook's secret: that it is the store's is seen by deliveries answered "
    "200, in WooCommerce > Status > Logs, `webhooks-delivery`"
)


def wanted(settings: WooCommerceSettings) -> Sequence[str]:
    """The topics by WooCommerce's own names."""
    return TOPICS.wanted_by(settings)


def listing(settings: WooCommerceSettings) -> ApiRequest | None:
    """All webhooks, by pages; None without a key."""
    return ApiRequest(f"{BASE}/webhooks?per_page={_PAGE}&status=all") if settings.readable else None


def read(settings: WooCommerceSettings, value: Any) -> RegisteredPage:  # noqa: ARG001 - as `ShopRegistration` has it
    """A page. One page: no shop has a hundred webhooks, and one that had would find ours missing.

    Raises:
        Rejected: `not_webhooks`.
    """
    if not isinstance(value, list):
        raise Rejected("not_webhooks", "webhooks", "no list")
    return RegisteredPage(
        [
            Registered(
                said(row.get("id")), said(row.get("topic")), said(row.get("delivery_url")), _fault(row)
            )
            for row in rows_of(value)
        ]
    )


def _fault(row: Mapping[str, Any]) -> str:
    status = said(row.get("status"))
    if status != "active":
        return _STATUSES.get(status, f"its status is {status[:20] or 'not said'}")
    version = said(row.get("api_version"))
    return "" if version in {"", "wp_api_v3"} else f"its API version is {version[:20]}, not wp_api_v3"


def create(settings: WooCommerceSettings, topic: str, address: str) -> ApiRequest:
    """A webhook signed with the store's newest secret."""
    secret = settings.secrets[0].get_secret_value()
    fields = {"name": NAME, "topic": topic, "delivery_url": address, "status": "active", "secret": secret}
    body = orjson.dumps(fields)
    return ApiRequest(f"{BASE}/webhooks", "POST", {"content-type": "application/json"}, body)


def mend(settings: WooCommerceSettings, webhook: Registered, address: str) -> Sequence[ApiRequest]:
    """Another one, then an end to the broken one: in this order nothing is missed meanwhile."""
    number = webhook.id if webhook.id.isdigit() else "0"
    return [
        create(settings, webhook.topic, address),
        ApiRequest(f"{BASE}/webhooks/{number}?force=true", "DELETE"),
    ]


REGISTRATION: ShopRegistration[WooCommerceSettings] = ShopRegistration(
    listing=listing,
    read=read,
    wanted=wanted,
    create=create,
    mend=mend,
    right="a key with read permission; read and write to repair",
    by_hand=lambda _: (_SIGNED,),
)
