"""Shops whose webhooks only name what happened: nothing is lost, whatever is killed or fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.broker import RunningKafka
from tests.integration.operating import Site
from tests.processes import wait_until
from tests.shop_bodies import Sale, Sent, SoldLine
from tests.shop_bodies.vtex import BODIES

pytestmark = pytest.mark.kafka
STORE, SECRET = "acme-br", "the hook's own secret"
HEADERS = {"X-Webhook-Secret": SECRET}


def store_at(url: str) -> dict[str, Any]:
    """A store whose API is that of the sandbox."""
    return {
        STORE: {
            "platform": "vtex",
            "domain": "acme.example",
            "secrets": [SECRET],
            "vtex_account": "exampleaccount",
            "app_key": "key",
            "app_token": "token",
            "api_url": f"{url}/_shops/{STORE}",
            "requests_per_minute": 6_000,
        }
    }


class ThinShop:
    """A shop that holds orders, and notifies of them."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._control = f"{site.connectif.url}/_sandbox/shops/{STORE}"
        access = {
            "scheme": "headers",
            "headers": {"X-VTEX-API-AppKey": "key", "X-VTEX-API-AppToken": "token"},
        }
        httpx.put(self._control, json={"access": access}).raise_for_status()

    def holds(self, sent: Sent) -> None:
        """Answer with this document from now on."""
        assert sent.announced is not None
        documents = [
            {"path": path, "answers": [{"body": said}]}
            for path, said in sent.announced(sent.document).answers.items()
        ]
        httpx.put(f"{self._control}/documents", json=documents).raise_for_status()

    def notifies(self, sent: Sent) -> int:
        """Send the webhook."""
        return self._site.sends(f"vtex/{STORE}", sent.body, HEADERS)

    def fault(self, **fault: Any) -> None:
        """Let something go wrong."""
        httpx.post(f"{self._control}/faults", json=fault).raise_for_status()

    def well(self) -> None:
        """Let all go well."""
        httpx.delete(f"{self._control}/faults").raise_for_status()

    def figures(self) -> dict[str, Any]:
        """What was asked."""
        found: dict[str, Any] = httpx.get(self._control).json()
        return found


@pytest.fixture(scope="module")
def site(kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("sync")
    base = {"kafka": {"bootstrap": kafka.bootstrap, "topic_prefix": f"sync{time.time_ns()}-"}}
    made = Site(directory, base, store_at)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def purchases(site: Site) -> dict[str, dict[str, Any]]:
    """What Connectif holds, by id."""
    items = site.connectif.ledger(STORE, "purchases")
    return {item["key"]: item for item in items if not item["deleted"]}


def sale(number: int, *, state: Any = "sold", units: int = 1) -> Sent:
    """An order of a person of its own."""
    line = SoldLine(product=str(500 + number), variant=str(9_000 + number), quantity=units)
    total = f"{10 * units}.00"
    email = f"buyer{number}@mail.example"
    return BODIES.order(
        Sale(str(1_000 + number), state=state, total=total, lines=(line,), email=email, customer=f"u{number}")
    )


def test_every_notification_ends_in_what_the_shop_holds_whatever_is_killed_or_fails(site: Site) -> None:
    shop, orders = ThinShop(site), range(40)
    for number in orders:
        shop.holds(sale(number, units=1 + number % 3))
    for number in orders:
        assert shop.notifies(sale(number)) == 200
        if number in {8, 24}:
            site.kill("sync")
        if number == 16:
            shop.fault(kind="down", count=3)
            shop.fault(kind="html", count=2)
        if number == 20:
            site.kill("translate")
        if number == 24:
            shop.fault(kind="server_error", path="/api/oms/pvt/orders/1030", count=2)
    cancelled = orders[::8]
    for number in cancelled:
        shop.holds(sale(number, state="cancelled"))
        shop.notifies(sale(number, state="cancelled"))
        shop.notifies(sale(number, state="unsold"))  # an old one, that comes after the news
    left = {str(1_000 + number): number for number in orders if number not in cancelled}
    wait_until(lambda: purchases(site).keys() == left.keys(), 90, every=0.5)
    held = purchases(site)
    for purchase_id, number in left.items():
        assert held[purchase_id]["body"]["totalPrice"] == 10.0 * (1 + number % 3)
        assert held[purchase_id]["body"]["contactEmail"] == f"buyer{number}@mail.example"
        assert held[purchase_id]["creates"] == 1


def test_wrong_credentials_are_said_by_log_and_metric_and_nothing_is_lost(site: Site) -> None:
    shop = ThinShop(site)
    shop.holds(sale(900))
    shop.fault(kind="unauthorised", count=1)
    shop.notifies(sale(900))
    wait_until(lambda: "its API cannot be asked now (unauthorised)" in site.log("sync"), 20, every=0.2)
    text = httpx.get(f"{site.urls['sync']}/metrics").text
    assert f'pipeline_sync_stopped{{reason="unauthorised",store="{STORE}"}} 1.0' in text
    assert f'pipeline_sync_waiting{{store="{STORE}"}} 1.0' in text
    assert "app_key" not in site.log("sync")
    site.kill("sync")  # a restart, as an operator's after correcting the settings, asks at once
    wait_until(lambda: "1900" in purchases(site), 60, every=0.5)
