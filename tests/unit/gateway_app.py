"""The gateway without a socket, a broker or a disk: what it keeps is a list."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx

from pipeline import config
from pipeline.gateway.app import Gateway
from pipeline.gateway.message import Message, Overloaded, Stored
from pipeline.gateway.webhooks import Webhooks
from pipeline.shops.platform import AnyPlatform
from pipeline.shops.registry import PLATFORMS
from tests.webhooks import STORES

NOW = 1_795_000_000.5


class RecordingKeeper:
    """Keeps messages in a list, or fails as it is told."""

    def __init__(self) -> None:
        self.kept: list[Message] = []
        self.stored = Stored.KAFKA
        self.full = False

    def submit(self, message: Message) -> asyncio.Future[Stored]:
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        if self.full:
            future.set_exception(Overloaded("full"))
        else:
            self.kept.append(message)
            future.set_result(self.stored)
        return future


def gateway(
    keeper: RecordingKeeper, platforms: Mapping[str, AnyPlatform] = PLATFORMS, **limits: int
) -> Gateway:
    tree = {**STORES, "kafka": {"topic_prefix": "t-"}, "gateway": {"max_body_bytes": 20_000, **limits}}
    webhooks = Webhooks(config.parse(tree, {}), platforms, keeper, lambda: NOW)
    return Gateway(webhooks, lambda: None)


def client_of(app: Gateway) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")
