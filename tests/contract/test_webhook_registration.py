"""Webhooks at simulated shops: listed, compared, created, repaired, on all platforms whose API does that."""

from __future__ import annotations

import pytest

from pipeline.check.store.result import Outcome
from pipeline.check.store.webhooks import NAME, REPAIRED, webhooks
from tests.checked_shops import PUBLIC, REGISTERED, SECRET, Shop, shop, topics

ADDRESS = f"{PUBLIC}/webhooks/{{}}/acme"


async def outcomes(site: Shop) -> dict[str, set[Outcome]]:
    """What came of it, by step, without those for a person."""
    found: dict[str, set[Outcome]] = {}
    for step in await webhooks(site.check):
        if step.outcome is not Outcome.BY_HAND:
            found.setdefault(step.name, set()).add(step.outcome)
    return found


async def said(site: Shop) -> str:
    return "\n".join(f"{step.outcome}: {step.said}" for step in await webhooks(site.check))


@pytest.mark.parametrize("platform", REGISTERED)
async def test_a_shop_without_webhooks_gets_them_all_once(platform: str) -> None:
    async with shop(platform) as site:
        assert await outcomes(site) == {NAME: {Outcome.FAULT}}
        assert await site.webhooks() == [], "without --repair nothing is written"
        site.check.repair = True
        assert await outcomes(site) == {NAME: {Outcome.OK}, REPAIRED: {Outcome.OK}}
        made = await site.webhooks()
        assert len(topics(made)) == len(made)
        assert await outcomes(site) == {NAME: {Outcome.OK}}, "what is sound is left alone"
        assert await site.webhooks() == made


@pytest.mark.parametrize("platform", ["shopify", "woocommerce", "vtex"])
async def test_a_webhook_that_posts_to_a_former_host_is_changed(platform: str) -> None:
    async with shop(platform, repair=True) as site:
        await outcomes(site)
        rows = await site.webhooks()
        old = f"https://old.example/webhooks/{platform}/acme?token=hidden"
        _place(platform, rows[0], old)
        await site.control("PUT", "/webhooks", rows)
        site.check.repair = False
        told = await said(site)
        assert "it posts to https://old.example/webhooks" in told
        assert "hidden" not in told
        site.check.repair = True
        assert Outcome.FAULT not in (await outcomes(site))[NAME]
        assert {_address(platform, row) for row in await site.webhooks()} == {ADDRESS.format(platform)}


def _place(platform: str, row: dict[str, object], address: str) -> None:
    if platform == "vtex":
        row["hook"] = {**row["hook"], "url": address}  # type: ignore[dict-item]
    else:
        row["uri" if platform == "shopify" else "delivery_url"] = address


def _address(platform: str, row: dict[str, object]) -> object:
    hook = row.get("hook")
    if isinstance(hook, dict):
        return hook["url"]
    return row["uri" if platform == "shopify" else "delivery_url"]


async def test_a_webhook_that_woocommerce_disabled_is_made_anew() -> None:
    async with shop("woocommerce", repair=True) as site:
        await outcomes(site)
        rows = await site.webhooks()
        rows[0]["status"] = "disabled"
        await site.control("PUT", "/webhooks", rows)
        site.check.repair = False
        assert "order.created: WooCommerce disabled it after failed deliveries" in await said(site)
        site.check.repair = True
        assert Outcome.FAULT not in (await outcomes(site))[NAME]
        now = await site.webhooks()
        assert len(now) == len(rows)
        assert rows[0]["id"] not in {row["id"] for row in now}, "its count of failures is not reset"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": "XML"}, "its format is XML"),
        ({"includeFields": ["id"]}, "leaves fields out"),
        ({"filter": "total_price:>10"}, "leaves events out"),
    ],
)
async def test_a_subscription_of_shopifys_that_cuts_what_it_tells_is_mended(
    change: dict[str, object], why: str
) -> None:
    async with shop("shopify", repair=True) as site:
        await outcomes(site)
        rows = await site.webhooks()
        rows[0] |= change
        await site.control("PUT", "/webhooks", rows)
        site.check.repair = False
        assert why in await said(site)
        site.check.repair = True
        assert Outcome.FAULT not in (await outcomes(site))[NAME]


async def test_a_hook_of_vtex_without_the_secret_is_named_and_given_it() -> None:
    async with shop("vtex", repair=True) as site:
        await outcomes(site)
        rows = await site.webhooks()
        rows[0]["hook"]["headers"] = {"X-Webhook-Secret": "another"}
        await site.control("PUT", "/webhooks", rows)
        site.check.repair = False
        told = await said(site)
        assert "holds none of the store's secrets" in told
        assert SECRET not in told
        site.check.repair = True
        assert Outcome.FAULT not in (await outcomes(site))[NAME]


async def test_somebody_elses_hook_of_the_same_key_is_never_replaced() -> None:
    async with shop("vtex", repair=True) as site:
        theirs = {
            "filter": {"type": "FromWorkflow", "status": ["invoiced"]},
            "hook": {"url": "https://erp.example/orders", "headers": {}},
        }
        await site.control("PUT", "/webhooks", [theirs])
        assert await outcomes(site) == {NAME: {Outcome.FAULT}}
        assert await site.webhooks() == [theirs]
        assert "https://erp.example/orders" in await said(site)


async def test_an_event_of_adobes_without_its_id_gets_the_field() -> None:
    async with shop("magento", repair=True) as site:
        await outcomes(site)
        rows = await site.webhooks()
        rows[0]["fields"] = [{"name": "state"}]
        await site.control("PUT", "/webhooks", rows)
        assert Outcome.FAULT not in (await outcomes(site))[NAME]
        assert {"name": "entity_id"} in (await site.webhooks())[0]["fields"]


async def test_a_connector_of_connectifs_own_is_named_and_left_alone() -> None:
    async with shop("woocommerce", repair=True) as site:
        theirs = {
            "id": 7,
            "status": "active",
            "topic": "order.updated",
            "delivery_url": "https://eu1-api.connectif.cloud/hooks/woo?key=hidden",
        }
        await site.control("PUT", "/webhooks", [theirs])
        assert await outcomes(site) == {NAME: {Outcome.OK, Outcome.WARNING}, REPAIRED: {Outcome.OK}}
        assert theirs in await site.webhooks()
        told = await said(site)
        assert "eu1-api.connectif.cloud" in told
        assert "hidden" not in told


async def test_what_shopify_does_not_list_is_for_a_person_where_a_person_made_it() -> None:
    async with shop("shopify", repair=True, webhooks_by="hand") as site:
        found = await webhooks(site.check)
        assert {step.outcome for step in found} == {Outcome.BY_HAND}
        assert "orders/paid" in found[0].said
        assert await site.webhooks() == [], "the app's would come beside those made by hand"


@pytest.mark.parametrize("platform", REGISTERED)
async def test_wrong_credentials_are_said_to_be_that(platform: str) -> None:
    async with shop(platform, repair=True) as site:
        await site.control("POST", "/faults", {"kind": "unauthorised"})
        [step] = await webhooks(site.check)
        assert step.outcome is Outcome.FAULT
        assert "401" in step.said


@pytest.mark.parametrize("platform", REGISTERED)
async def test_a_list_that_is_none_ends_in_words(platform: str) -> None:
    async with shop(platform, repair=True) as site:
        await site.control("POST", "/faults", {"kind": "html"})
        [step] = await webhooks(site.check)
        assert step.outcome is Outcome.FAULT


async def test_without_a_public_address_nothing_is_compared() -> None:
    async with shop("woocommerce") as site:
        gateway = site.check.settings.gateway.model_copy(update={"public_url": None})
        site.check.settings = site.check.settings.model_copy(update={"gateway": gateway})
        [step] = await webhooks(site.check)
        assert step.outcome is Outcome.SKIPPED
        assert "gateway.public_url" in step.said
