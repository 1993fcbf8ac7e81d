"""A simulated shop whose orders are listed, through the owner of its store."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from pipeline import config
from pipeline.sandbox.shops.app import CONTROL, SHOPS, SimulatedShops
from pipeline.shops.registry import PLATFORMS
from pipeline.sync.client import ShopClient
from pipeline.sync.listed import ListedOrder
from pipeline.sync.listing import Reading
from pipeline.sync.requests import ShopRequests
from pipeline.translate.reading import feeds
from tests.listed_shops import ACCESS, row_of
from tests.settings_trees import store_tree
from tests.shop_bodies import ZONE, Sale, SoldLine
from tests.simulation import virtual

HOST = "http://127.0.0.1:9"
NOW = datetime.fromtimestamp(virtual.EPOCH, UTC)


def sale(number: int, hours: float, **more: Any) -> Sale:
    """An order of so many hours ago."""
    at = NOW - timedelta(hours=hours)
    line = SoldLine(product="77", variant="770")
    made = Sale(str(1_000 + number), placed=at, changed=at + timedelta(minutes=1), lines=(line,))
    return replace(made, **more)


class Listed:
    """A shop, and the reading of its orders."""

    def __init__(self, platform: str, shops: SimulatedShops, client: ShopClient, settings: Any) -> None:
        self.platform = platform
        self._web = httpx.AsyncClient(transport=httpx.ASGITransport(shops), base_url=HOST)
        self.settings = settings
        self.feed = feeds(settings, PLATFORMS)["acme"]
        api = PLATFORMS[platform].api
        assert api is not None
        limit = api.limit(settings.stores["acme"])
        self.requests = ShopRequests("acme", limit, client, clock=virtual.wall, random=lambda: 1.0)

    async def control(self, method: str, what: str, said: Any = None) -> Any:
        content = b"" if said is None else json.dumps(said).encode()
        answer = await self._web.request(method, f"{CONTROL}acme{what}", content=content)
        return answer.raise_for_status().json()

    async def holds(self, *sales: Sale) -> None:
        found = [row_of(self.platform, one) for one in sales]
        await self.control("PUT", "/rows", [{"list": "orders", "rows": [one.row for one in found]}])
        held = [
            {"path": path, "answers": [{"body": body}]} for one in found for path, body in one.answers.items()
        ]
        await self.control("PUT", "/documents", held)

    def reading(self, since: datetime | None) -> Reading:
        since_ms = None if since is None else int(since.timestamp() * 1_000)
        return Reading(self.feed, self.requests, since_ms, clock=virtual.wall, random=lambda: 1.0)

    async def aclose(self) -> None:
        await self._web.aclose()


@asynccontextmanager
async def listed(platform: str, **changes: Any) -> AsyncIterator[Listed]:
    access, own = ACCESS[platform]
    api_url = f"{HOST}{SHOPS}acme"
    tree = {
        "accounts": {"acme": {"api_key": "acme:secret", "base_url": HOST, "currency": "EUR"}},
        "stores": {
            "acme": store_tree(platform, "acme", api_url=api_url, timezone=ZONE, **{**own, **changes})
        },
    }
    settings = config.parse(tree, {})
    shops = SimulatedShops(virtual.wall)
    api = PLATFORMS[platform].api
    assert api is not None
    client = ShopClient(
        api,
        settings.stores["acme"],
        transport=httpx.ASGITransport(shops),
        timeout=5,
        clock=virtual.wall,
    )
    made = Listed(platform, shops, client, settings)
    await made.control("PUT", "", {"access": access, "lists": {"platform": platform}})
    try:
        yield made
    finally:
        await made.aclose()
        await client.aclose()


def newest(orders: Sequence[ListedOrder]) -> dict[str, ListedOrder]:
    return {one.entity: one for one in orders}
