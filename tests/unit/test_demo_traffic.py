"""The demo's webhooks: the same for the same seed, genuine, and stating what the adapters read from them."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from pipeline.demo import traffic
from pipeline.demo.expectations import (
    ArticleStatement,
    ConsentStatement,
    OrderStatement,
    PersonStatement,
    expected,
)
from pipeline.demo.shop_history import Delivery
from pipeline.demo.shops import HOSTILE, SHOPS
from pipeline.demo.traffic import Traffic
from pipeline.events import Kind, RawEvent
from pipeline.records import Contact, Op, Product, Purchase
from pipeline.shops.base import Draft, Rejected, WebhookRequest
from pipeline.shops.platform import raw_event
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.rules import EventPosition, Feed, apply
from pipeline.translate.state import EntityState
from tests.platforms import greets, settings_of, verifies

SCHEMAS = Path(__file__).parents[2] / "schemas"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Reading = tuple[Delivery, tuple[Draft, ...] | str]
STORES = {
    shop.name: PLATFORMS[shop.platform].store(
        shop.name,
        settings_of(
            shop.platform,
            account=shop.account,
            domain=shop.domain,
            secrets=(shop.secret,),
            timezone=shop.timezone,
        ),
        currency=shop.currency,
    )
    for shop in SHOPS
}


@pytest.fixture(scope="module", name="made")
def _made() -> Traffic:
    return traffic.make(1_000, 7, NOW)


def arrived(delivery: Delivery) -> RawEvent:
    """The delivery as the gateway would store it."""
    headers = {name.lower(): value for name, value in delivery.headers}
    received_ms = int(NOW.timestamp() * 1000)
    request = WebhookRequest(headers, delivery.body, received_ms)
    return raw_event(delivery.shop, PLATFORMS[delivery.platform], request)


@pytest.fixture(scope="module", name="read")
def _read(made: Traffic) -> list[Reading]:
    """Each delivery that is taken in, with what its adapter makes of it, or why it refuses."""
    return list(translated(made))


def translated(made: Traffic) -> Iterator[Reading]:
    for delivery in made.deliveries:
        if delivery.kind is None:
            continue
        store = STORES[delivery.shop]
        try:
            yield delivery, PLATFORMS[delivery.platform].translate(arrived(delivery), store).drafts
        except Rejected as rejected:
            yield delivery, rejected.reason


def test_the_same_seed_makes_the_same_webhooks(made: Traffic) -> None:
    assert traffic.make(1_000, 7, NOW) == made
    assert traffic.make(1_000, 8, NOW) != made


@pytest.mark.parametrize("events", [150, 333, 2_000])
def test_there_are_as_many_as_asked_for(events: int) -> None:
    assert len(traffic.make(events, 1, NOW).deliveries) == events


def test_too_few_for_the_special_cases_is_an_error() -> None:
    with pytest.raises(ValueError, match="too few"):
        traffic.make(20, 1, NOW)


def test_the_older_half_is_history_but_for_what_no_gateway_keeps(made: Traffic) -> None:
    assert all(one.kind is not None for one in made.replayed)
    never_kept = list(itertools.takewhile(lambda one: one.kind is None, made.posted))
    assert never_kept
    assert len(made.replayed) + len(never_kept) == len(made.posted) - len(never_kept) == 500
    assert traffic.kept(made.deliveries) == traffic.kept(made.replayed) + traffic.kept(made.posted)
    sold = [
        {
            statement.order
            for one in part
            for statement in one.statements
            if isinstance(statement, OrderStatement) and statement.sold
        }
        for part in (made.replayed, made.posted)
    ]
    assert all(len(orders) > 20 for orders in sold)
    assert sold[0] & sold[1], "some orders begin in the history and go on live"


def test_every_shop_signs_but_for_pings_and_forgeries(made: Traffic) -> None:
    secrets = {shop.name: [shop.secret.encode()] for shop in SHOPS}
    answers = Counter[int]()
    for one in made.deliveries:
        platform = PLATFORMS[one.platform]
        headers = {name.lower(): value for name, value in one.headers}
        genuine = verifies(platform, secrets[one.shop], headers, one.body)
        assert genuine == (one.kind is not None)
        assert greets(platform, headers, one.body) == (one.kind is None and one.answer == 200)
        answers[one.answer] += 1
    assert answers[401] == 10


def test_the_gateway_takes_each_in_as_the_kind_it_is_counted_under(made: Traffic) -> None:
    for one in made.deliveries:
        if one.kind is not None:
            assert arrived(one).kind == Kind(one.kind)


def test_the_bodies_nobody_can_translate_are_those_the_adapters_refuse(read: list[Reading]) -> None:
    for delivery, drafts in read:
        assert delivery.rejected == (drafts if isinstance(drafts, str) else ""), delivery.body[:300]
    reasons = {delivery.rejected for delivery, _ in read if delivery.rejected}
    assert reasons == {"no_email", "invalid_email", "currency_mismatch", "invalid_json"}


def test_an_order_states_what_its_adapter_reads(read: list[Reading]) -> None:
    checked = 0
    for delivery, drafts in read:
        for statement in delivery.statements:
            if isinstance(statement, OrderStatement):
                assert not isinstance(drafts, str)
                purchase = next((one.body for one in drafts if isinstance(one.body, Purchase)), None)
                assert (purchase is not None) == statement.sold
                if purchase is not None:
                    check_purchase(purchase, statement)
                    checked += 1
    assert checked > 200


def check_purchase(purchase: Purchase, statement: OrderStatement) -> None:
    assert purchase.purchase_id == statement.order
    assert purchase.total_price == statement.total
    assert purchase.contact_email == statement.buyer
    assert datetime.fromisoformat(purchase.purchase_date) == statement.placed
    assert purchase.total_quantity == statement.units
    assert {line.product_id for line in purchase.lines} == statement.articles


def test_people_and_products_state_what_their_adapters_read(read: list[Reading]) -> None:
    checked = Counter[type]()
    for delivery, drafts in read:
        for statement in delivery.statements:
            if isinstance(statement, OrderStatement):
                continue
            assert not isinstance(drafts, str)
            (draft,) = drafts
            checked[type(statement)] += 1
            match statement, draft.body:
                case PersonStatement(), Contact() as body:
                    assert (body.email, body.name, body.surname) == (statement.email, *statement.name)
                case ConsentStatement(), Contact() as body:
                    assert body.email == statement.email
                    assert body.newsletter == ("subscribed" if statement.subscribed else "unsubscribed")
                case ArticleStatement(price=None), Product() as body:
                    assert (draft.op, body.product_id) == (Op.HIDE, statement.article)
                case ArticleStatement(), Product() as body:
                    assert (body.product_id, body.name) == (statement.article, statement.title)
                    assert body.unit_price == statement.price
                    assert body.availability == ("instock" if statement.in_stock else "outofstock")
                case _:
                    pytest.fail(f"{statement} is not what {draft} says")
    assert min(checked[kind] for kind in (PersonStatement, ConsentStatement, ArticleStatement)) > 20


def test_what_translate_writes_of_them_keeps_the_schemas(made: Traffic) -> None:
    described = {
        kind: Draft202012Validator(json.loads((SCHEMAS / f"{kind}-record.json").read_text(encoding="utf-8")))
        for kind in ("contact", "product", "purchase")
    }
    written = Counter[str]()
    for offset, delivery in enumerate(made.deliveries[::4]):
        if delivery.kind is not None:
            feed = Feed(STORES[delivery.shop], PLATFORMS[delivery.platform], account="acme")
            result = apply(arrived(delivery), EventPosition("shop.orders", 0, offset), EntityState(), feed)
            for emission in result.emissions:
                described[emission.kind].validate(json.loads(emission.value))
                written[emission.kind] += 1
    assert min(written[kind] for kind in described) > 20


def test_there_are_repeats_late_versions_and_hostile_names(made: Traffic) -> None:
    seen = Counter((one.headers, one.body) for one in made.deliveries if one.kind)
    assert sum(count - 1 for count in seen.values()) == 80
    newest: dict[tuple[str, str], datetime] = {}
    late = 0
    for statement in made.statements:
        if isinstance(statement, OrderStatement):
            late += statement.at < newest.get((statement.account, statement.order), statement.at)
            newest[statement.account, statement.order] = max(
                statement.at, newest.get((statement.account, statement.order), statement.at)
            )
    assert late > 20
    assert {statement.name for statement in made.statements if isinstance(statement, PersonStatement)} & set(
        HOSTILE
    )


def test_versions_of_one_order_never_share_a_moment_unless_they_say_the_same(made: Traffic) -> None:
    said: dict[tuple[str, str, datetime], OrderStatement] = {}
    for statement in made.statements:
        if isinstance(statement, OrderStatement):
            assert said.setdefault((statement.account, statement.order, statement.at), statement) == statement


def test_ids_of_shops_that_share_an_account_never_meet(made: Traffic) -> None:
    shops: dict[tuple[str, str], set[str]] = {}
    for delivery in made.deliveries:
        for statement in delivery.statements:
            if isinstance(statement, OrderStatement):
                shops.setdefault((statement.account, statement.order), set()).add(delivery.shop)
            if isinstance(statement, ArticleStatement):
                shops.setdefault((statement.account, statement.article), set()).add(delivery.shop)
    assert all(len(names) == 1 for names in shops.values())


def order(at: int, **changes: object) -> OrderStatement:
    statement = {"sold": True, "total": Decimal(10), "buyer": "a@x.example", "name": ("A", "B")} | changes
    moment = NOW.replace(minute=at)
    return OrderStatement("acme", "1", moment, placed=NOW, articles=frozenset({"7"}), **statement)  # type: ignore[arg-type]


def test_the_newest_version_counts_in_whatever_order_they_come() -> None:
    statements = [order(2, total=Decimal(20)), order(3, total=Decimal(30)), order(1)]
    assert expected(statements)["acme"].purchases["1"].total == Decimal(30)
    assert expected(reversed(statements)) == expected(statements)


def test_what_was_sold_and_cancelled_may_leave_its_contact_but_not_its_purchase() -> None:
    made = expected([order(1), order(2, sold=False)])["acme"]
    assert made.purchases == {}
    assert made.contacts == {}
    assert made.allowed_contacts == {"a@x.example"}
    assert made.allowed_products == {"7"}


def test_newsletters_are_what_the_customer_said_and_no_order() -> None:
    said = ConsentStatement("acme", "a@x.example", NOW.replace(minute=1), subscribed=False)
    made = expected([said, order(5)])["acme"]
    assert made.contacts["a@x.example"].newsletter == {"unsubscribed"}
    assert expected([order(5)])["acme"].contacts["a@x.example"].newsletter == {"none"}


def test_a_product_known_only_from_orders_is_not_listed() -> None:
    made = expected([order(1)])["acme"]
    assert not made.products["7"].listed
    shown = ArticleStatement("acme", "7", NOW, "Mug", Decimal(3))
    assert expected([order(1), shown])["acme"].products["7"].listed
