"""Shops whose webhooks can be listed, for tests of the check: settings, the simulated shop, a client."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx

from pipeline import config
from pipeline.check.store.context import StoreCheck
from pipeline.sandbox.shops.app import CONTROL, SHOPS, SimulatedShops
from pipeline.shops.registry import PLATFORMS
from pipeline.sync.client import ShopClient
from tests.settings_trees import store_tree

HOST = "http://127.0.0.1:9"
PUBLIC = "https://hooks.acme.example"
SECRET = "shop-secret"
#: Not a key of anybody's: Adobe's public keys have this form.
PUBLIC_KEY = (
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo\n"
    "4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0/IzW7yWR7QkrmBL7jTKEn5u\n"
    "+qKhbwKfBstIs+bMY2Zkp18gnTxKLxoS2tFczGkPLPgizskuemMghRniWaoLcyeh\n"
    "kd3qqGElvW/VDL5AaWTg0nLVkjRo9z+40RQzuVaE8AkAFmxZzow3x+VJYKdjykkJ\n"
    "0iT9wCS0DRTXu269V264Vf/3jvredZiKRkgwlL9xNAwxXFg0x/XFw005UWVRIkdg\n"
    "cKWTjpBP2dPwVZ4WWC+9aGVd+Gyn1o0CLelf4rEjGoXbAAEgAqeGUxrcIlbjXfbc\n"
    "mwIDAQAB\n"
    "-----END PUBLIC KEY-----\n"
)

#: By platform: what lets requests in, and the settings that say so.
ACCESS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "shopify": (
        {"scheme": "headers", "headers": {"X-Shopify-Access-Token": "token"}},
        {"access_token": "token", "webhooks_by": "app"},
    ),
    "woocommerce": (
        {"scheme": "basic", "user": "ck", "password": "cs"},
        {"consumer_key": "ck", "consumer_secret": "cs"},
    ),
    "vtex": (
        {"scheme": "headers", "headers": {"X-VTEX-API-AppKey": "key", "X-VTEX-API-AppToken": "token"}},
        {"vtex_account": "acmestore", "app_key": "key", "app_token": "token"},
    ),
    "magento": (
        {"scheme": "bearer", "token": "token"},
        {"access_token": "token", "events_client_id": "client", "secrets": [PUBLIC_KEY]},
    ),
    "prestashop": ({"scheme": "basic", "user": "key"}, {"webservice_key": "key"}),
    "generic": ({"scheme": "bearer", "token": "token"}, {"api_token": "token"}),
}
#: Whose API keeps webhooks.
REGISTERED = ("shopify", "woocommerce", "vtex", "magento")
#: Shopify's names of what a store needs.
_SHOPIFY = (
    "ORDERS_CREATE",
    "ORDERS_UPDATED",
    "ORDERS_PAID",
    "ORDERS_CANCELLED",
    "ORDERS_DELETE",
    "CUSTOMERS_CREATE",
    "CUSTOMERS_UPDATE",
    "CUSTOMERS_EMAIL_MARKETING_CONSENT_UPDATE",
    "PRODUCTS_CREATE",
    "PRODUCTS_UPDATE",
    "PRODUCTS_DELETE",
)
_WOOCOMMERCE = (
    *(f"order.{done}" for done in ("created", "updated", "deleted", "restored")),
    *(f"customer.{done}" for done in ("created", "updated")),
    *(f"product.{done}" for done in ("created", "updated", "deleted", "restored")),
)


def topics_of(platform: str, address: str, secret: str) -> list[dict[str, Any]]:
    """All webhooks that a store needs, as a shop of the platform lists them; none where it lists none."""
    if platform == "shopify":
        return [
            {
                "id": f"gid://shopify/WebhookSubscription/{number}",
                "topic": topic,
                "uri": address,
                "format": "JSON",
            }
            for number, topic in enumerate(_SHOPIFY, 1)
        ]
    if platform == "woocommerce":
        return [
            {
                "id": number,
                "topic": topic,
                "delivery_url": address,
                "status": "active",
                "api_version": "wp_api_v3",
            }
            for number, topic in enumerate(_WOOCOMMERCE, 1)
        ]
    if platform == "vtex":
        hook = {"url": address, "headers": {"X-Webhook-Secret": secret}}
        states = ["payment-approved", "invoiced", "canceled"]
        return [{"filter": {"type": "FromWorkflow", "status": states}, "hook": hook}]
    return []


class Shop:
    """One simulated shop, its store's settings, and a check of it that may ask the shop alone."""

    def __init__(self, platform: str, shops: SimulatedShops, check: StoreCheck) -> None:
        self.platform = platform
        self.check = check
        self._web = httpx.AsyncClient(transport=httpx.ASGITransport(shops), base_url=HOST)

    async def control(self, method: str, what: str, said: Any = None) -> Any:
        """Set or see what the shop has."""
        content = b"" if said is None else json.dumps(said).encode()
        answer = await self._web.request(method, f"{CONTROL}acme{what}", content=content)
        return answer.raise_for_status().json()

    async def webhooks(self) -> list[dict[str, Any]]:
        """What it has."""
        found: list[dict[str, Any]] = await self.control("GET", "/webhooks")
        return found

    async def holds(self, path: str, body: Any) -> None:
        """Answer a path so."""
        await self.control("PUT", "/documents", [{"path": path, "answers": [{"body": body}]}])

    async def aclose(self) -> None:
        """Close the connections."""
        await self._web.aclose()


@contextlib.asynccontextmanager
async def shop(platform: str, *, repair: bool = False, **changes: Any) -> AsyncIterator[Shop]:
    """A shop of a platform, without webhooks."""
    access, own = ACCESS[platform]
    tree = {
        "gateway": {"public_url": PUBLIC},
        "accounts": {"acme": {"api_key": "acme:secret", "base_url": "http://127.0.0.1:9"}},
        "stores": {"acme": store_tree(platform, "acme", api_url=f"{HOST}{SHOPS}acme", **{**own, **changes})},
    }
    settings = config.parse(tree, {})
    shops = SimulatedShops()
    store = settings.stores["acme"]
    api = PLATFORMS[platform].api
    assert api is not None
    client = ShopClient(api, store, transport=httpx.ASGITransport(shops), timeout=5)
    check = StoreCheck(settings, "acme", "http://127.0.0.1:8080", repair, shop=client)
    made = Shop(platform, shops, check)
    webhooks = platform if platform in REGISTERED else None
    await made.control("PUT", "", {"access": access, "webhooks": webhooks})
    try:
        yield made
    finally:
        await made.aclose()
        await client.aclose()


def topics(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """What the webhooks of a shop are about, whatever the platform calls it."""
    return {str(row.get("topic") or row.get("name") or "order hook") for row in rows}
