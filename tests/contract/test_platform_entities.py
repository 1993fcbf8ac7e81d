"""Whose every platform's records are: ids, persons, consent, deletions, shared accounts, any script."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import orjson
import pytest

from pipeline.events import Kind
from pipeline.records import Op, Origin, RecordKind
from pipeline.shops.platform import AnyPlatform
from tests.contract.platform_events import (
    EACH,
    Entities,
    bodies_of,
    contact_of,
    meaning,
    only,
    products_of,
    purchase_of,
    refusal,
)
from tests.shop_bodies import CHANGED, PLACED, Article, Person, Sale, SoldLine

#: The two moments at which Madrid's clocks show half past two on the day they are set back.
FIRST = datetime(2023, 10, 29, 0, 30, tzinfo=UTC)
SECOND = datetime(2023, 10, 29, 1, 30, tzinfo=UTC)
NAMES = ["Ñandú", "Ænima ß", "Ελληνικά", "Кружка", "مرحبا", "漢字かな", "Tom & Jerry", "😀 mug"]


def ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000


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


# Stores that share an account


@EACH
def test_a_prefix_stands_before_every_id_and_before_no_address(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    shop = Entities(platform, {"id_prefix": "b-", "on_product_deleted": "hide"})
    sold = [orjson.loads(one.value) for one in shop.hear(bodies.order(Sale())).emissions]
    assert [one["id"] for one in sold] == ["ana@mail.example", "b-77", "b-1001"]
    purchase = sold[-1]["body"]
    assert purchase["purchase_id"] == "b-1001"
    assert [line["product_id"] for line in purchase["lines"]] == ["b-77"]
    [told] = shop.hear(bodies.product(Article())).emissions
    assert told.id == "b-77"
    later = CHANGED + timedelta(seconds=5)
    for sent in (bodies.order(Sale(state="cancelled", changed=later)), bodies.deleted(Kind.PRODUCT, "77")):
        if sent is not None:
            assert [one.id for one in shop.hear(sent).emissions] in (["b-1001"], ["b-77"])


@EACH
def test_a_prefix_stands_before_the_id_of_a_customer_without_an_address(platform: AnyPlatform) -> None:
    settings = {"id_prefix": "b-", "guests_without_email": "external_id"}
    shop = Entities(platform, settings)
    told = [
        orjson.loads(one.value) for one in shop.hear(bodies_of(platform).order(Sale(email=None))).emissions
    ]
    assert (told[0]["id"], told[0]["body"]["external_id"]) == ("b-12", "b-12")
    assert told[-1]["body"]["contact_external_id"] == "b-12"


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
