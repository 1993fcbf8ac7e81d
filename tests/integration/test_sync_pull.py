"""`pipeline sync` on a real broker: everything, then what webhooks did not tell, whatever is killed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from pipeline.events import Kind
from tests.broker import RunningKafka
from tests.integration.operating import Site, running_site
from tests.local_http import http
from tests.platforms import IN_TESTS
from tests.processes import wait_until
from tests.shop_bodies import Article, Person, Sale, SoldLine, shopify_rows

pytestmark = [pytest.mark.kafka, pytest.mark.slow]  # in CI: test_sync_proof.py, and reconcile in the demo
SECRET = "the hook's own secret"
SETTINGS: dict[str, dict[str, Any]] = {
    "pull-woo": {
        "platform": "woocommerce",
        "consumer_key": "ck",
        "consumer_secret": "cs",
        "api_requests_per_minute": 6_000,
    },
    "pull-shopify": {"platform": "shopify", "client_id": "client", "client_secret": "hush"},
}
ACCESS: dict[str, dict[str, Any]] = {
    "pull-woo": {"scheme": "basic", "user": "ck", "password": "cs"},
    "pull-shopify": {
        "scheme": "expiring",
        "token_path": "/admin/oauth/access_token",
        "client_id": "client",
        "client_secret": "hush",
        "header": "x-shopify-access-token",
        "life": 6,
    },
}
CUSTOMERS, PRODUCTS, ORDERS = range(80), range(60), range(120)


@pytest.fixture(scope="module")
def site(kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    def stores(url: str) -> dict[str, Any]:
        plain = {"secrets": [SECRET]}
        return {
            name: {**plain, **given, "domain": f"{name}.example", "api_url": f"{url}/_shops/{name}"}
            for name, given in SETTINGS.items()
        }

    with running_site(kafka, tmp_path_factory, "pull", stores) as made:
        yield made


class ListedShop:
    """A shop of one store: what its API lists and what it sends."""

    def __init__(self, site: Site, store: str) -> None:
        self.site, self.store = site, store
        self.platform = SETTINGS[store]["platform"]
        self.sales: dict[str, Sale] = {}
        self._control = f"{site.connectif.url}/_sandbox/shops/{store}"
        lists = {"platform": self.platform, "points": 400, "restore": 400}
        made = {"access": ACCESS[store], "latency": 0.5, "lists": lists}
        http.put(self._control, json=made).raise_for_status()

    def row(self, told: Sale | Person | Article) -> tuple[str, Kind, dict[str, Any], dict[str, Any]]:
        """Topic, kind, body and row of what the shop has."""
        how = IN_TESTS[self.platform].bodies
        match told:
            case Sale():
                kind, sent, listed = Kind.ORDER, how.order(told), shopify_rows.order(told)
            case Person():
                kind, sent, listed = Kind.CUSTOMER, how.customer(told), shopify_rows.customer(told)
            case Article():
                kind, sent, listed = Kind.PRODUCT, how.product(told), shopify_rows.product(told)
        row = sent.document if self.platform == "woocommerce" else listed
        return sent.topic, kind, sent.document, row

    def holds(self, *told: Sale | Person | Article) -> None:
        """Let the API list these from now on."""
        rows: dict[str, list[Any]] = {}
        for one in told:
            _, kind, _, row = self.row(one)
            rows.setdefault(f"{kind}s", []).append(row)
            if isinstance(one, Sale):
                self.sales[one.id] = one
        held = [{"list": name, "rows": found} for name, found in rows.items()]
        http.put(f"{self._control}/rows", json=held).raise_for_status()

    def loses(self, kind: Kind, *ids: str) -> None:
        """Let the API list these no more."""
        gid = "" if self.platform == "woocommerce" else f"gid://shopify/{kind.title()}/"
        held = [{"list": f"{kind}s", "gone": [f"{gid}{one}" for one in ids]}]
        http.put(f"{self._control}/rows", json=held).raise_for_status()

    def sends(self, told: Sale | Person | Article, number: int) -> None:
        """Send the webhook of one."""
        topic, _, body, _ = self.row(told)
        how = IN_TESTS[self.platform]
        raw = how.with_topic(topic, orjson.dumps(body))
        own = {how.delivery_header: f"{self.store}-{number}"} if how.delivery_header else {}
        headers = how.signed(topic, raw, SECRET.encode(), {**own, **how.at(time.time())})
        assert self.site.sends(f"{self.platform}/{self.store}", raw, headers) == 200

    def asked(self) -> int:
        """Requests that were answered."""
        return int(http.get(self._control).json()["requests"])

    def fault(self, **fault: Any) -> None:
        http.post(f"{self._control}/faults", json=fault).raise_for_status()

    def purchases(self) -> dict[str, tuple[float, int]]:
        """What Connectif holds: total, and how often it was made."""
        items = self.site.connectif.ledger(self.store, "purchases")
        kept = (one for one in items if not one["deleted"])
        return {one["key"]: (one["body"]["totalPrice"], one["creates"]) for one in kept}

    def truth(self) -> dict[str, tuple[float, int]]:
        sold = (one for one in self.sales.values() if one.state == "sold")
        return {one.id: (float(one.total), 1) for one in sold}

    def held(self, kind: str) -> dict[str, dict[str, Any]]:
        items = self.site.connectif.ledger(self.store, kind)
        return {one["key"]: one["body"] for one in items if not one["deleted"]}

    def sync(self, *words: str) -> Any:
        """`pipeline sync`, until it is over."""
        return run(self.site, self.store, *words)


def run(site: Site, *words: str, code: int = 0) -> Any:
    command = [sys.executable, "-m", "pipeline", "sync", *words, "--config", str(site.path)]
    done = subprocess.run(command, capture_output=True, timeout=90, check=False)
    assert done.returncode == code, done.stderr.decode() + done.stdout.decode()
    return orjson.loads(done.stdout) if "--json" in words else done.stdout.decode().strip()


def before(minutes: float) -> datetime:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).replace(microsecond=0)


def sale(number: int, minutes: float, **more: Any) -> Sale:
    at = before(minutes)
    made = Sale(
        str(1_000 + number),
        placed=at,
        changed=at,
        lines=(SoldLine(product=str(500 + number % len(PRODUCTS)), variant=str(9_000 + number)),),
        customer=str(7_000 + number % len(CUSTOMERS)),
        email=f"c{number % len(CUSTOMERS)}@mail.example",
    )
    return replace(made, **more)


def person(number: int, minutes: float, **more: Any) -> Person:
    at = before(minutes)
    made = Person(str(7_000 + number), email=f"c{number}@mail.example", created=at, changed=at, consented=at)
    return replace(made, **more)


def article(number: int, minutes: float, **more: Any) -> Article:
    return replace(
        Article(str(500 + number), variant=str(9_500 + number), sku=None, changed=before(minutes)), **more
    )


def status(site: Site, store: str) -> dict[str, Any]:
    [found] = run(site, "status", "--store", store, "--json")
    return dict(found)


@pytest.fixture(name="shops", scope="module")
def _shops(site: Site) -> list[ListedShop]:
    return [ListedShop(site, store) for store in SETTINGS]


def test_connectif_holds_what_the_shop_does_though_sync_is_killed_and_webhooks_are_lost(
    site: Site, shops: list[ListedShop]
) -> None:
    for shop in shops:
        shop.holds(*(sale(number, 2_000 - number) for number in ORDERS))
        shop.holds(*(person(number, 3_000 - number) for number in CUSTOMERS))
        shop.holds(*(article(number, 4_000 - number) for number in PRODUCTS))
    both(shops, "--full", "--detach")
    for pages in (3, 8):
        wait_until(lambda pages=pages: shops[1].asked() >= pages, 40, every=0.05)  # type: ignore[misc]
        site.kill("sync")
    shops[0].fault(kind="html", count=2)
    wait_until(lambda: all(over(site, shop.store) == "done" for shop in shops), 60, every=0.5)
    for shop in shops:
        holds_the_truth(shop)
    assert all(len(shop.held("contacts")) == len(CUSTOMERS) for shop in shops)

    for shop in shops:
        new = [sale(number, 5, total="40.00") for number in range(200, 230)]
        gone = [sale(number, 4, state="cancelled") for number in range(10)]
        shop.holds(*new, *gone)
        for number, one in enumerate([*new, *gone]):
            if number % 2:  # every other one is lost
                shop.sends(one, number)
        shop.holds(article(3, 5, price="8.00"), person(5, 5, name="Bea"))
        shop.loses(Kind.PRODUCT, "504")
    told = site.connectif.calls()
    for found in both(shops, "--json"):
        assert found["run"]["status"] == "done"
        assert sum(one["deleted"] for one in found["run"]["passes"]) == 1
    for shop in shops:
        holds_the_truth(shop)
    for shop in shops:
        wait_until(lambda shop=shop: brought(shop), 30, every=0.5)  # type: ignore[misc]
    wait_until(lambda: site.totals().is_at_rest, 20, every=0.5)
    assert list(site.totals().unbalanced(repeats=True)) == []

    calls = site.connectif.calls() - told
    found = [one["run"]["passes"] for one in both(shops, "--json")]
    wait_until(lambda: site.totals().is_at_rest, 20, every=0.5)
    assert [sum(one["sent"] for one in passes) for passes in found] == [0, 0]
    assert (site.connectif.calls() - told) == calls, "what was told before costs no call"
    assert site.dead() == []
    assert all(status(site, shop.store)["complete_ms"] > 0 for shop in shops)


def test_reconcile_finds_by_the_shops_own_list_what_no_webhook_told_and_has_it_read(
    site: Site, shops: list[ListedShop]
) -> None:
    lost = [sale(number, 10) for number in range(300, 303)]
    unpaid, late = sale(310, 9, state="unsold"), sale(310, 9, changed=before(8))
    for shop in shops:
        shop.holds(*lost, late)
        shop.sends(unpaid, 5_000)
        told = shop.sales["1050"]
        shop.holds(replace(told, state="cancelled", changed=before(7)))
    wait_until(lambda: site.totals().is_at_rest, 20, every=0.5)
    site.kill("sync")
    for shop, tree in zip(shops, reconciled(shops, 1, "--repair"), strict=True):
        assert {one["id"]: (one["category"], one["stage"], one["reason"]) for one in bad(tree)} == {
            **{one.id: ("missing", "never_received", "") for one in lost},
            late.id: ("missing", "never_received", "sold_since"),
            "1050": ("different", "in_connectif", "unsold"),
        }
        assert (tree["repair"]["read_again"], tree["repair"]["left"]) == (5, {})
        assert tree["shop"] == f"{len(shop.sales)} orders of the shop's API"
        assert tree["counts"]["there"] == len(shop.truth()) - len(lost) - 1
    for shop in shops:
        holds_the_truth(shop)
    wait_until(lambda: site.totals().is_at_rest, 20, every=0.5)
    assert [bad(tree) for tree in reconciled(shops, 0)] == [[], []]


def reconciled(shops: list[ListedShop], code: int, *words: str) -> list[dict[str, Any]]:
    """`pipeline reconcile` of each, since some days ago, without a list."""
    since = (datetime.now(UTC) - timedelta(days=4)).date().isoformat()

    def of(shop: ListedShop) -> dict[str, Any]:
        given = ["--since", since, "--json", *words, "--config", str(shop.site.path)]
        command = [sys.executable, "-m", "pipeline", "reconcile", shop.store, *given]
        done = subprocess.run(command, capture_output=True, timeout=120, check=False)
        assert done.returncode == code, done.stderr.decode() + done.stdout.decode()
        assert done.stdout, done.stderr.decode()
        return dict(orjson.loads(done.stdout))

    with ThreadPoolExecutor() as pool:
        return list(pool.map(of, shops))


def bad(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """The findings that speak against it."""
    return [one for one in tree["orders"] if one["category"] not in {"there", "not_due"}]


def holds_the_truth(shop: ListedShop) -> None:
    """That Connectif's purchases become those of the shop, each made once."""
    try:
        wait_until(lambda: shop.purchases() == shop.truth(), 60, every=0.5)
    except TimeoutError:
        held, sold = shop.purchases(), shop.truth()
        different = {key: (held.get(key), sold.get(key)) for key in held.keys() | sold.keys()}
        assert {key: pair for key, pair in different.items() if pair[0] != pair[1]} == {}, shop.store


def both(shops: list[ListedShop], *words: str) -> list[Any]:
    """`pipeline sync` of all at once."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda shop: shop.sync(*words), shops))


def over(site: Site, store: str) -> str:
    """Where the last run of a store is; "" where its worker does not say."""
    try:
        answer = http.get(f"{site.urls['sync']}/sync/store", params={"store": store})
        return str((answer.json().get("run") or {}).get("status", ""))
    except (httpx.HTTPError, ValueError):
        return ""


def brought(shop: ListedShop) -> bool:
    """Whether the price, the name and the deletion came."""
    products, contacts = shop.held("products"), shop.held("contacts")
    priced = float(products["503"]["unitPrice"]) == 8.0
    hidden = products["504"].get("availability") == "outofstock"
    return priced and hidden and contacts["c5@mail.example"].get("_name") == "Bea"
