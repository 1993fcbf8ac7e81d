"""What all steps of one store's check share: its settings, the two APIs, and the ids of the test sale."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

import httpx

from pipeline.config import Settings
from pipeline.connectif.answers import Answer
from pipeline.connectif.client import ConnectifClient
from pipeline.shops.platform import AnyPlatform
from pipeline.shops.probe import DIGITS, Trial
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.settings import StoreSettings
from pipeline.spare_calls import SpareCalls
from pipeline.sync.client import ShopClient

#: Calls of an account a minute that a check may make, and what it needs at most.
CALLS = 25
#: Seconds for one request to a shop, to Connectif or to the gateway.
REQUEST_SECONDS = 15.0


class AccountCalls:
    """Calls to one account, within what its worker leaves."""

    def __init__(self, name: str, settings: Settings, client: ConnectifClient) -> None:
        account = settings.accounts[name]
        most = min(CALLS, account.calls_per_minute - account.reserve_calls)
        self.name = name
        self.client = client
        self._spare = SpareCalls(name, account, most, "read and write what is delivered")

    async def call(self, request: Callable[[ConnectifClient], Awaitable[Answer]]) -> Answer:
        """Make a call."""
        return await self._spare.answered(lambda: request(self.client))

    @property
    def made(self) -> int:
        """How many were made."""
        return self._spare.made


@dataclass(slots=True)
class StoreCheck:
    """One store under check; an async context manager.

    Attributes:
        settings: the program's.
        name: the store's.
        gateway: where the gateway answers on this machine, where it has no public address.
        repair: whether webhooks are made and repaired.
        wait: seconds for the test sale to reach Connectif.
        trial: the test sale.
        accounts: those that the store feeds.
        called_back: whether a callback of Connectif's is worth a try: the gateway knows its address, and the
            sync worker asks the shop.
        shop: its API; None where the store has no credentials for it.
        web: for requests to the gateway.
    """

    settings: Settings
    name: str
    gateway: str
    repair: bool = False
    wait: float = 45.0
    trial: Trial = field(default_factory=lambda: trial_of(datetime.now(UTC)))
    accounts: dict[str, AccountCalls] = field(default_factory=dict)
    called_back: bool = False
    shop: ShopClient | None = None
    web: httpx.AsyncClient = field(init=False)
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def store(self) -> StoreSettings:
        """Its settings."""
        return self.settings.stores[self.name]

    @property
    def platform(self) -> AnyPlatform:
        """What it runs on."""
        return PLATFORMS[self.store.platform]

    @property
    def address(self) -> str | None:
        """Where its webhooks must post; None where the settings do not say."""
        public = self.settings.gateway.public_url
        return None if public is None else f"{public.rstrip('/')}{self.path}"

    @property
    def path(self) -> str:
        """Of its webhooks."""
        return f"/webhooks/{self.store.platform}/{self.name}"

    async def __aenter__(self) -> Self:
        """Open the connections."""
        seconds = min(REQUEST_SECONDS, self.settings.deliver.call_timeout)
        for name in self.store.accounts:
            client = ConnectifClient(name, self.settings.accounts[name], timeout=seconds)
            await self._open.enter_async_context(client)
            self.accounts[name] = AccountCalls(name, self.settings, client)
        self.web = await self._open.enter_async_context(
            httpx.AsyncClient(timeout=REQUEST_SECONDS, follow_redirects=False)
        )
        api = self.platform.api
        examination = self.platform.examination
        if api is not None and (examination is None or examination.ready(self.store)):
            transport = httpx.AsyncHTTPTransport(retries=1)
            self.shop = ShopClient(api, self.store, transport=transport, timeout=REQUEST_SECONDS)
            self._open.push_async_callback(self.shop.aclose)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()


def trial_of(now: datetime, currency: str = "EUR", language: str = "es") -> Trial:
    """A test sale with ids of its own."""
    placed = now.replace(microsecond=0)
    return Trial(_number(), _number(), currency, placed, placed + timedelta(seconds=1), language)


def _number() -> str:
    """Eighteen digits; the last is no 0, so that no program's rounding can have made it."""
    return f"9{secrets.randbelow(10 ** (DIGITS - 2)):0{DIGITS - 2}d}{1 + secrets.randbelow(9)}"
