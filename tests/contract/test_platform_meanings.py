"""What every platform's shops say means the same: a sale, a person, an article, and that they are gone."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest

from pipeline.events import Kind
from pipeline.records import Op, Origin, RecordKind
from pipeline.shops.platform import AnyPlatform
from tests.contract.platform_events import (
    ARRIVED_MS,
    EACH,
    Entities,
    bodies_of,
    contact_of,
    event_of,
    meaning,
    only,
    products_of,
    purchase_of,
    raw,
    refusal,
)
from tests.platforms import IN_TESTS, verifies
from tests.shop_bodies import CHANGED, PLACED, Article, Person, Sale, Sent, SoldLine

#: The two moments at which Madrid's clocks show half past two on the day they are set back.
FIRST = datetime(2023, 10, 29, 0, 30, tzinfo=UTC)
SECOND = datetime(2023, 10, 29, 1, 30, tzinfo=UTC)
NAMES = ["Ñandú", "Ænima ß", "Ελληνικά", "Кружка", "مرحبا", "漢字かな", "Tom & Jerry", "😀 mug"]


def ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000


def entities(platform: AnyPlatform) -> list[tuple[Kind, Sent, str]]:
    """One event of each kind, and whose it is."""
    bodies = bodies_of(platform)
    return [
        (Kind.ORDER, bodies.order(Sale()), "1001"),
        (Kind.CUSTOMER, bodies.customer(Person()), "12"),
        (Kind.PRODUCT, bodies.product(Article()), "77"),
    ]


# Verify and arrival


@EACH
def test_a_body_that_was_changed_on_its_way_is_not_genuine(platform: AnyPlatform) -> None:
    shop = IN_TESTS[platform.name]
    sent = shop.bodies.order(Sale())
    body = shop.with_topic(sent.topic, raw(sent))
    headers = shop.signed(sent.topic, body, b"key", {})
    assert verifies(platform, [b"key"], headers, body)
    for changed in (body + b" ", body[:-1], body.replace(b"1001", b"1002", 1), b"", b"{}"):
        assert verifies(platform, [b"key"], headers, changed) is not shop.signs_body


@EACH
def test_an_event_is_kept_under_its_entity_however_the_body_is_written(platform: AnyPlatform) -> None:
    for kind, sent, entity in entities(platform):
        backwards = dict(reversed(sent.body.items()))
        spaced = orjson.dumps(sent.body, option=orjson.OPT_INDENT_2)
        for body in (raw(sent), spaced, orjson.dumps(backwards)):
            event = event_of(platform, sent, body=body)
            assert (event.kind, event.entity, event.topic) == (kind, entity, sent.topic)


@EACH
def test_a_deletion_is_kept_under_the_entity_that_is_gone(platform: AnyPlatform) -> None:
    for kind, sent, entity in entities(platform):
        gone = bodies_of(platform).deleted(kind, entity)
        if gone is not None:
            assert event_of(platform, gone).key == event_of(platform, sent).key
            assert platform.topics.is_deletion(gone.topic)


# The clock of versions


@EACH
def test_the_version_is_the_moment_of_the_last_change_by_the_shops_clock(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    for later in (timedelta(0), timedelta(seconds=1), timedelta(days=-40)):
        changed = CHANGED + later
        for kind, sent in (
            (Kind.ORDER, bodies.order(Sale(changed=changed))),
            (Kind.CUSTOMER, bodies.customer(Person(changed=changed))),
            (Kind.PRODUCT, bodies.product(Article(changed=changed))),
        ):
            expected = ARRIVED_MS if kind in bodies.without_clock else ms(changed)
            assert meaning(platform, sent).version == expected, kind


# Money


@EACH
@pytest.mark.parametrize(
    ("currency", "unit", "total"),
    [("EUR", "9.99", "19.98"), ("EUR", "10.00", "24.95"), ("JPY", "1000", "2000"), ("EUR", "0.00", "0.00")],
)
def test_money_is_what_the_shop_says(platform: AnyPlatform, currency: str, unit: str, total: str) -> None:
    sale = Sale(currency=currency, total=total, lines=(SoldLine(unit=unit),))
    purchase = purchase_of(meaning(platform, bodies_of(platform).order(sale), currency=currency))
    assert purchase.total_price == Decimal(total)
    assert (purchase.total_quantity, len(purchase.lines)) == (2, 1)
    [line] = purchase.lines
    assert (line.quantity, line.unit_price, line.price) == (2, Decimal(unit), 2 * Decimal(unit))
    assert all(amount.as_tuple().exponent <= 0 for amount in (purchase.total_price, line.price))  # type: ignore[operator]


@EACH
def test_lines_of_one_product_are_one_line(platform: AnyPlatform) -> None:
    sale = Sale(total="50.00", lines=(SoldLine(), SoldLine(quantity=3), SoldLine("78", "780", "POT", "Pot")))
    purchase = purchase_of(meaning(platform, bodies_of(platform).order(sale)))
    assert [(line.product_id, line.quantity) for line in purchase.lines] == [("77", 5), ("78", 2)]
    assert purchase.total_price == Decimal("50.00")


@EACH
def test_an_order_in_another_currency_than_the_accounts_is_refused(platform: AnyPlatform) -> None:
    sent = bodies_of(platform).order(Sale(currency="USD"))
    assert refusal(platform, sent, currency="EUR").reason == "currency_mismatch"
    assert purchase_of(meaning(platform, sent, currency="USD")) == purchase_of(meaning(platform, sent))


@EACH
def test_an_order_without_a_currency_passes_only_where_the_account_has_none(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    if not bodies.without_currency:
        pytest.skip("its orders always say it")
    sent = bodies.order(Sale(currency=None))
    assert refusal(platform, sent, currency="EUR").reason == "missing_field"
    assert "currency_missing" in only(meaning(platform, sent), RecordKind.PURCHASE).notes


@EACH
@pytest.mark.parametrize("total", ["twenty", "NaN", "Infinity", "1e400", -5, True, [20], {"amount": "20"}])
def test_a_total_that_is_no_money_is_refused_by_name(platform: AnyPlatform, total: Any) -> None:
    bodies = bodies_of(platform)
    sent = bodies.order(Sale())
    *path, last = bodies.total_at
    node: Any = sent.document
    for key in path:
        node = node[key]
    assert last in node
    node[last] = total
    refused = refusal(platform, sent)
    assert refused.reason == "invalid_money"
    assert last in refused.field


# Dates


@EACH
def test_a_purchase_has_the_moment_it_was_placed_in_utc(platform: AnyPlatform) -> None:
    sale = Sale(placed=datetime(2023, 7, 1, 23, 59, 58, tzinfo=UTC))
    translation = meaning(platform, bodies_of(platform).order(sale))
    assert purchase_of(translation).purchase_date == "2023-07-01T23:59:58Z"
    assert only(translation, RecordKind.CONTACT).said_ms == ms(sale.placed)


@EACH
def test_the_hour_that_exists_twice_is_told_apart_or_is_the_earlier_one(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    found = [
        only(meaning(platform, bodies.order(Sale(placed=placed))), RecordKind.PURCHASE)
        for placed in (FIRST, SECOND)
    ]
    dates = [draft.body.purchase_date for draft in found]  # type: ignore[union-attr]
    if bodies.only_local:
        assert dates == ["2023-10-29T00:30:00Z"] * 2
        assert all("local_hour_unclear" in draft.notes for draft in found)
    else:
        assert dates == ["2023-10-29T00:30:00Z", "2023-10-29T01:30:00Z"]


@EACH
@pytest.mark.parametrize(
    ("local", "utc", "is_clear"),
    [
        ("2023-10-29T02:30:00", "2023-10-29T00:30:00Z", False),  # twice
        ("2024-03-31T02:30:00", "2024-03-31T00:30:00Z", False),  # never
        ("2023-10-29T03:00:00", "2023-10-29T02:00:00Z", True),
        ("2024-03-31T03:00:00", "2024-03-31T01:00:00Z", True),
        ("2024-07-01T00:30:00", "2024-06-30T22:30:00Z", True),
    ],
)
def test_a_local_time_is_read_with_the_stores_zone(
    platform: AnyPlatform, local: str, utc: str, is_clear: bool
) -> None:
    write = bodies_of(platform).local
    if write is None:
        pytest.skip("it writes no local times, or refuses them")
    draft = only(meaning(platform, write(Sale(), local)), RecordKind.PURCHASE)
    assert purchase_of(meaning(platform, write(Sale(), local))).purchase_date == utc
    assert ("local_hour_unclear" not in draft.notes) is is_clear


# Identity


@EACH
@pytest.mark.parametrize("identity", ["product", "variant", "sku"])
@pytest.mark.parametrize("sku", ["MUG", "taza azul/ñ", None])
def test_a_product_has_the_same_id_in_the_catalogue_and_in_lines(
    platform: AnyPlatform, identity: str, sku: str | None
) -> None:
    bodies = bodies_of(platform)
    order = meaning(platform, bodies.order(Sale(lines=(SoldLine(sku=sku),))), product_id=identity)
    catalogue = meaning(platform, bodies.product(Article(sku=sku)), product_id=identity)
    [line] = purchase_of(order).lines
    [stub], [product] = products_of(order), products_of(catalogue)
    assert line.product_id == stub.product_id == product.product_id
    if identity == "product" or sku is None:
        assert line.product_id in {"77", "770"}
    elif identity == "sku":
        assert line.product_id == sku


@EACH
def test_a_product_known_only_from_an_order_is_kept_out_of_recommendations(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    stub = only(meaning(platform, bodies.order(Sale())), RecordKind.PRODUCT)
    told = only(meaning(platform, bodies.product(Article())), RecordKind.PRODUCT)
    assert (stub.origin, told.origin) == (Origin.ORDER, Origin.CATALOGUE)
    [of_order], [of_catalogue] = (
        products_of(meaning(platform, sent)) for sent in (bodies.order(Sale()), bodies.product(Article()))
    )
    assert (of_order.is_blacklisted, of_catalogue.is_blacklisted) == (True, False)
    assert of_catalogue.availability == "instock"
    assert of_catalogue.unit_price == Decimal("10.00")


# People


@EACH
def test_an_order_of_a_customer_is_that_customers(platform: AnyPlatform) -> None:
    translation = meaning(platform, bodies_of(platform).order(Sale(email=" Ana@Mail.Example ")))
    draft = only(translation, RecordKind.CONTACT)
    assert (draft.id, draft.owner, draft.origin) == ("ana@mail.example", "customer|12", Origin.ORDER)
    assert (contact_of(translation).name, contact_of(translation).surname) == ("Ana", "Mora")
    assert purchase_of(translation).contact_email == "ana@mail.example"
    own = only(meaning(platform, bodies_of(platform).customer(Person())), RecordKind.CONTACT)
    assert own.id == draft.id


@EACH
def test_a_guest_is_known_by_the_address_alone(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    draft = only(meaning(platform, bodies.order(Sale(customer=None))), RecordKind.CONTACT)
    assert (draft.id, draft.owner) == ("ana@mail.example", "")


@EACH
def test_an_order_without_an_address_is_parked_or_held_by_the_customers_id(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    nobody = bodies.order(Sale(customer=None, email=None))
    assert refusal(platform, nobody).reason == "no_email"
    assert refusal(platform, nobody, guests_without_email="external_id").reason == "no_email"
    known = bodies.order(Sale(email=None))
    assert refusal(platform, known).reason == "no_email"
    purchase = purchase_of(meaning(platform, known, guests_without_email="external_id"))
    assert (purchase.contact_email, purchase.contact_external_id) == (None, "12")


@EACH
def test_an_address_that_cannot_exist_is_refused(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    for sent in (bodies.order(Sale(email="ana at mail")), bodies.customer(Person(email="ana at mail"))):
        assert refusal(platform, sent).reason == "invalid_email"


@EACH
def test_an_unsold_order_makes_nothing_unless_the_store_wants_its_contact(platform: AnyPlatform) -> None:
    sent = bodies_of(platform).order(Sale(state="unsold"))
    assert Entities(platform).hear(sent).emissions == ()
    wanted = Entities(platform, {"contacts_from_unsold_orders": True}).hear(sent).emissions
    assert [(one.kind, one.id) for one in wanted] == [(RecordKind.CONTACT, "ana@mail.example")]


# Consent


@EACH
@pytest.mark.parametrize("status", ["subscribed", "unsubscribed"])
def test_a_statement_of_consent_counts_from_the_moment_it_was_made(
    platform: AnyPlatform, status: str
) -> None:
    bodies = bodies_of(platform)
    word = bodies.subscribed if status == "subscribed" else bodies.unsubscribed
    if word is None:
        pytest.skip("one event of its customers never says so")
    consented = PLACED + timedelta(seconds=30)
    contact = contact_of(meaning(platform, bodies.customer(Person(consent=word, consented=consented))))
    assert contact.newsletter == status
    expected = consented if bodies.consent_has_time else PLACED
    assert contact.newsletter_ms == ms(expected)


@EACH
def test_every_other_word_and_silence_say_nothing_of_consent(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    for word in (None, *bodies.silent):
        contact = contact_of(meaning(platform, bodies.customer(Person(consent=word))))
        assert (contact.newsletter, contact.newsletter_ms) == (None, None), word


# Deletion


@EACH
def test_an_order_that_is_gone_takes_its_purchase_back(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    for end in (
        bodies.deleted(Kind.ORDER, "1001"),
        bodies.order(Sale(state="cancelled", changed=CHANGED + timedelta(seconds=5))),
        bodies.order(Sale(state="refunded", changed=CHANGED + timedelta(seconds=5))),
    ):
        if end is None:
            continue
        shop = Entities(platform)
        assert shop.hear(end).emissions == ()
        shop = Entities(platform)
        shop.hear(bodies.order(Sale()))
        [gone] = shop.hear(end).emissions
        assert (gone.kind, gone.id) == (RecordKind.PURCHASE, "1001")
        assert b'"op":"retract"' in gone.value


@EACH
def test_a_deleted_order_stays_where_the_store_says_so(platform: AnyPlatform) -> None:
    shop = Entities(platform, {"on_order_deleted": "keep"})
    shop.hear(bodies_of(platform).order(Sale()))
    assert shop.hear(bodies_of(platform).deleted(Kind.ORDER, "1001")).emissions == ()


@EACH
@pytest.mark.parametrize(("setting", "op"), [("hide", Op.HIDE), ("delete", Op.RETRACT)])
@pytest.mark.parametrize("identity", ["product", "sku"])
def test_a_deleted_product_is_hidden_or_deleted(
    platform: AnyPlatform, setting: str, op: Op, identity: str
) -> None:
    bodies = bodies_of(platform)
    shop = Entities(platform, {"on_product_deleted": setting, "product_id": identity})
    shop.hear(bodies.product(Article()))
    [gone] = shop.hear(bodies.deleted(Kind.PRODUCT, "77")).emissions
    assert gone.id == ("77" if identity == "product" else "MUG")
    assert f'"op":"{op}"'.encode() in gone.value


@EACH
def test_an_unpublished_or_sold_out_product_leaves_the_shelf(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    hidden = only(meaning(platform, bodies.product(Article(published=False))), RecordKind.PRODUCT)
    assert hidden.op is Op.HIDE
    [sold_out] = products_of(meaning(platform, bodies.product(Article(available=False))))
    assert sold_out.availability == "outofstock"


@EACH
def test_a_deleted_customer_stays_unless_the_store_says_otherwise(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    gone = bodies.deleted(Kind.CUSTOMER, "12")
    for setting, expected in (("keep", []), ("delete", ["ana@mail.example"])):
        shop = Entities(platform, {"on_customer_deleted": setting})
        shop.hear(bodies.customer(Person()))
        assert [one.id for one in shop.hear(gone).emissions] == expected


# Languages


@EACH
@pytest.mark.parametrize("name", NAMES)
def test_names_in_any_script_stay_what_they_are(platform: AnyPlatform, name: str) -> None:
    bodies = bodies_of(platform)
    order = meaning(platform, bodies.order(Sale(name=name, lines=(SoldLine(name=name),))))
    assert contact_of(order).name == name
    assert purchase_of(order).lines[0].name == name
    assert contact_of(meaning(platform, bodies.customer(Person(name=name)))).name == name
    assert products_of(meaning(platform, bodies.product(Article(name=name))))[0].name == name


def test_every_field_of_what_a_platform_must_say_is_explained() -> None:
    bodies = type(next(iter(IN_TESTS.values())).bodies)
    explained = bodies.__doc__ or ""
    assert all(f"        {field.name}: " in explained for field in dataclasses.fields(bodies))
