"""Newsletter callbacks to the end: Connectif, gateway, Kafka, sync, shop; whatever is killed."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from statistics import quantiles
from typing import Any

import httpx
import pytest

from tests.broker import RunningKafka
from tests.integration.operating import Site, running_site
from tests.local_http import http
from tests.platforms import IN_TESTS
from tests.processes import wait_until

pytestmark = pytest.mark.kafka
log = logging.getLogger(__name__)
TOKEN, SECRET = "callback-token-of-the-test", "the hook's own secret"
#: Stores, each with an account of its name; how their APIs are opened.
ACCESS: dict[str, dict[str, Any]] = {
    "acme-sh": {"scheme": "headers", "headers": {"x-shopify-access-token": "t"}},
    "acme-vt": {
        "scheme": "headers",
        "headers": {"X-VTEX-API-AppKey": "key", "X-VTEX-API-AppToken": "token"},
    },
}
FORMS = {"acme-sh": "shopify", "acme-vt": "vtex"}
PEOPLE, KILLED_AT = 20, 12


def store(name: str, url: str, **own: Any) -> dict[str, Any]:
    plain = {"platform": FORMS[name], "domain": f"{name}.example", "secrets": [SECRET]}
    return {**plain, "callback_tokens": [TOKEN], "api_url": f"{url}/_shops/{name}", **own}


def stores(url: str) -> dict[str, Any]:
    vtex = {"vtex_account": "exampleaccount", "app_key": "key", "app_token": "token"}
    return {
        "acme-sh": store("acme-sh", url, access_token="t"),
        "acme-vt": store("acme-vt", url, **vtex, requests_per_minute=6_000),
    }


@pytest.fixture(scope="module")
def site(kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(kafka, tmp_path_factory, "news", stores) as made:
        yield made


class Shop:
    """A shop that keeps newsletters, and its account's callbacks."""

    def __init__(self, site: Site, name: str) -> None:
        self.name, self._site = name, site
        url = site.connectif.url
        self._control = f"{url}/_sandbox/shops/{name}"
        people = [
            {"id": str(700 + n), "email": address(n), "state": "subscribed", "at": time.time() - 60}
            for n in range(PEOPLE)
        ]
        http.put(self._control, json={"access": ACCESS[name]}).raise_for_status()
        held = {"form": FORMS[name], "people": people}
        http.put(f"{self._control}/newsletter", json=held).raise_for_status()
        gateway = f"{site.gateway}/callbacks/{name}/{TOKEN}"
        urls = {what: f"{gateway}/{what}" for what in ("subscribed", "unsubscribed", "bounced")}
        http.post(f"{url}/_sandbox/callback-urls", json={"account": name, **urls}).raise_for_status()

    def says(self, what: str, email: str) -> float:
        """A person says it in Connectif, whose callback is answered 200; when, epoch seconds."""
        began = time.time()
        said = {"account": self.name, "type": what, "email": email, "ip": "203.0.113.7"}
        report = http.post(f"{self._site.connectif.url}/_sandbox/callbacks", json=said, timeout=30).json()
        assert report["ok"], report
        return began

    @property
    def asked(self) -> set[str]:
        """What was asked of its API."""
        return {one["path"] for one in http.get(self._control).json()["log"]}

    @property
    def held(self) -> dict[str, str]:
        """What the shop holds, by address."""
        people = http.get(f"{self._control}/newsletter").json()["people"]
        return {one["email"]: one["state"] for one in people}

    @property
    def written(self) -> dict[str, float]:
        """When each address was written, epoch seconds."""
        return {one["email"]: one["at"] for one in http.get(f"{self._control}/newsletter").json()["written"]}


def buried(site: Site, store: str) -> int:
    """How many statements of a store the sync worker gave up since it started."""
    text = http.get(f"{site.urls['sync']}/metrics").text
    line = f'pipeline_sync_consents_total{{outcome="dead",state="unsubscribed",store="{store}"}} '
    return sum(float(one.removeprefix(line)) > 0 for one in text.splitlines() if one.startswith(line))


def address(number: int) -> str:
    return f"reader{number}@mail.example"


def test_who_leaves_in_connectif_has_left_the_shop_whatever_is_killed(site: Site) -> None:
    shops = [Shop(site, name) for name in FORMS]
    said: dict[tuple[str, str], float] = {}
    for number in range(PEOPLE):
        for shop in shops:
            said[shop.name, address(number)] = shop.says("unsubscribed", address(number))
        if number == KILLED_AT - 1:  # all before it are written by then: their times are those of every day
            wait_until(lambda: all(len(one.written) >= KILLED_AT for one in shops), 20, every=0.1)
        if number == KILLED_AT + 3:
            site.kill("sync")
    for shop in shops:
        shop.says("unsubscribed", "stranger@mail.example")
        shop.says("bounced", address(0))
    everybody = {address(number): "unsubscribed" for number in range(PEOPLE)}
    wait_until(lambda: all(shop.held == everybody for shop in shops), 60, every=0.3)
    wait_until(lambda: sum(buried(site, name) for name in FORMS) >= len(shops), 20, every=0.2)
    dead = [(one["store"], one["reason"]) for one in site.dead()]
    assert sorted(set(dead)) == [(name, "unknown_at_shop") for name in FORMS]
    times = [
        shop.written[address(number)] - said[shop.name, address(number)]
        for shop in shops
        for number in range(KILLED_AT)
    ]
    cuts = quantiles(times, n=20)
    log.info("p50 %.3f s, p95 %.3f s of %d withdrawals", cuts[9], cuts[18], len(times))
    assert cuts[9] < 5.0
    assert "mail.example" not in site.log("sync") + site.log("gateway")
    assert TOKEN not in site.log("sync") + site.log("gateway")
    # VTEX keeps no time of an opt-in: each client that was written is looked at once more.
    looks = {f"/api/dataentities/CL/documents/{700 + number}?_fields=_all" for number in range(PEOPLE)}
    wait_until(lambda: looks <= shops[1].asked, 20, every=0.2)


def test_the_shops_webhook_about_what_we_wrote_costs_no_call(site: Site) -> None:
    shop = Shop(site, "acme-sh")
    shop.says("unsubscribed", address(1))
    wait_until(lambda: shop.held[address(1)] == "unsubscribed", 20, every=0.1)
    before = site.connectif.calls()["acme-sh"]
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(shop.written[address(1)]))
    consent = {"state": "unsubscribed", "opt_in_level": "single_opt_in", "consent_updated_at": at}
    body = {"customer_id": 701, "email_address": address(1), "email_marketing_consent": consent}
    accepted = site.totals().events["acme-sh", "customer"].total()
    how = IN_TESTS["shopify"]
    raw = httpx.Request("POST", "http://x", json=body).content
    headers = how.signed("customers_email_marketing_consent/update", raw, SECRET.encode(), {})
    assert site.sends("shopify/acme-sh", raw, headers) == 200
    wait_until(lambda: site.totals().events["acme-sh", "customer"].total() > accepted, 20, every=0.2)
    wait_until(lambda: site.totals().is_at_rest, 20, every=0.2)
    assert site.connectif.calls()["acme-sh"] == before
