"""Consent written at the shops: found, compared, written, read again; against simulated APIs, in process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest

from pipeline.records import Subscription
from pipeline.sandbox.shops.app import SimulatedShops
from pipeline.shops.api import ApiRequest
from pipeline.shops.callbacks import Statement
from pipeline.shops.consent import Account, Impossible, Wanted
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.settings import StoreSettings
from pipeline.sync.answers import Answer, Failed, Refused
from pipeline.sync.client import ShopClient
from pipeline.sync.consent.writing import Halted, Outcome, Verdict, Writing, verdict

NOW = 1_795_000_000
ADDRESS = "ana+x@mail.example"
#: How each shop is opened: the store's settings, and the simulated shop's.
OPENED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "shopify": ({"access_token": "t"}, {"scheme": "headers", "headers": {"x-shopify-access-token": "t"}}),
    "woocommerce": (
        {
            "consumer_key": "k",
            "consumer_secret": "s",
            "consent_field": "mailchimp_woocommerce_is_subscribed",
            "api_requests_per_minute": 6_000,
        },
        {"scheme": "basic", "user": "k", "password": "s"},
    ),
    "prestashop": ({"webservice_key": "K"}, {"scheme": "basic", "user": "K"}),
    "magento": (
        {
            "access_token": "t",
            "consumer_key": "c",
            "consumer_secret": "cs",
            "access_token_secret": "ts",
        },
        {
            "scheme": "oauth1",
            "consumer_key": "c",
            "consumer_secret": "cs",
            "token": "t",
            "token_secret": "ts",
        },
    ),
    "vtex": (
        {"vtex_account": "acme", "app_key": "k", "app_token": "t"},
        {"scheme": "headers", "headers": {"X-VTEX-API-AppKey": "k", "X-VTEX-API-AppToken": "t"}},
    ),
    "generic": ({"api_token": "t"}, {"scheme": "bearer", "token": "t"}),
}
EACH = pytest.mark.parametrize("platform", OPENED)


class Shop:
    """A simulated shop with these people, and the way in."""

    def __init__(self, platform: str, people: Sequence[dict[str, Any]], **changes: Any) -> None:
        own, access = OPENED[platform]
        kept: dict[str, Any] = {
            name: changes.pop(name) for name in ("double_opt_in", "field", "patch") if name in changes
        }
        self._shops = SimulatedShops()
        self._transport = httpx.ASGITransport(app=self._shops)
        self._access = access
        self._held: dict[str, Any] = {"form": platform, "people": list(people), **kept}
        plain: dict[str, Any] = {
            "platform": platform,
            "account": "es",
            "domain": "shop.example",
            "secrets": ["not a secret"],
            "api_url": "http://sandbox/_shops/one",
        }
        self.settings: StoreSettings = PLATFORMS[platform].settings.model_validate(plain | own | changes)
        self._platform = platform
        self.asked: list[str] = []

    async def _bring(self, wanted: Wanted, said: Statement | None) -> Outcome | Halted | Impossible:
        async with httpx.AsyncClient(transport=self._transport, base_url="http://sandbox") as control:
            await control.put("/_sandbox/shops/one", json={"access": self._access})
            await control.put("/_sandbox/shops/one/newsletter", json=self._held)
        api, consent = PLATFORMS[self._platform].api, PLATFORMS[self._platform].consent
        assert api is not None
        assert consent is not None
        client = ShopClient(api, self.settings, transport=self._transport, timeout=5.0)

        async def ask(request: ApiRequest) -> Answer:
            self.asked.append(request.method)
            return await client.send(request)

        return await Writing(consent, self.settings, lambda: NOW).bring(wanted, said, ask)

    def bring(
        self, state: Subscription, *, at: int = NOW, said: Statement | None = None
    ) -> Outcome | Halted | Impossible:
        """Bring a statement to it."""
        return asyncio.run(self._bring(Wanted(ADDRESS, state, at * 1_000), said))

    @property
    def held(self) -> list[str]:
        """What it holds now, in the order of its people."""
        [shop] = self._shops.shops.values()
        return [one.state for one in self._shops.newsletters[shop].settings.people]


def person(state: str = "subscribed", **changes: Any) -> dict[str, Any]:
    return {"id": "12", "email": ADDRESS, "state": state, **changes}


@EACH
def test_a_withdrawal_is_read_written_and_read_back(platform: str) -> None:
    shop = Shop(platform, [person(at=NOW - 60)])
    assert shop.bring("unsubscribed") is Outcome.WRITTEN
    assert shop.held == ["unsubscribed"]
    assert len(shop.asked) == 3


@EACH
def test_a_subscription_is_written_too(platform: str) -> None:
    shop = Shop(platform, [person("unsubscribed", at=NOW - 60)])
    assert shop.bring("subscribed") is Outcome.WRITTEN
    assert shop.held == ["subscribed"]


@EACH
@pytest.mark.parametrize("state", ["subscribed", "unsubscribed"])
def test_what_the_shop_says_already_is_not_written(platform: str, state: Subscription) -> None:
    shop = Shop(platform, [person(state, at=NOW - 60)])
    assert shop.bring(state) is Outcome.SAME
    assert len(shop.asked) == 1


@pytest.mark.parametrize("platform", ["shopify", "generic"])
def test_what_the_shop_was_told_later_counts(platform: str) -> None:
    shop = Shop(platform, [person(at=NOW - 60)])
    assert shop.bring("unsubscribed", at=NOW - 120) is Outcome.OLDER
    assert shop.held == ["subscribed"]


@pytest.mark.parametrize("platform", ["prestashop", "magento", "vtex", "woocommerce"])
def test_where_the_shop_names_no_time_its_own_event_does(platform: str) -> None:
    later = Statement("", "subscribed", (NOW - 60) * 1_000)
    assert Shop(platform, [person()]).bring("unsubscribed", at=NOW - 120, said=later) is Outcome.OLDER
    assert Shop(platform, [person()]).bring("unsubscribed", at=NOW - 30, said=later) is Outcome.WRITTEN


@pytest.mark.parametrize("platform", ["shopify", "magento"])
def test_a_shop_that_asks_for_confirmation_is_not_asked_again(platform: str) -> None:
    shop = Shop(platform, [person("none")], double_opt_in=True)
    assert shop.bring("subscribed") is Outcome.AWAITS
    assert shop.held == ["pending"]


def test_a_person_who_was_asked_to_confirm_and_withdraws_is_unsubscribed() -> None:
    shop = Shop("shopify", [person("pending", at=NOW - 60)])
    assert shop.bring("unsubscribed") is Outcome.WRITTEN
    assert shop.held == ["unsubscribed"]


@EACH
def test_who_is_no_customer_is_said_so(platform: str) -> None:
    result = Shop(platform, [person(email="another@mail.example")]).bring("unsubscribed")
    assert isinstance(result, Impossible)
    assert result.reason == "unknown_at_shop"
    assert ADDRESS not in str(result)


def test_who_subscribes_is_made_a_client_of_vtex_where_the_store_wants_that() -> None:
    shop = Shop("vtex", [], create_clients=True)
    assert shop.bring("subscribed") is Outcome.WRITTEN
    assert shop.held == ["subscribed"]
    assert isinstance(Shop("vtex", [], create_clients=True).bring("unsubscribed"), Impossible)


def test_only_guests_have_the_address_at_prestashop() -> None:
    result = Shop("prestashop", [person(guest=True)]).bring("unsubscribed")
    assert isinstance(result, Impossible)
    assert result.reason == "guest_at_shop"


def test_every_account_but_no_guest_is_written_at_prestashop() -> None:
    shop = Shop("prestashop", [person(), person(id="13", guest=True), person(id="14")])
    assert shop.bring("unsubscribed") is Outcome.WRITTEN
    assert shop.held == ["unsubscribed", "subscribed", "unsubscribed"]


def test_a_prestashop_without_patch_gets_the_whole_customer() -> None:
    shop = Shop("prestashop", [person()], patch=False)
    assert shop.bring("unsubscribed") is Outcome.WRITTEN
    assert shop.asked == ["GET", "PATCH", "PUT", "GET"]


def test_a_magento_without_its_newsletter_has_no_field() -> None:
    result = Shop("magento", [person()], field=False).bring("unsubscribed")
    assert isinstance(result, Impossible)
    assert result.reason == "no_consent_field"


@pytest.mark.parametrize(
    ("platform", "without"),
    [("shopify", "access_token"), ("woocommerce", "consent_field"), ("generic", "api_token")],
)
def test_a_store_without_what_is_needed_cannot_write(platform: str, without: str) -> None:
    shop = Shop(platform, [person()], **{without: None})
    result = shop.bring("unsubscribed")
    assert isinstance(result, Impossible)
    assert result.reason == "no_write_back"
    assert shop.asked == []


def test_codes_of_a_refused_mutation_are_said_and_its_words_are_not() -> None:
    consent = PLATFORMS["shopify"].consent
    assert consent is not None
    error = {"field": ["input"], "message": f"{ADDRESS} is wrong", "code": "INVALID"}
    said = consent.refusal({"data": {"customerEmailMarketingConsentUpdate": {"userErrors": [error]}}})
    assert "INVALID" in said
    assert ADDRESS not in said


@EACH
def test_an_answer_that_is_none_is_tried_again(platform: str) -> None:
    shop, consent = Shop(platform, []), PLATFORMS[platform].consent
    assert consent is not None

    async def brought(answer: Answer) -> Outcome | Halted | Impossible:
        async def ask(_: ApiRequest) -> Answer:
            return answer

        writing = Writing(consent, shop.settings, lambda: NOW)
        return await writing.bring(Wanted(ADDRESS, "unsubscribed", NOW * 1_000), None, ask)

    for answer in (Failed("timeout"), Refused(400)):
        assert asyncio.run(brought(answer)) == Halted(answer)


@pytest.mark.parametrize(
    ("state", "account", "expected"),
    [
        ("unsubscribed", Account("1", "subscribed", 10_000), Verdict.WRITE),
        ("unsubscribed", Account("1", "subscribed", 10_999), Verdict.WRITE),  # of one second: it wins
        ("unsubscribed", Account("1", "subscribed", 11_000), Verdict.OLDER),
        ("subscribed", Account("1", "unsubscribed", 10_000), Verdict.OLDER),  # of one second: it loses
        ("subscribed", Account("1", "unsubscribed", 9_999), Verdict.WRITE),
        ("subscribed", Account("1", "unsubscribed", None), Verdict.WRITE),
        ("subscribed", Account("1", "pending", 20_000), Verdict.AWAITS),
        ("subscribed", Account("1", "none", 20_000), Verdict.WRITE),
        ("unsubscribed", Account("1", "none", None), Verdict.WRITE),
        ("unsubscribed", Account("1", "unsubscribed", 20_000), Verdict.SAME),
    ],
)
def test_the_newer_statement_counts_and_a_withdrawal_wins_a_tie(
    state: Subscription, account: Account, expected: Verdict
) -> None:
    assert verdict(Wanted(ADDRESS, state, 10_500), account, None, 10**9) is expected


def test_a_shops_clock_does_not_count_beyond_ours() -> None:
    ahead = Account("1", "subscribed", 10**9)
    assert verdict(Wanted(ADDRESS, "unsubscribed", 10_500), ahead, None, 10_600) is Verdict.WRITE


def test_the_decisions_own_moment_is_written() -> None:
    consent = PLATFORMS["shopify"].consent
    assert consent is not None
    request = consent.write(
        Shop("shopify", []).settings,
        Account("gid", "none"),
        Wanted(ADDRESS, "unsubscribed", 1_717_236_000_999),
    )
    given = orjson.loads(request.body)["variables"]["input"]["emailMarketingConsent"]
    said = datetime.fromtimestamp(1_717_236_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert given == {"marketingState": "UNSUBSCRIBED", "consentUpdatedAt": said}
