"""How much of a shop's own limit a full sync uses, and how long a withdrawal waits beside it.

The simulated shop is the judge: it counts requests or points, and refuses what is too much.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.events import Kind
from pipeline.sandbox.shops import forms
from pipeline.sandbox.shops.newsletter import Newsletter, NewsletterSettings, Person
from pipeline.sandbox.shops.quirks import Quirks
from pipeline.sandbox.shops.shop import Limit
from pipeline.shops.api import ApiRequest
from pipeline.shops.consent import Wanted as Consent
from pipeline.sync.answers import Answer, Found, Missing, Refused, TooMany, meant
from pipeline.sync.consent.writing import Outcome, Writing
from pipeline.sync.lanes import ShopLane
from pipeline.sync.pull.state import RunStatus, Wanted
from tests.shop_lists import SIMULATED, said
from tests.simulation import virtual
from tests.simulation.pulled_shop import PulledShop, graphql_row, woo_customer

#: What each shop stands, requests and seconds, how many rows are read, and how long it takes to answer.
CASES: dict[str, tuple[tuple[int, float] | None, int, float, dict[str, Any]]] = {
    "woocommerce": (
        (120, 60.0),
        7_000,
        0.4,
        {"api_requests_per_minute": 120, "consent_field": "mailchimp_woocommerce_is_subscribed"},
    ),
    "prestashop": ((240, 60.0), 200, 0.4, {"webservice_requests_per_minute": 240}),
    "vtex": ((600, 60.0), 3_000, 0.4, {"requests_per_minute": 600}),
    "magento": ((4, 1.0), 1_200, 0.2, {}),
    "generic": ((120, 60.0), 1_200, 0.4, {"api_requests_per_minute": 120, "api_token": "token"}),
    "shopify": (None, 2_500, 0.4, {"points": 1_000}),
    "shopify, a large plan": (None, 4_000, 0.4, {"points": 2_000, "restore": 500}),
}
#: A withdrawal asks, writes and reads again.
ASKS, EVERY, PEOPLE = 3, 7.0, 100


class JudgedShop(PulledShop):
    """A shop that takes its time, counts what it is asked, and refuses what is too much."""

    def __init__(self, name: str) -> None:
        platform = name.partition(",")[0]
        limit, rows, self.seconds, own = CASES[name]
        counts_points = platform == "shopify"
        super().__init__(platform, lists=own if counts_points else None, **({} if counts_points else own))
        self.judged: list[tuple[float, int]] = []
        self._random = random.Random(name)  # noqa: S311 - times only
        at = virtual.EPOCH - 86_400
        people = [Person(id=str(n + 1), email=address(n), state="subscribed", at=at) for n in range(PEOPLE)]
        self.held = Newsletter(NewsletterSettings(form=platform, people=people))
        if limit is not None:
            judge = Limit(requests=limit[0], seconds=limit[1])
            self.shop.settings = self.shop.settings.model_copy(update={"limit": judge})
        self._fill(platform, rows)

    def _fill(self, platform: str, rows: int) -> None:
        at = datetime.fromtimestamp(virtual.EPOCH - 40 * 86_400, UTC)
        if platform in {"woocommerce", "shopify"}:
            when = at.strftime("%Y-%m-%dT%H:%M:%S")
            if platform == "shopify":
                self.kind = Kind.ORDER
                self.holds(self.kind, *(graphql_row("Order", number, when) for number in range(1, rows)))
            else:
                self.kind = Kind.CUSTOMER
                self.holds(self.kind, *(woo_customer(number, when) for number in range(1, rows)))
            return
        simulated, self.kind = SIMULATED[platform], Kind.ORDER
        lists = self.shop.pages = simulated.lists()
        if platform != "vtex":
            simulated.quirk(lists, Quirks(shortest=10))
        for number in range(1, rows):
            changed = at + timedelta(seconds=number)
            simulated.put(lists, self.kind, said(platform, self.kind, str(number), changed))

    async def send(self, request: ApiRequest) -> Answer:
        """Requests are counted when they arrive, after a part of the time that differs."""
        there = self.seconds * self._random.uniform(0.05, 0.1)
        await asyncio.sleep(there)
        now, api = virtual.wall(), self.platform.api
        assert api is not None
        over = self.shop.is_over_limit(now)
        found = None if over else self._page(request, now)
        await asyncio.sleep(self.seconds - there)
        if over:
            self.judged.append((now, 429))
            return TooMany(None)
        if found is None or found.status == 404:
            self.judged.append((now, 200))
            return Missing(404)
        raw = json.dumps(found.body).encode()
        answer = meant(Found(raw, json.loads(raw), found.headers), api.heard)
        self.judged.append((now, 429 if isinstance(answer, TooMany) else found.status))
        return answer if found.status == 200 else Refused(found.status)

    def _page(self, request: ApiRequest, now: float) -> Any:
        place, _, query = request.path.partition("?")
        asked = forms.ShopRequest(request.method, place, query, request.body, now, lists=True)
        found: Any = forms.answer(self.held, asked, self.shop.bucket)
        if found is None:
            found = self.shop.listed(request.method, request.path, request.headers, request.body, now)
        return found

    async def withdraws(self) -> float:
        """A person leaves in Connectif; returns the seconds until the shop holds it."""
        consent, began, number = self.platform.consent, virtual.wall(), len(self.held.written)
        assert consent is not None
        writing = Writing(consent, self.settings, virtual.wall)
        wanted = Consent(address(number), "unsubscribed", int(virtual.wall() * 1_000))
        done = await writing.bring(
            wanted, None, lambda request: self.requests.send(request, ShopLane.WITHDRAWAL)
        )
        assert done is Outcome.WRITTEN, done
        return virtual.wall() - began

    @property
    def statuses(self) -> Counter[int]:
        return Counter(status for _, status in self.judged)

    def share(self) -> float:
        """Of what the shop would have allowed from the first request until the last."""
        if self.shop.bucket is not None:
            figures = self.shop.bucket.figures()
            return figures["spent"] / figures["allowed"]
        limit = self.shop.settings.limit
        assert limit is not None
        span = max(at for at, _ in self.judged) - min(at for at, _ in self.judged)
        return self.statuses[200] / (limit.requests * span / limit.seconds)


def address(number: int) -> str:
    return f"reader{number}@mail.example"


async def leave(shop: JudgedShop, waits: list[float]) -> None:
    """One person after the other, until the sync is over."""
    while True:
        await asyncio.sleep(EVERY)
        took = await shop.withdraws()
        waits.append(took - shop.seconds * ASKS)


@pytest.mark.parametrize("name", CASES)
def test_a_full_sync_uses_the_shops_own_limit_and_holds_up_no_withdrawal(name: str) -> None:
    shop, waits = JudgedShop(name), list[float]()

    async def played() -> None:
        beside = asyncio.create_task(leave(shop, waits))
        await shop.runs(Wanted.FULL, kinds=(shop.kind,))
        if beside.done():
            beside.result()
        beside.cancel()

    virtual.run(played())
    assert shop.state.run is not None
    assert shop.state.run.status is RunStatus.DONE
    assert shop.statuses[429] == 0
    assert shop.share() >= 0.95
    assert max(waits) < 0.6, "what the limit adds to the shop's own time"
