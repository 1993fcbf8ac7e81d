"""A shop whose orders are read from its feed: nothing is lost or doubled, whatever is killed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.broker import RunningKafka
from tests.integration.notifying import VTEX, NotifyingShop
from tests.integration.operating import Site
from tests.local_http import http
from tests.processes import wait_until
from tests.shop_bodies import Sale, SoldLine

pytestmark = pytest.mark.kafka
STORE = "acme-br"
FEED = replace(VTEX, settings={**VTEX.settings, "orders": "feed"})
#: Seconds after which what was not committed is given out again: a kill often comes between.
VISIBILITY = 1.5
SALES, KILLS = 24, 2


class FedShop(NotifyingShop):
    """A shop that keeps a feed of its orders."""

    def opens(self, **access: Any) -> None:
        queue = {"visibility": VISIBILITY}
        http.put(self._control, json={"access": access, "queue": queue}).raise_for_status()

    def changes(self, sale: Sale) -> None:
        """Hold a sale, and put its change into the feed."""
        self.holds(sale)
        item = {
            "eventId": f"{int(sale.id):032d}",
            "domain": "Marketplace",
            "orderId": sale.id,
            "state": "payment-approved",
            "lastState": "payment-pending",
            "lastChange": "2024-05-06T12:00:05Z",
            "currentChange": "2024-05-06T12:05:41.1234567Z",
        }
        http.post(f"{self._control}/queue", json=[item]).raise_for_status()

    def queue(self) -> dict[str, int]:
        """What became of the feed's items."""
        figures: dict[str, int] = http.get(self._control).json()["queue"]
        return figures


@pytest.fixture
def site(kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    base = {"kafka": {"bootstrap": kafka.bootstrap, "topic_prefix": f"feeds{time.time_ns()}-"}}
    made = Site(tmp_path_factory.mktemp("feeds"), base, lambda url: {STORE: FEED.settings_of(STORE, url)})
    try:
        yield made
    finally:
        made.stop()


def sale(number: int) -> Sale:
    """A sold order of a person of its own."""
    return Sale(
        str(1_000 + number),
        state="sold",
        total="10.00",
        lines=(SoldLine(product="500", variant="9000"),),
        customer=str(7_000 + number),
        email=f"buyer{number}@mail.example",
    )


@pytest.mark.slow
def test_a_feed_is_read_to_connectif_though_its_reader_is_killed_again_and_again(site: Site) -> None:
    shop = FedShop(site, STORE, FEED)
    site.start()
    sold = [sale(number) for number in range(SALES)]
    given = 0
    for number, one in enumerate(sold):
        shop.changes(one)
        if number % (SALES // KILLS) == SALES // KILLS - 1:
            wait_until(lambda given=given: shop.queue()["given"] > given, 60)  # type: ignore[misc]
            site.kill("sync")
            given = shop.queue()["given"]
    shop.fault(kind="html", path="/api/orders/feed", count=2)
    wanted = {one.id for one in sold}
    wait_until(lambda: wanted <= shop.purchases().keys(), 60, every=0.3)
    wait_until(lambda: shop.queue()["waiting"] == 0, 20, every=0.3)
    wait_until(lambda: site.totals().is_at_rest, 20, every=0.3)
    assert Counter(item["creates"] for item in shop.purchases().values()) == {1: SALES}
    totals = site.totals()
    assert list(totals.unbalanced(repeats=True)) == []
    assert totals.events[STORE, "order"].total() >= 2 * SALES
    text = http.get(f"{site.urls['sync']}/metrics").text
    assert f'pipeline_sync_feed_age_seconds{{store="{STORE}"}}' in text
    assert f'pipeline_sync_feed_expired_timestamp_seconds{{store="{STORE}"}} 0.0' in text
    assert "pipeline_sync_feed_stopped{" not in text
