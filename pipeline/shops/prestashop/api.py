"""How PrestaShop's webservice lets requests in, how many it stands, and what of its answers is not kept."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import urlencode

from pipeline.events import RawEvent
from pipeline.shops.api import ApiRequest, Moment, RequestLimit, ShopApi
from pipeline.shops.prestashop.lookups import needs
from pipeline.shops.prestashop.settings import PrestashopSettings
from pipeline.shops.prestashop.webhooks import without_secrets

#: What the key must be allowed to read (GET), and nothing else.
RESOURCES = (
    "addresses",
    "cart_rules",
    "categories",
    "combinations",
    "countries",
    "currencies",
    "customers",
    "order_cart_rules",
    "order_slip",
    "order_states",
    "orders",
    "products",
    "stock_availables",
)


def base_url(settings: PrestashopSettings) -> str:
    """The shop's address, which may have a path."""
    return (settings.api_url or f"https://{settings.domain}").rstrip("/")


def authorise(settings: PrestashopSettings, request: ApiRequest, moment: Moment) -> Mapping[str, str]:  # noqa: ARG001 - as `ShopApi` has it
    """The key as a user's name without a password, unless it goes into the address."""
    if settings.api_key_in_query:
        return {}
    return {"authorization": f"Basic {base64.b64encode(f'{_key(settings)}:'.encode()).decode()}"}


def query(settings: PrestashopSettings) -> str:
    """What is put behind each request's address; it is stored nowhere."""
    return urlencode({"ws_key": _key(settings)}) if settings.api_key_in_query else ""


def _key(settings: PrestashopSettings) -> str:
    return "" if settings.api_key is None else settings.api_key.get_secret_value()


def limit(settings: PrestashopSettings) -> RequestLimit:
    """Shops have no limit and little strength: each object takes a query for each of its associations."""
    return RequestLimit(settings.api_requests_per_minute, 60.0, settings.api_parallel, pause=60.0)


def fetched_topic(event: RawEvent) -> str:
    """The event that follows is of what the notification named."""
    return str(event.kind)


API: ShopApi[PrestashopSettings] = ShopApi(
    base_url=base_url,
    authorise=authorise,
    limit=limit,
    needs=needs,
    fetched_topic=fetched_topic,
    query=query,
    kept=without_secrets,
    scopes=tuple(f"{resource}: GET" for resource in RESOURCES),
)
