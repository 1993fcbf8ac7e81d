"""`pipeline check` of stores at work: a sound one leaves no trace, and each fault is named, and no other."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline import config
from pipeline.check.store import (
    access,
    callbacks,
    domains,
    gateway,
    newsletter,
    passage,
    telling,
    tracking,
    webhooks,
)
from pipeline.check.store.run import check_stores
from pipeline.errors import SettingsError
from tests.broker import RunningKafka
from tests.integration.checking import (
    DOMAIN,
    OPENED_BY,
    PLACED,
    SHOPS,
    CheckedSite,
    Shop,
    faults,
    stores,
)
from tests.integration.operating import SHOPIFY, WOO
from tests.webhooks import SECRET

pytestmark = pytest.mark.kafka
#: Questions of the shop about the test contact and about the test order, whose numbers begin with a 9.
ABOUT_PERSON = {
    "woocommerce": "/wp-json/wc/v3/customers?role=all&email=pipeline-check",
    "prestashop": "/api/customers?filter[email]=[pipeline-check",
    "magento": "/rest/all/V1/customers/search?searchCriteria[filterGroups][0][filters][0][field]=email",
    "vtex": "/api/dataentities/CL/search?email=pipeline-check",
    "generic": "/consent",
}
ABOUT_ORDER = {
    "prestashop": "/api/orders/9",
    "magento": "/rest/all/V1/orders/9",
    "vtex": "/api/oms/pvt/orders/9",
}


def each(*in_ci: str, of: Mapping[str, Any] | None = None) -> pytest.MarkDecorator:
    """A test for each platform, of which these run in CI and the others every night."""
    names = list(SHOPS if of is None else of)
    marks = {name: () if name in in_ci else (pytest.mark.slow,) for name in names}
    return pytest.mark.parametrize("name", [pytest.param(name, marks=marks[name]) for name in names])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, kafka: RunningKafka) -> Iterator[CheckedSite]:
    """A site at work."""
    base = {"kafka": {"bootstrap": kafka.bootstrap, "topic_prefix": f"check{time.time_ns()}-"}}
    made = CheckedSite(tmp_path_factory.mktemp("check"), base, stores)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def site(running: CheckedSite) -> CheckedSite:
    """The site with shops and accounts as they should be."""
    return running


def sound(site: CheckedSite, name: str) -> Shop:
    """A shop as it should be, with one order that web tracking told Connectif of."""
    shop = SHOPS[name]
    site.open(shop)
    site.tracked(shop, shop.told)
    return shop


def test_sound_stores_are_said_to_be_that_and_no_trace_is_left(site: CheckedSite, tmp_path: Path) -> None:
    for name in SHOPS:
        sound(site, name)
    before = {name: site.holds(shop) for name, shop in SHOPS.items()}
    command = [sys.executable, "-m", "pipeline", "check", "--all", "--json", "--config", str(site.path)]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False, cwd=tmp_path)
    tree = json.loads(done.stdout)
    steps = {one["store"]: one["steps"] for one in tree["stores"]}
    complaints = [
        (store, step)
        for store, listed in steps.items()
        for step in listed
        if step["outcome"] in {"fault", "warning"}
    ]
    assert complaints == []
    assert (done.returncode, tree["sound"]) == (0, True)
    for name, shop in SHOPS.items():
        found = {step["name"]: step["outcome"] for step in steps[shop.name]}
        tried = [passage.NAME, passage.LEFT, newsletter.FROM_CONNECTIF, callbacks.NAME, gateway.NAME]
        tried += [access.SHOP, domains.NAME, tracking.PURCHASES, tracking.PRODUCTS]
        tried += [newsletter.FROM_SHOP] if name != "woocommerce" else []
        tried += [telling.NAME] if name in ABOUT_ORDER else []
        assert {one: found.get(one) for one in tried} == dict.fromkeys(tried, "ok"), (name, steps[shop.name])
        assert site.holds(shop) == before[name]
        assert site.left_at(shop) == []
        assert site.connectif.calls_of(shop.name, "POST", "/purchases/") >= 1
    calls = {one["store"]: one["connectif_calls"] for one in tree["stores"]}
    assert all(calls[shop.name][shop.name] <= 25 for shop in SHOPS.values()), calls
    assert not site.dead()
    assert site.totals().is_at_rest
    assert b'"token"' not in done.stdout + done.stderr


def test_the_doctor_finds_nothing_wrong_with_sound_stores_of_all_platforms(site: CheckedSite) -> None:
    for name in SHOPS:
        sound(site, name)
    kept = site.totals()
    command = [sys.executable, "-m", "pipeline", "doctor", "--json", "--config", str(site.path)]
    done = subprocess.run(command, capture_output=True, timeout=90, check=False)
    found = json.loads(done.stdout)["findings"]
    assert [one for one in found if one["verdict"] == "problem"] == []
    assert done.returncode == 0
    [taken] = [one["said"] for one in found if one["subject"] == "webhook to itself"]
    assert f"takes what the secrets of {len(site.tree['stores'])} stores sign" in taken
    assert site.totals() == kept
    assert SECRET.encode() not in done.stdout + done.stderr


def _key(shop: Shop) -> Callable[[dict[str, Any]], object]:
    return lambda tree: tree["accounts"][shop.name].update(api_key=f"{shop.name}:wrong")


def _store(shop: Shop, **changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda tree: tree["stores"][shop.name].update(changes)


@each("shopify")
def test_a_refused_key_is_named_and_no_other_fault(site: CheckedSite, name: str) -> None:
    shop = sound(site, name)
    found = faults(site.check(shop, _key(shop)))
    assert list(found) == [access.CONNECTIF]
    assert "refuses the key (401)" in found[access.CONNECTIF]


@each("magento")
def test_a_wrong_secret_is_named_and_no_other_fault(site: CheckedSite, name: str) -> None:
    shop = sound(site, name)
    found = faults(site.check(shop, _store(shop, secrets=["not the shop's"])))
    named = {gateway.NAME} | ({webhooks.NAME} if name == "vtex" else set())  # VTEX shows the hook's header
    assert set(found) == named
    assert "refuses what secret of the settings signs (401)" in found[gateway.NAME]


@each("prestashop")
def test_a_domain_that_is_not_authorised_is_named_and_no_other_fault(site: CheckedSite, name: str) -> None:
    shop = sound(site, name)
    before = site.holds(shop)
    found = faults(site.check(shop, _store(shop, product_url="https://other.example/p/{id}")))
    assert list(found) == [domains.NAME]
    assert f"it authorises {DOMAIN} -> add https://other.example" in found[domains.NAME]
    assert site.holds(shop) == before


@pytest.mark.slow
@each("vtex")
def test_credentials_that_the_shop_refuses_are_named_and_no_other_fault(site: CheckedSite, name: str) -> None:
    shop = sound(site, name)
    found = faults(site.check(shop, _store(shop, **{OPENED_BY[name]: "wrong"})))
    assert list(found) == [access.SHOP]
    assert "not allowed (401)" in found[access.SHOP]


@each("woocommerce", of={"shopify": 0, "woocommerce": 0, "vtex": 0})
def test_a_webhook_that_is_missing_is_named_and_no_other_fault(site: CheckedSite, name: str) -> None:
    shop = sound(site, name)
    site.control(shop, "PUT", "/webhooks", site.registered(shop)[1:])
    found = faults(site.check(shop))
    assert list(found) == [webhooks.NAME]
    assert "`--repair` creates them" in found[webhooks.NAME]


@each("generic")
def test_a_wrong_purchase_id_is_said_with_the_right_one(site: CheckedSite, name: str) -> None:
    shop = sound(site, name)
    other, setting = shop.other
    site.tracked(shop, other)
    found = faults(site.check(shop))
    assert list(found) == [tracking.PURCHASES]
    assert f'set purchase_id = "{setting}"' in found[tracking.PURCHASES]


@pytest.mark.slow
@each("vtex")
def test_a_wrong_product_id_is_said_with_the_right_one(site: CheckedSite, name: str) -> None:
    shop = sound(site, name)
    found = faults(site.check(shop, _store(shop, product_id=shop.product_setting)))
    assert list(found) == [tracking.PRODUCTS]
    assert 'set product_id = "product"' in found[tracking.PRODUCTS]


@pytest.mark.slow
@each("prestashop")
def test_ids_that_meet_another_shops_are_named_and_no_other_fault(site: CheckedSite, name: str) -> None:
    shop = sound(site, name)
    site.tracked(shop, shop.told, PLACED - timedelta(days=400))
    found = faults(site.check(shop))
    assert list(found) == [tracking.COLLISIONS]
    assert shop.told in found[tracking.COLLISIONS]


@each("shopify")
def test_a_token_that_the_gateway_does_not_know_is_named_and_no_other_fault(
    site: CheckedSite, name: str
) -> None:
    shop = sound(site, name)
    found = faults(site.check(shop, _store(shop, callback_tokens=["another-token-of-24-signs"])))
    assert list(found) == [callbacks.NAME]
    assert "401 to the settings' token" in found[callbacks.NAME]


@pytest.mark.slow
@each("magento", of=ABOUT_ORDER)
def test_a_shop_that_is_not_asked_for_what_a_webhook_names_is_named(site: CheckedSite, name: str) -> None:
    shop = sound(site, name)
    before = site.holds(shop)
    site.control(shop, "POST", "/faults", {"kind": "server_error", "path": ABOUT_ORDER[name]})
    found = faults(site.check(shop, wait=4))
    assert list(found) == [telling.NAME]
    assert "pipeline worker sync" in found[telling.NAME]
    assert site.holds(shop) == before


@pytest.mark.slow
@each("generic", of=ABOUT_PERSON)
def test_a_shop_whose_newsletter_cannot_be_written_is_named(site: CheckedSite, name: str) -> None:
    shop = sound(site, name)
    before = site.holds(shop)
    site.control(shop, "POST", "/faults", {"kind": "server_error", "path": ABOUT_PERSON[name]})
    found = faults(site.check(shop, wait=6))
    assert list(found) == [newsletter.FROM_CONNECTIF]
    assert site.holds(shop) == before


@pytest.mark.slow
def test_a_scope_that_is_missing_is_named_and_no_other_fault(site: CheckedSite) -> None:
    shop = sound(site, "shopify")
    data = {"currentAppInstallation": {"accessScopes": [{"handle": "read_orders"}]}}
    path = "/admin/api/2026-07/graphql.json#Check"
    site.control(shop, "PUT", "/documents", [{"path": path, "answers": [{"body": {"data": data}}]}])
    found = faults(site.check(shop))
    assert list(found) == [access.SHOP]
    assert "read_customers, read_products" in found[access.SHOP]


@each("shopify")
def test_a_gateway_that_is_away_is_named_and_nothing_is_sent(site: CheckedSite, name: str) -> None:
    shop = sound(site, name)
    before = site.holds(shop)
    found = faults(site.check(shop, lambda tree: tree["gateway"].update(public_url="http://127.0.0.1:1")))
    listed = {webhooks.NAME} if name in {"shopify", "woocommerce", "vtex"} else set()
    assert set(found) == {gateway.NAME, callbacks.NAME} | listed
    assert "does not answer" in found[gateway.NAME]
    assert site.holds(shop) == before


@pytest.mark.slow
def test_all_stores_are_checked_side_by_side(site: CheckedSite, tmp_path: Path) -> None:
    for name in SHOPS:
        sound(site, name)
    command = [sys.executable, "-m", "pipeline", "check", "--all", "--config", str(site.path)]
    done = subprocess.run(
        command,
        capture_output=True,
        timeout=120,
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
    with pytest.raises(SettingsError, match=f"no store nowhere(.|\n)*{SHOPIFY}"):
        asyncio.run(check_stores(settings, ["nowhere"], address=site.gateway))
