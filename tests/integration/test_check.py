"""`pipeline check` of a store at work: a sound one leaves no trace, and each fault is named, and no other."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline import config
from pipeline.check.store import access, domains, gateway, passage, tracking, webhooks
from pipeline.check.store.result import Outcome, StoreReport
from pipeline.check.store.run import check_stores
from pipeline.errors import SettingsError
from tests.broker import KafkaSettings
from tests.connectif_sandbox import LINE
from tests.integration.operating import SHOPIFY, WOO, Site

pytestmark = pytest.mark.kafka

KEY = {"Authorization": "apiKey acme:secret"}
DOMAIN = "https://acme.example"
NUMBER, NAME, PRODUCT, VARIANT = "5912345678901", "#1001", "8012345678901", "44012345678901"
PLACED = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
TOPICS = (
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
GRAPHQL = "/admin/api/2026-07/graphql.json"
SCOPES = ("read_orders", "read_all_orders", "read_customers", "read_products")


class CheckedSite(Site):
    """A site whose Shopify store has an API, in the sandbox, and whose account authorises its domain."""

    def _write(self) -> None:
        sandbox = self.tree["accounts"]["acme"]["base_url"]
        self.tree["gateway"] = {"public_url": self.urls["gateway"]}
        self.tree["accounts"]["acme"]["authorised_domains"] = [DOMAIN]
        self.tree["stores"][SHOPIFY] |= {
            "api_url": f"{sandbox}/_shops/{SHOPIFY}",
            "access_token": "shop-token",
            "webhooks_by": "app",
        }
        super()._write()

    def shop(self, method: str, what: str, said: Any) -> None:
        """Change what the shop has."""
        url = f"{self.connectif.url}/_sandbox/shops/{SHOPIFY}{what}"
        httpx.request(method, url, json=said, timeout=10).raise_for_status()

    def open_shop(self) -> None:
        """The shop as it should be, with one order that web tracking told Connectif of."""
        header = {"scheme": "headers", "headers": {"X-Shopify-Access-Token": "shop-token"}}
        self.shop("PUT", "", {"access": header, "webhooks": "shopify"})
        address = f"{self.urls['gateway']}/webhooks/shopify/{SHOPIFY}"
        rows = [
            {
                "id": f"gid://shopify/WebhookSubscription/{number}",
                "topic": topic,
                "uri": address,
                "format": "JSON",
            }
            for number, topic in enumerate(TOPICS, 1)
        ]
        self.shop("PUT", "/webhooks", rows)
        shop = {"primaryDomain": {"url": DOMAIN}, "currencyCode": "EUR"}
        granted = {"accessScopes": [{"handle": scope} for scope in SCOPES]}
        documents = {
            "Check": {"shop": shop, "currentAppInstallation": granted},
            "Probe": {"customers": {"nodes": []}},
            "Recent": {"orders": {"nodes": [_order()]}},
        }
        self.shop(
            "PUT",
            "/documents",
            [
                {"path": f"{GRAPHQL}#{name}", "answers": [{"body": {"data": data}}]}
                for name, data in documents.items()
            ],
        )

    def tracked(self, purchase_id: str, placed: datetime = PLACED) -> None:
        """Let Connectif have a purchase, as web tracking tells it, and no other."""
        for known in (NUMBER, NAME):
            self._connectif("DELETE", f"/purchases/purchase-id/{known.replace('#', '%23')}")
        self._connectif("PATCH", "/contacts/email/buyer@mail.example", {"_name": "Buyer"})
        product = {"name": "Cup", "productDetailUrl": f"{DOMAIN}/cup", "unitPrice": 21}
        self._connectif("PATCH", f"/products/product-id/{PRODUCT}", product)
        self._connectif(
            "POST",
            "/purchases/",
            {
                "purchaseId": purchase_id,
                "contactEmail": "buyer@mail.example",
                "cartId": "cart",
                "purchaseDate": placed.isoformat(),
                "totalPrice": 21,
                "totalQuantity": 2,
                "paymentMethod": "card",
                "products": [{**LINE, "productId": PRODUCT}],
            },
        )

    def _connectif(self, method: str, path: str, body: Any = None) -> None:
        for _ in range(50):
            answer = httpx.request(method, self.connectif.url + path, json=body, headers=KEY, timeout=10)
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                break
        assert answer.status_code < 300, answer.text

    def holds(self) -> dict[str, list[str]]:
        """The ids of all that Connectif has."""
        return {
            kind: sorted(
                str(item["key"]) for item in self.connectif.ledger("acme", kind) if not item["deleted"]
            )
            for kind in ("contacts", "products", "purchases")
        }

    def check(self, change: Callable[[dict[str, Any]], object] = lambda _: None) -> StoreReport:
        """Check the store with settings of its own, which the processes do not have."""
        tree = copy.deepcopy(self.tree)
        change(tree)
        settings = config.parse(tree, {})
        [report] = asyncio.run(check_stores(settings, [SHOPIFY], address=self.urls["gateway"], wait=20))
        return report


def _order() -> dict[str, Any]:
    line = {"sku": "MUG", "product": {"legacyResourceId": PRODUCT}, "variant": {"legacyResourceId": VARIANT}}
    return {
        "legacyResourceId": NUMBER,
        "name": NAME,
        "number": 1001,
        "createdAt": PLACED.isoformat(),
        "test": False,
        "customAttributes": [],
        "lineItems": {"nodes": [line]},
    }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, kafka: Any) -> Iterator[CheckedSite]:
    """A site at work."""
    settings = KafkaSettings(kafka.bootstrap, tmp_path_factory.mktemp("check"))
    made = CheckedSite(settings.directory, {"kafka": settings.tree()["kafka"]})
    try:
        made.start()
        yield made
    finally:
        made.stop()
        settings.remove_topics()


@pytest.fixture
def site(running: CheckedSite) -> CheckedSite:
    """The site with a shop and an account as they should be."""
    running.open_shop()
    running.tracked(NUMBER)
    return running


def faults(report: StoreReport) -> dict[str, str]:
    """The steps at fault, with what was said of each."""
    return {
        step.name: f"{step.said} -> {step.todo}" for step in report.steps if step.outcome is Outcome.FAULT
    }


def test_a_sound_store_is_said_to_be_that_and_no_trace_is_left(site: CheckedSite, tmp_path: Path) -> None:
    before = site.holds()
    command = [sys.executable, "-m", "pipeline", "check", SHOPIFY, "--json", "--config", str(site.path)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=tmp_path)
    tree = json.loads(done.stdout)
    [store] = tree["stores"]
    found = {step["name"]: step["outcome"] for step in store["steps"] if step["outcome"] != "by hand"}
    assert (done.returncode, tree["sound"]) == (0, True), store["steps"]
    assert set(found.values()) <= {"ok", "skipped"}
    assert [name for name, outcome in found.items() if outcome == "skipped"] == ["newsletter callbacks"]
    assert site.holds() == before
    assert site.connectif.calls_of("acme", "POST", "/purchases/") >= 1
    assert store["connectif_calls"]["acme"] <= 25
    assert not site.dead("--account", "acme")
    assert b"shop-token" not in done.stdout + done.stderr


def _key(tree: dict[str, Any]) -> None:
    tree["accounts"]["acme"]["api_key"] = "acme:wrong"


def _secret(tree: dict[str, Any]) -> None:
    tree["stores"][SHOPIFY]["secrets"] = ["not the shop's"]


def _domain(tree: dict[str, Any]) -> None:
    tree["stores"][SHOPIFY]["product_url"] = "https://other.example/p/{id}"


def _token(tree: dict[str, Any]) -> None:
    tree["stores"][SHOPIFY]["access_token"] = "wrong"


@pytest.mark.parametrize(
    ("change", "step", "words"),
    [
        (_key, access.CONNECTIF, "refuses the key (401)"),
        (_secret, gateway.NAME, "refuses what secret of the settings signs (401)"),
        (_domain, domains.NAME, f"it authorises {DOMAIN} -> add https://other.example"),
        (_token, access.SHOP, "not allowed (401)"),
    ],
)
def test_a_fault_of_the_settings_is_named_and_no_other(
    site: CheckedSite, change: Callable[[dict[str, Any]], object], step: str, words: str
) -> None:
    before = site.holds()
    found = faults(site.check(change))
    assert list(found) == [step]
    assert words in found[step]
    assert site.holds() == before


def test_a_webhook_that_is_missing_is_named_and_no_other_fault(site: CheckedSite) -> None:
    rows = httpx.get(f"{site.connectif.url}/_sandbox/shops/{SHOPIFY}/webhooks", timeout=10).json()
    site.shop("PUT", "/webhooks", [row for row in rows if row["topic"] != "ORDERS_PAID"])
    found = faults(site.check())
    assert found == {webhooks.NAME: found.get(webhooks.NAME)}
    assert "missing: orders/paid -> `--repair` creates them" in found[webhooks.NAME]


def test_a_scope_that_is_missing_is_named_and_no_other_fault(site: CheckedSite) -> None:
    data = {"currentAppInstallation": {"accessScopes": [{"handle": "read_orders"}]}}
    site.shop("PUT", "/documents", [{"path": f"{GRAPHQL}#Check", "answers": [{"body": {"data": data}}]}])
    found = faults(site.check())
    assert list(found) == [access.SHOP]
    assert "read_customers, read_products" in found[access.SHOP]


def test_a_wrong_purchase_id_is_said_with_the_right_one(site: CheckedSite) -> None:
    site.tracked(NAME)
    found = faults(site.check())
    assert list(found) == [tracking.PURCHASES]
    assert 'set purchase_id = "name"' in found[tracking.PURCHASES]


def test_a_wrong_product_id_is_said_with_the_right_one(site: CheckedSite) -> None:
    found = faults(site.check(lambda tree: tree["stores"][SHOPIFY].update(product_id="variant")))
    assert list(found) == [tracking.PRODUCTS]
    assert 'set product_id = "product"' in found[tracking.PRODUCTS]


def test_ids_that_meet_another_shops_are_named_and_no_other_fault(site: CheckedSite) -> None:
    site.tracked(NUMBER, PLACED - timedelta(days=400))
    found = faults(site.check())
    assert list(found) == [tracking.COLLISIONS]
    assert NUMBER in found[tracking.COLLISIONS]


def test_a_gateway_that_is_away_is_named_and_nothing_is_sent(site: CheckedSite) -> None:
    before = site.holds()
    found = faults(site.check(lambda tree: tree["gateway"].update(public_url="http://127.0.0.1:1")))
    assert set(found) == {webhooks.NAME, gateway.NAME}
    assert "does not answer" in found[gateway.NAME]
    assert site.holds() == before


def test_all_stores_are_checked_side_by_side(site: CheckedSite, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "check", "--all", "--config", str(site.path)]
    done = subprocess.run(
        command,
        capture_output=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "200"},
    )
    shown = done.stdout.decode()
    assert done.returncode == 0, shown
    assert SHOPIFY in shown
    assert WOO in shown
    assert f"{WOO}: {gateway.NAME}" in done.stderr.decode()
    assert not any(passage.LEFT in line and "fault" in line for line in shown.splitlines())


def test_a_store_that_is_not_there_is_said_with_those_that_are(site: CheckedSite) -> None:
    settings = config.parse(site.tree, {})
    with pytest.raises(SettingsError, match=f"no store nowhere(.|\n)*{SHOPIFY}, {WOO}"):
        asyncio.run(check_stores(settings, ["nowhere"], address=site.urls["gateway"]))
