"""WooCommerce's REST API: where it is, how it lets us in, and what a host stands.

Webhooks hold all that is needed: nothing is fetched because of them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import urlencode

from pipeline.config_values import secret_text
from pipeline.shops.api import ApiRequest, Moment, RequestLimit, ShopApi
from pipeline.shops.woocommerce.settings import WooCommerceSettings

BASE = "/wp-json/wc/v3"


def base_url(settings: WooCommerceSettings) -> str:
    """The address that paths are put behind."""
    return (settings.api_url or f"https://{settings.domain}").rstrip("/")


def authorise(settings: WooCommerceSettings, request: ApiRequest, moment: Moment) -> Mapping[str, str]:  # noqa: ARG001 - as `ShopApi` has it
    """Basic, by HTTPS alone; a cache between must not answer."""
    plain = {"cache-control": "no-cache"}
    if settings.key_in_address:
        return plain
    pair = f"{secret_text(settings.consumer_key)}:{secret_text(settings.consumer_secret)}".encode()
    return {**plain, "authorization": f"Basic {base64.b64encode(pair).decode()}"}


def query(settings: WooCommerceSettings) -> str:
    """The key, where it goes into the address."""
    if not settings.key_in_address:
        return ""
    key, secret = secret_text(settings.consumer_key), secret_text(settings.consumer_secret)
    return urlencode({"consumer_key": key, "consumer_secret": secret})


def limit(settings: WooCommerceSettings) -> RequestLimit:
    """WooCommerce has no limit; the host and its firewall have."""
    return RequestLimit(settings.api_requests_per_minute, 60.0, parallel=2, pause=60.0)


API: ShopApi[WooCommerceSettings] = ShopApi(
    base_url=base_url,
    authorise=authorise,
    limit=limit,
    query=query,
    scopes=("a key with the permission Read, of a user who may see orders, customers and products",),
)
