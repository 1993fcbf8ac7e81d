"""What the demo does beside the webhooks: a full sync, a newsletter that is left in Connectif, a check."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx

from pipeline.check.store import passage
from pipeline.check.store.result import Outcome
from pipeline.check.store.run import check_stores
from pipeline.config import Settings
from pipeline.demo.custom_shop import Newsletter
from pipeline.demo.further import CALLBACK_TOKEN
from pipeline.sync.pull import operate, shown
from pipeline.sync.pull.stage import PAGE
from pipeline.sync.pull.state import RunStatus, Wanted

LOOK_SECONDS = 0.2
#: Seconds for the sync to be over once the webhooks are posted, though its worker may just have been killed,
#: and for a statement to reach the shop.
SYNCED_WITHIN, WRITTEN_WITHIN = 180.0, 30.0
#: Seconds for the check's test sale to reach Connectif.
SALE_WITHIN = 30.0


class Synced(NamedTuple):
    """A full sync.

    Attributes:
        store: its name.
        status: where its run is; empty: nobody says.
        read: rows, by kind.
        sent: events that came of them, by kind.
    """

    store: str
    status: str
    read: Mapping[str, int]
    sent: Mapping[str, int]

    @property
    def events(self) -> Counter[tuple[str, str]]:
        """(store, kind) -> events."""
        return Counter({(self.store, kind): count for kind, count in self.sent.items()})


class Left(NamedTuple):
    """Who left a newsletter in Connectif.

    Attributes:
        store: whose newsletter.
        email: their address.
        answered: whether Connectif's callback was answered with a 2xx.
        seconds: until the shop held it; None: it never did.
        written: whom else the shop was told of.
    """

    store: str
    email: str
    answered: bool
    seconds: float | None
    written: tuple[str, ...]

    @property
    def events(self) -> Counter[tuple[str, str]]:
        """(store, kind) -> what came into Kafka of it."""
        return Counter({(self.store, "customer"): int(self.answered)})


class Checked(NamedTuple):
    """A check of a store: steps by their outcome, and what speaks against it in words."""

    store: str
    steps: Mapping[str, int]
    against: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApiSide:
    """The custom shop's other ways, on a pipeline that is up.

    Args:
        settings: with Kafka's address.
        gateway: where it takes webhooks and callbacks.
        urls: of the processes.
        newsletter: of the shop.
    """

    settings: Settings
    gateway: str
    urls: Mapping[str, str]
    newsletter: Newsletter

    async def begin_sync(self) -> str:
        """Give the command of a full sync; the run's id."""
        said = operate.command(self.newsletter.shop, Wanted.FULL)
        await asyncio.to_thread(operate.give, self.settings, said)
        return said.id

    async def synced(self, run: str) -> Synced:
        """The run, once it is over or took too long."""
        until, found = time.monotonic() + SYNCED_WITHIN, dict[str, Any]()
        async with _web() as web:
            while time.monotonic() < until:
                found = await _page(web, f"{self.urls['sync']}{PAGE}", self.newsletter.shop) or found
                if found and shown.is_over(found, run):
                    break
                await asyncio.sleep(LOOK_SECONDS)
        done = found.get("run") or {}
        own = done if done.get("command", {}).get("id") == run else {}
        read, sent = Counter[str](), Counter[str]()
        for one in own.get("passes", ()):
            read[one["kind"]] += one["read"]
            sent[one["kind"]] += one["sent"]
        return Synced(self.newsletter.shop, str(own.get("status", "")), read, sent)

    async def leave(self) -> Left:
        """Somebody unsubscribes by a link of Connectif's; until the shop holds it."""
        shop, email = self.newsletter.shop, self.newsletter.leaves
        address = f"{self.gateway}/callbacks/{shop}/{CALLBACK_TOKEN}/unsubscribed"
        account = self.settings.stores[shop].accounts[0]
        said = {"account": account, "type": "unsubscribed", "email": email, "url": address, "ip": "192.0.2.7"}
        began, seconds, held = time.monotonic(), None, dict[str, Any]()
        async with _web() as web:
            report = (await web.post(f"{self.urls['sandbox']}/_sandbox/callbacks", json=said)).json()
            while seconds is None and time.monotonic() - began < WRITTEN_WITHIN:
                answer = await web.get(f"{self.urls['sandbox']}/_sandbox/shops/{shop}/newsletter")
                held = answer.raise_for_status().json()
                states = {one["email"]: one["state"] for one in held["people"]}
                if states.get(email) == "unsubscribed":
                    seconds = time.monotonic() - began
                else:
                    await asyncio.sleep(LOOK_SECONDS / 4)
        others = tuple(one["email"] for one in held.get("written", ()) if one["email"] != email)
        return Left(shop, email, bool(report.get("ok")), seconds, others)

    async def check(self) -> Checked:
        """As `pipeline check` has it."""
        [report] = await check_stores(
            self.settings, [self.newsletter.shop], address=self.gateway, wait=SALE_WITHIN
        )
        steps = Counter(step.outcome.value for step in report.steps)
        against = [f"{one.name}: {one.said}" for one in report.steps if one.outcome is Outcome.FAULT]
        done = {one.name for one in report.steps if one.outcome is Outcome.OK}
        against += [f"{name}: not made" for name in (passage.NAME, passage.LEFT) if name not in done]
        return Checked(report.store, steps, tuple(against))


def is_done(synced: Synced) -> bool:
    """Whether a full sync read all."""
    return synced.status == RunStatus.DONE


async def _page(web: httpx.AsyncClient, url: str, store: str) -> dict[str, Any] | None:
    """What the sync worker says of a store; None while it does not."""
    try:
        answer = await web.get(url, params={"store": store})
        return dict(answer.json()) if answer.is_success else None
    except (httpx.HTTPError, ValueError):
        return None


def _web() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=30, trust_env=False)
