"""Stores that feed several accounts: each event to those that fit its language, shop and currency."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from pipeline.events import Kind
from pipeline.shops.callbacks import callback_event
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.emit import Again
from pipeline.translate.feed import EventPosition
from pipeline.translate.rules import Outcome, Result, apply
from pipeline.translate.state import EntityState
from tests.contract.platform_events import event_of
from tests.platforms import IN_TESTS, settings_of
from tests.shop_bodies import CHANGED, Sale
from tests.shop_bodies.generic import BODIES
from tests.unit.routing import ES_AND_FR, Shop, article, customer, order, said

WHOLE = [
    ("contact", "upsert", "ana@mail.example"),
    ("product", "upsert", "77"),
    ("purchase", "upsert", "1001"),
]


def of(account: str, records: list[tuple[str, str, str]]) -> list[tuple[str, str, str, str]]:
    return [(account, *record) for record in records]


# Which account


@pytest.mark.parametrize(("language", "account"), [("es-ES", "es"), ("es", "es"), ("fr_CA", "fr")])
def test_an_order_goes_to_the_account_of_its_language(language: str, account: str) -> None:
    assert said(Shop(ES_AND_FR).hear(order(language))) == of(account, WHOLE)


def test_a_language_with_a_route_of_its_own_goes_nowhere_else() -> None:
    shop = Shop([*ES_AND_FR, {"language": "es-MX", "account": "mx"}])
    assert said(shop.hear(order("es_mx"))) == of("mx", WHOLE)
    assert said(shop.hear(order("es-AR", id="1002")))[-1] == ("es", "purchase", "upsert", "1002")


@pytest.mark.parametrize("language", ["de", None, "", "català"])
def test_what_fits_no_account_is_a_dead_letter_that_says_so(language: str | None) -> None:
    result = Shop(ES_AND_FR).hear(order(language))
    assert (result.outcome, result.reason, result.emissions) == (Outcome.REJECTED, "no_account", ())
    assert result.rejection is not None
    assert (language or "no language") in result.rejection.detail
    assert "ana" not in result.rejection.detail
    assert not result.remember


@pytest.mark.parametrize(
    ("platform", "shop"),
    [
        ("shopify", "acme.myshopify.com"),
        ("woocommerce", "acme.example"),
        ("prestashop", "1"),
        ("magento", "1"),
        ("vtex", "1"),
        ("generic", "north"),
    ],
)
def test_an_order_that_was_pulled_goes_by_the_shop_that_was_asked_or_that_it_names(
    platform: str, shop: str
) -> None:
    told, bodies, own = PLATFORMS[platform], IN_TESTS[platform].bodies, settings_of(platform)
    routes = ({"account": "es", "shop": shop}, {"account": "fr", "shop": "another"})
    changes: dict[str, Any] = {"account": None, "routes": routes}
    if platform == "shopify":
        changes |= {"api_url": f"https://{shop}", "access_token": "token"}
    store = own.__class__.model_validate(own.model_dump() | changes)
    sent = bodies.order(Sale())
    if platform == "generic":
        sent = sent.saying(sent.document | {"shop": shop})
    event = event_of(told, sent)
    assert told.pull is not None
    event = replace(event, headers={**event.headers, **told.pull.headers(store)})
    found = told.translate(event, told.store("shop", store))
    assert {draft.audience.shops for draft in found.drafts} == {(shop,)}


def called_back(shop: Shop, what: str, account: str, seconds: int) -> Result:
    """Connectif's callback about Ana, of one of the accounts."""
    shop.heard += 1
    moment = int(CHANGED.timestamp() + seconds) * 1_000
    event = callback_event("shop", "generic", what, "ana@mail.example", moment, True, account=account)
    state = EntityState.decode(shop.states.get(event.key, EntityState()).encode())
    result = apply(event, EventPosition(event.kind.topic, 0, shop.heard), state, shop.feed)
    if result.remember:
        shop.states[event.key] = state
    return result


def test_what_an_account_calls_back_is_remembered_for_it_alone_and_the_others_hear_it_from_the_shop() -> None:
    shop = Shop(ES_AND_FR)
    shop.hear(order("es"))
    shop.hear(customer("fr", 10, "subscribed"))
    [other] = called_back(shop, "unsubscribed", "fr", 25).emissions
    assert (other.account, orjson.loads(other.value)["heard"]) == ("fr", True)
    told = [orjson.loads(one.value) for one in shop.hear(customer("fr", 30, "unsubscribed")).emissions]
    assert {one["account"] for one in told} == {"es", "fr"}
    assert all(one["body"]["newsletter"] == "unsubscribed" and "heard" not in one for one in told)


def test_a_callback_of_an_account_that_the_store_feeds_no_more_is_a_dead_letter() -> None:
    result = called_back(Shop(ES_AND_FR), "unsubscribed", "mx", 20)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, "no_account")


def test_what_says_nothing_goes_where_the_route_says_so() -> None:
    shop = Shop([{"language": ["es", "none"], "account": "es"}, {"language": "fr", "account": "fr"}])
    assert said(shop.hear(customer(None))) == [("es", "contact", "upsert", "ana@mail.example")]
    assert shop.hear(customer("de", 5)).reason == "no_account"


def test_an_event_goes_to_every_account_that_fits() -> None:
    shop = Shop([{"language": "es", "account": "es"}, {"shop": "demo-shop", "account": "all"}])
    assert said(shop.hear(order("es"))) == of("es", WHOLE) + of("all", WHOLE)
    assert said(shop.hear(order("de", id="1002")))[-1] == ("all", "purchase", "upsert", "1002")


def test_a_route_asks_for_all_that_it_names() -> None:
    shop = Shop([{"language": "es", "currency": "EUR", "shop": "demo-shop", "account": "es"}])
    assert said(shop.hear(order("es"))) == of("es", WHOLE)
    for other in (order("es", currency="USD"), order("es", shop="2"), order("fr")):
        assert shop.hear(other).reason == "no_account"


def test_accounts_by_currency_get_the_orders_of_theirs() -> None:
    routes = [{"language": "es", "account": name} for name in ("eur", "usd")]
    shop = Shop(routes, eur={"currency": "EUR"}, usd={"currency": "USD"})
    assert said(shop.hear(order("es"))) == of("eur", WHOLE)
    assert said(shop.hear(order("es", id="1002", currency="usd")))[-1] == (
        "usd",
        "purchase",
        "upsert",
        "1002",
    )
    assert shop.hear(order("es", id="1003", currency="GBP")).reason == "currency_mismatch"
    assert {account for account, *_ in said(shop.hear(customer("es")))} == {"eur", "usd"}


def test_a_product_that_names_no_language_is_every_accounts() -> None:
    assert said(Shop(ES_AND_FR).hear(article())) == [
        (name, "product", "upsert", "77") for name in ("es", "fr")
    ]
    assert said(Shop(ES_AND_FR).hear(article(locale="fr"))) == [("fr", "product", "upsert", "77")]
    assert Shop(ES_AND_FR).hear(article(locale="de")).reason == "no_account"


def test_a_product_in_several_languages_is_told_in_each_accounts_own() -> None:
    texts = {"fr-FR": {"name": "Tasse", "url": "https://shop.example/fr/tasse"}}
    result = Shop(ES_AND_FR).hear(article(locale="es", name="Taza", translations=texts))
    names = {one.account: orjson.loads(one.value)["body"]["name"] for one in result.emissions}
    assert names == {"es": "Taza", "fr": "Tasse"}


# Each account's own settings


def test_each_account_has_its_own_first_day_and_field_for_codes() -> None:
    routes = [{"language": "es", "account": name} for name in ("old", "new")]
    shop = Shop(routes, old={"coupon_field": "last_coupon"}, new={"purchases_since": "2024-01-01"})
    result = shop.hear(order("es", coupons=["MAY4"]))
    assert said(result) == of("old", WHOLE)
    assert b'"last_coupon":"MAY4"' in result.emissions[0].value
    assert [use.account for use in result.uses] == ["old"]


# What was told is kept per account


def test_an_order_that_changes_its_language_moves() -> None:
    shop = Shop(ES_AND_FR)
    shop.hear(order("es"))
    moved = said(shop.hear(order("fr", 5)))
    assert moved == [("es", "purchase", "retract", "1001"), *of("fr", WHOLE)]
    assert said(shop.hear(order("fr", 10))) == []
    back = said(shop.hear(order("es", 15)))
    assert [one for one in back if one[1] == "purchase"] == [
        ("es", "purchase", "upsert", "1001"),
        ("fr", "purchase", "retract", "1001"),
    ]


def test_a_customer_who_changes_language_moves_and_is_unsubscribed_in_the_former_account() -> None:
    shop = Shop(ES_AND_FR)
    shop.hear(customer("es", consent="subscribed"))
    result = shop.hear(customer("fr", 5, consent="subscribed"))
    assert said(result) == [
        ("es", "contact", "patch", "ana@mail.example"),
        ("fr", "contact", "upsert", "ana@mail.example"),
    ]
    left = orjson.loads(result.emissions[0].value)
    assert (left["body"]["newsletter"], left["notes"]) == ("unsubscribed", ["address_left"])
    assert [account for account, *_ in said(shop.hear(customer("fr", 10, consent="subscribed")))] == ["fr"]


def test_a_withdrawal_reaches_every_account_of_the_store() -> None:
    shop = Shop(ES_AND_FR)
    shop.hear(customer("es", consent="subscribed"))
    result = shop.hear(customer("es", 5, consent="unsubscribed"))
    assert said(result) == [
        ("es", "contact", "upsert", "ana@mail.example"),
        ("fr", "contact", "patch", "ana@mail.example"),
    ]
    assert all(b'"newsletter":"unsubscribed"' in one.value for one in result.emissions)


def test_a_withdrawal_that_fits_no_account_is_not_lost() -> None:
    shop = Shop(ES_AND_FR)
    shop.hear(customer("es", consent="subscribed"))
    result = shop.hear(customer("de", 5, consent="unsubscribed"))
    assert result.outcome is Outcome.ACCEPTED
    assert said(result) == [(name, "contact", "patch", "ana@mail.example") for name in ("es", "fr")]
    assert all(b'"no_account"' in one.value for one in result.emissions)
    assert shop.hear(customer("de", 10, consent="subscribed")).reason == "no_account"


def test_a_product_that_leaves_a_language_is_hidden_there() -> None:
    shop = Shop(ES_AND_FR)
    shop.hear(article())
    assert said(shop.hear(article(5, locale="fr", name="Tasse"))) == [
        ("es", "product", "hide", "77"),
        ("fr", "product", "upsert", "77"),
    ]


@pytest.mark.parametrize("state", ["cancelled", "refunded"])
def test_a_cancellation_reaches_the_accounts_that_were_told_and_no_others(state: Any) -> None:
    shop = Shop(ES_AND_FR)
    shop.hear(order("fr"))
    gone = BODIES.order(Sale(state=state, changed=CHANGED + timedelta(seconds=5)))
    assert said(shop.hear(gone)) == [("fr", "purchase", "retract", "1001")]


def test_deletions_reach_the_accounts_that_were_told() -> None:
    shop = Shop(ES_AND_FR)
    for sent in (order("fr"), article()):
        shop.hear(sent)
    for kind, entity, expected in (
        (Kind.ORDER, "1001", [("fr", "purchase", "retract", "1001")]),
        (Kind.PRODUCT, "77", [("es", "product", "hide", "77"), ("fr", "product", "hide", "77")]),
    ):
        gone = BODIES.deleted(kind, entity)
        assert gone is not None
        assert said(shop.hear(gone)) == expected


def test_an_entity_is_one_however_many_accounts_it_has() -> None:
    shop = Shop([{"language": "es", "account": name} for name in ("one", "two")])
    first = order("es")
    assert len(shop.hear(first, headers={"webhook-id": "m"}).emissions) == 6
    assert shop.hear(first, headers={"webhook-id": "m"}).outcome is Outcome.DUPLICATE
    assert shop.hear(order("es", -5)).outcome is Outcome.STALE
    again = shop.hear(order("es", 5))
    assert (again.emissions, len(again.unchanged), again.unchanged_in.count("two")) == ((), 6, 3)


def test_another_body_under_a_used_id_counts_and_is_noted() -> None:
    shop = Shop([{"account": "es"}])
    headers = {"webhook-id": "O-1"}
    first = shop.hear(order("es"), headers=headers)
    again = shop.hear(order("es", 5, total="25.00"), headers=headers)
    other = shop.hear(order("es", 9, total="26.00"), headers={"webhook-id": "O-2"})
    assert [b'"delivery_id_reused"' in one.emissions[-1].value for one in (first, again, other)] == [
        False,
        True,
        False,
    ]
    assert shop.hear(order("es", 5, total="25.00"), headers=headers).outcome is Outcome.DUPLICATE


def test_a_store_that_is_given_routes_keeps_what_it_told() -> None:
    shop = Shop([{"account": "es"}])
    shop.hear(order("fr"))
    shop.move(ES_AND_FR)
    assert said(shop.hear(order("fr", 5))) == [("es", "purchase", "retract", "1001"), *of("fr", WHOLE)]


def test_an_account_that_is_no_longer_the_stores_still_gets_what_is_taken_back() -> None:
    shop = Shop(ES_AND_FR)
    shop.hear(order("fr"))
    shop.move([{"account": "es"}], fr={})
    assert said(shop.hear(order("fr", 5))) == of("es", WHOLE)
    gone = BODIES.order(Sale(state="cancelled", changed=CHANGED + timedelta(seconds=9)))
    assert set(said(shop.hear(gone))) == {(name, "purchase", "retract", "1001") for name in ("es", "fr")}


def test_a_replay_says_to_each_account_what_it_was_said() -> None:
    shop = Shop(ES_AND_FR)
    sent = order("fr")
    shop.hear(sent)
    assert said(shop.hear(sent, Again(resend=True))) == of("fr", WHOLE)
    assert shop.hear(order("de", 5), Again()).reason == "no_account"
