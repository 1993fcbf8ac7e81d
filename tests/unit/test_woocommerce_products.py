"""What WooCommerce products, variations and customers mean, rule by rule."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pipeline.records import Op, RecordKind
from pipeline.shops.base import Draft, Rejected, Translation
from tests.woocommerce import RECEIVED_MS, contact_of, only, product_of, translate


def product(**changes: Any) -> dict[str, Any]:
    return {
        "id": 794,
        "name": "Tom &amp; Jerry",
        "permalink": "https://shop.example/product/tom/",
        "date_created_gmt": "2024-01-01T00:00:00",
        "date_modified_gmt": "2024-03-01T10:00:00",
        "type": "simple",
        "status": "publish",
        "catalog_visibility": "visible",
        "description": "<p>Long</p>",
        "short_description": "",
        "price": "20.00",
        "regular_price": "20.00",
        "on_sale": False,
        "manage_stock": False,
        "stock_quantity": None,
        "stock_status": "instock",
        "backorders_allowed": False,
        "average_rating": "0.00",
        "rating_count": 0,
        "parent_id": 0,
        "categories": [],
        "tags": [],
        "images": [],
    } | changes


def variation(**changes: Any) -> dict[str, Any]:
    return product(id=732, type="variation", parent_id=22, name="Tom - Red") | changes


def told(body: dict[str, Any], **settings: Any) -> Translation:
    return translate(body, "product.updated", **settings)


def notes(translation: Translation) -> tuple[str, ...]:
    return only(translation, RecordKind.PRODUCT).notes


def refused(body: dict[str, Any], topic: str = "product.updated") -> tuple[str, str]:
    with pytest.raises(Rejected) as rejected:
        translate(body, topic)
    return rejected.value.reason, rejected.value.field


@pytest.mark.parametrize("status", ["draft", "pending", "private", "future", "trash"])
def test_what_is_not_published_is_hidden(status: str) -> None:
    translation = told(product(status=status, price=""))
    draft = only(translation, RecordKind.PRODUCT)
    assert (draft.op, draft.id, translation.ignored) == (Op.HIDE, "794", "unpublished")


def test_a_deleted_product_is_hidden_or_deleted_by_the_settings() -> None:
    hidden = translate({"id": 794}, "product.deleted")
    assert (hidden.version, only(hidden, RecordKind.PRODUCT).op) == (RECEIVED_MS, Op.HIDE)
    deleted = only(translate({"id": 794}, "product.deleted", on_product_deleted="delete"), RecordKind.PRODUCT)
    assert (deleted.op, deleted.id) == (Op.RETRACT, "794")


def test_the_price_falls_back_to_the_regular_one() -> None:
    translation = told(product(price="", regular_price="24.50"))
    assert product_of(translation).unit_price == Decimal("24.50")
    assert notes(translation) == ("regular_price_used",)


@pytest.mark.parametrize("price", ["", None])
def test_without_any_price_it_is_not_created(price: str | None) -> None:
    translation = told(product(price=price, regular_price=""))
    assert (translation.drafts, translation.ignored) == ((), "no_price")


def test_a_price_of_zero_is_a_price() -> None:
    assert product_of(told(product(price="0", regular_price="0"))).unit_price == 0


def test_a_sale_tells_the_regular_price_and_the_discount() -> None:
    body = product_of(told(product(price="15.00", regular_price="20.00", on_sale=True)))
    assert (body.unit_price, body.unit_price_original) == (Decimal("15.00"), Decimal("20.00"))
    assert (body.discounted_amount, body.discounted_percentage) == (Decimal("5.00"), Decimal("25.00"))


def test_the_end_of_a_sale_is_told_too() -> None:
    body = product_of(told(product()))
    assert (body.unit_price_original, body.discounted_amount) == (Decimal("20.00"), Decimal(0))


@pytest.mark.parametrize(
    ("stock", "expected"),
    [
        ({"stock_status": "instock"}, "instock"),
        ({"stock_status": "onbackorder", "manage_stock": True, "stock_quantity": -2}, "instock"),
        ({"stock_status": "outofstock"}, "outofstock"),  # said by hand, nothing is tracked
        ({"stock_status": "outofstock", "backorders_allowed": True}, "outofstock"),
        ({"stock_status": "outofstock", "manage_stock": True, "backorders_allowed": True}, "instock"),
        ({"stock_status": "outofstock", "manage_stock": True, "stock_quantity": 0}, "outofstock"),
        ({"stock_status": None, "in_stock": True}, "instock"),  # API v2
        ({"stock_status": None}, None),
        ({"stock_status": "lowstock"}, None),
    ],
)
def test_availability(stock: dict[str, Any], expected: str | None) -> None:
    assert product_of(told(product(**stock))).availability == expected


def test_stock_counts_are_not_sent_since_every_sale_would_cost_a_call() -> None:
    seven, six = (product_of(told(product(manage_stock=True, stock_quantity=left))) for left in (7, 6))
    assert seven == six


def test_the_catalogue_entry_in_full() -> None:
    body = product_of(
        told(
            product(
                short_description="<p>Short &amp; <b>sweet</b></p>\n",
                categories=[{"id": 9, "name": "Books &amp; Films"}, {"id": 9, "name": "Books &amp; Films"}],
                tags=[{"id": 1, "name": "new"}],
                brands=[{"id": 3, "name": "Acme"}],
                images=[
                    {"id": 1, "src": "https://shop.example/a.jpg"},
                    {"src": "https://shop.example/b.jpg"},
                ],
                average_rating="4.50",
                rating_count=12,
            )
        )
    )
    assert body.model_dump(exclude_none=True, exclude_defaults=True) == {
        "product_id": "794",
        "name": "Tom & Jerry",
        "url": "https://shop.example/product/tom/",
        "unit_price": Decimal("20.00"),
        "unit_price_original": Decimal("20.00"),
        "discounted_amount": Decimal(0),
        "discounted_percentage": Decimal(0),
        "availability": "instock",
        "image_url": "https://shop.example/a.jpg",
        "description": "Short & sweet",
        "brand": "Acme",
        "categories": ("Books & Films",),
        "tags": ("new",),
        "published_at": "2024-01-01T00:00:00Z",
        "is_blacklisted": False,
        "rating": Decimal("4.50"),
        "rating_count": 12,
    }


def test_the_long_description_stands_in_for_the_short_one() -> None:
    assert product_of(told(product())).description == "Long"


def test_of_several_brands_the_first_is_sent() -> None:
    translation = told(product(brands=[{"name": "Acme"}, {"name": "Other"}]))
    assert (product_of(translation).brand, notes(translation)) == ("Acme", ("further_brands_left_out",))


def test_what_the_shop_hides_from_its_lists_is_not_recommended() -> None:
    translation = told(product(catalog_visibility="hidden"))
    assert (product_of(translation).is_blacklisted, notes(translation)) == (True, ("hidden_in_catalogue",))


@pytest.mark.parametrize("rating", ["7.00", "-1", "good", None])
def test_a_rating_out_of_range_is_dropped_and_noted(rating: str | None) -> None:
    translation = told(product(average_rating=rating, rating_count=3))
    assert (product_of(translation).rating, notes(translation)) == (None, ("rating_invalid",))


def test_an_unreadable_creation_date_costs_only_itself() -> None:
    translation = told(product(date_created_gmt="soon"))
    assert (product_of(translation).published_at, notes(translation)) == (None, ("published_at_invalid",))
    translation = told(product(date_created_gmt="0000-00-00T00:00:00"))  # which is no date
    assert (product_of(translation).published_at, notes(translation)) == (None, ())


@pytest.mark.parametrize("kind", ["grouped", "external", "variable", "bundle", "subscription"])
def test_products_of_every_type_are_products(kind: str) -> None:
    assert product_of(told(product(type=kind))).product_id == "794"


def test_a_simple_product_in_a_group_is_no_variation() -> None:
    assert product_of(told(product(parent_id=22))).product_id == "794"


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"status": None}, "missing_field", "status"),
        ({"name": ""}, "missing_field", "name"),
        ({"permalink": "/product/tom/"}, "missing_field", "permalink"),
        ({"price": "-1.00"}, "invalid_money", "price"),
        ({"price": "call us"}, "invalid_money", "price"),
        ({"type": "variation"}, "missing_field", "parent_id"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(changes: dict[str, Any], reason: str, field: str) -> None:
    assert refused(product(**changes)) == (reason, field)


# Variations


def test_a_variation_in_stock_puts_its_product_in_stock() -> None:
    draft = only(told(variation()), RecordKind.PRODUCT)
    assert (draft.op, draft.id, draft.notes) == (Op.PATCH, "22", ("known_from_variation",))
    assert draft.body is not None
    assert draft.body.model_dump(exclude_none=True, exclude_defaults=True) == {
        "product_id": "22",
        "availability": "instock",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"stock_status": "outofstock"},  # its siblings may be in stock
        {"status": "private"},  # switched off in the admin
        {"purchasable": False},  # no price
        {"stock_status": None},
    ],
)
def test_a_variation_that_cannot_be_bought_says_nothing_of_its_product(changes: dict[str, Any]) -> None:
    translation = told(variation(**changes))
    assert (translation.drafts, translation.ignored) == ((), "variation_tells_nothing")


def test_a_deleted_variation_leaves_its_product_alone() -> None:
    """Its id is named: left open, the stage would take the product's, which the variation's events told."""
    draft = only(translate({"id": 732}, "product.deleted"), RecordKind.PRODUCT)
    assert (draft.op, draft.id) == (Op.HIDE, "732")


def test_variations_are_products_where_the_store_says_so() -> None:
    draft = only(told(variation(), product_id="variant"), RecordKind.PRODUCT)
    assert (draft.op, draft.id) == (Op.UPSERT, "732")
    hidden = only(told(variation(status="private"), product_id="variant"), RecordKind.PRODUCT)
    assert (hidden.op, hidden.id) == (Op.HIDE, "732")


def test_a_variation_without_a_name_completes_a_product_and_creates_none() -> None:
    """Read through its own endpoint it has neither name nor type, and a link to its parent."""
    body = variation(name=None, type=None, parent_id=None, status=True)
    body["_links"] = {"up": [{"href": "https://shop.example/wp-json/wc/v3/products/22"}]}
    assert only(told(body), RecordKind.PRODUCT).id == "22"
    draft = only(told(body, product_id="variant"), RecordKind.PRODUCT)
    assert (draft.op, draft.id, draft.notes) == (Op.PATCH, "732", ("name_missing",))


def test_the_parent_of_variants_is_no_product_but_takes_them_with_it() -> None:
    parent = product(type="variable", variations=[732, 733])
    shown = told(parent, product_id="variant")
    own = (Op.HIDE, shown.drafts[0].id, True)
    assert shown.ignored == "parent_of_variants"
    assert [(draft.op, draft.id, draft.if_emitted) for draft in shown.drafts] == [own]
    hidden: tuple[Draft, ...] = told(parent | {"status": "draft"}, product_id="variant").drafts
    assert [(draft.op, draft.id, draft.if_emitted) for draft in hidden] == [
        (Op.HIDE, "732", False),
        (Op.HIDE, "733", False),
        own,
    ]


# Customers


def customer(**changes: Any) -> dict[str, Any]:
    return {
        "id": 25,
        "email": "Ana@Example.com",
        "first_name": "",
        "last_name": "Ruiz",
        "role": "subscriber",
        "date_modified_gmt": "2024-03-01T10:00:00",
        "billing": {"first_name": "Ana", "last_name": "Other", "phone": "612345678", "country": "es"},
        "meta_data": [{"key": "mailchimp_woocommerce_is_subscribed", "value": "1"}],
    } | changes


def test_a_customer_is_a_contact_whose_consent_is_never_guessed() -> None:
    body = contact_of(translate(customer(), "customer.created"))
    assert body.model_dump(exclude_none=True) == {
        "email": "ana@example.com",
        "name": "Ana",
        "surname": "Ruiz",
        "mobile_phone": "+34612345678",
        "custom": {},
    }


def test_a_customer_who_never_changed_was_modified_when_created() -> None:
    body = customer(date_modified_gmt=None, date_created_gmt="2024-02-01T00:00:00")
    assert translate(body, "customer.updated").version == 1_706_745_600_000


def test_a_customer_without_an_address_is_refused() -> None:
    assert refused(customer(email=""), "customer.updated")[0] == "no_email"
    assert refused(customer(email="x" * 300 + "@example.com"), "customer.updated")[0] == "invalid_email"


def test_a_deleted_customer_is_kept_unless_the_store_erases() -> None:
    assert translate({"id": 25}, "customer.deleted").ignored == "customer_kept"
    erased = translate({"id": 25}, "customer.deleted", on_customer_deleted="delete")
    draft = only(erased, RecordKind.CONTACT)
    assert (draft.op, draft.id, draft.if_emitted) == (Op.RETRACT, None, True)
