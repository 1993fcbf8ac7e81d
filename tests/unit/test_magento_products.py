"""Magento's products: visible or not, at which price, in stock, with which page and picture."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pipeline.records import Op, RecordKind
from pipeline.shops.base import Rejected
from tests.magento import RECEIVED_MS, article, ms, only, product, read

NOON = ms("2025-06-15 12:00:00")


def simple(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = read("rest-product-docs-simple.json") | {"visibility": 4}
    return body | changes


def custom(**values: Any) -> list[dict[str, Any]]:
    return [{"attribute_code": code, "value": value} for code, value in values.items()]


def stock(**changes: Any) -> dict[str, Any]:
    return {"stock_item": {"qty": 5, "is_in_stock": True, "manage_stock": True, "backorders": 0} | changes}


def part(number: int, price: Any, **changes: Any) -> dict[str, Any]:
    return {"id": number, "sku": f"P{number}", "price": price, "status": 1, "type_id": "simple"} | changes


def page(*parts: Any) -> dict[str, Any]:
    return {"items": list(parts), "total_count": len(parts)}


@pytest.mark.parametrize("visibility", [2, 3, 4, "4"])
def test_what_is_enabled_and_visible_is_told(visibility: Any) -> None:
    told = article(product(simple(visibility=visibility)))
    assert (told.product_id, told.unit_price, told.is_blacklisted) == ("2079", Decimal(25), False)


def test_what_is_not_visible_by_itself_or_disabled_is_hidden_where_it_was_told() -> None:
    for changes, reason, only_if in (
        ({"visibility": 1}, "not_visible", True),
        ({"status": 2}, "unpublished", False),
    ):
        said = product(simple(**changes))
        assert (said.drafts[0].op, said.drafts[0].if_emitted, said.ignored) == (Op.HIDE, only_if, reason)
    said = product(simple(), website_ids=["7"])
    assert (said.drafts[0].op, said.drafts[0].if_emitted, said.ignored) == (Op.HIDE, True, "other_shop")
    assert article(product(simple(), website_ids=["1"]))


@pytest.mark.parametrize("field", ["status", "name"])
def test_what_a_product_cannot_do_without_is_refused_by_name(field: str) -> None:
    with pytest.raises(Rejected) as caught:
        product(simple(**{field: None}))
    assert (caught.value.reason, caught.value.field) == ("missing_field", field)


@pytest.mark.parametrize(
    ("dates", "price"),
    [
        ({}, 20),
        ({"special_from_date": "2025-06-15 00:00:00"}, 20),
        ({"special_from_date": "2025-06-16 00:00:00"}, 25),
        ({"special_to_date": "2025-06-15 00:00:00"}, 20),
        ({"special_to_date": "2025-06-14 00:00:00"}, 25),
        ({"special_to_date": "0000-00-00 00:00:00"}, 20),
        ({"special_from_date": "soon"}, 25),
    ],
)
def test_a_special_price_counts_while_it_is_in_force(dates: dict[str, str], price: int) -> None:
    body = simple(custom_attributes=custom(special_price="20.0000", **dates))
    told = article(product(body, received_ms=NOON))
    assert (told.unit_price, told.unit_price_original) == (Decimal(price), Decimal(25))
    assert told.discounted_amount == 25 - price


def test_the_days_of_a_special_price_are_those_of_the_shops_zone() -> None:
    body = simple(custom_attributes=custom(special_price=20, special_from_date="2025-06-16"))
    evening = ms("2025-06-15 22:30:00")
    assert article(product(body, received_ms=evening)).unit_price == 25
    assert article(product(body, received_ms=evening, timezone="Europe/Madrid")).unit_price == 20


def test_a_special_price_above_the_price_or_unreadable_is_none() -> None:
    for value, noted in (("30", False), ("cheap", True), (0, False)):
        body = simple(custom_attributes=custom(special_price=value))
        draft = only(product(body), RecordKind.PRODUCT)
        assert article(product(body)).unit_price == 25
        assert ("special_price_unreadable" in draft.notes) is noted


def test_a_product_may_cost_nothing_and_one_without_a_price_is_none() -> None:
    assert article(product(simple(price=0))).unit_price == 0
    assert product(simple(price=None)).ignored == "no_price"
    with pytest.raises(Rejected, match="invalid_money"):
        product(simple(price="dear"))


def test_tax_is_added_where_the_store_says_the_rate() -> None:
    draft = only(product(simple(price=24.79), tax_rate=21), RecordKind.PRODUCT)
    assert article(product(simple(price=24.79), tax_rate=21)).unit_price == Decimal("30.00")
    assert "catalogue_tax_added" in draft.notes
    assert "catalogue_price_as_entered" in only(product(simple()), RecordKind.PRODUCT).notes


def test_a_configurable_product_costs_what_its_cheapest_variant_does() -> None:
    body = simple(type_id="configurable", price=0, extension_attributes=stock(qty=0))
    parts = page(
        part(1, 30),
        part(2, 28, custom_attributes=custom(special_price=26)),
        part(3, 5, status=2),
        part(4, 0),
    )
    told = article(product(body, parts))
    assert (told.unit_price, told.unit_price_original) == (Decimal(26), Decimal(26))
    assert product(body).ignored == "no_price"
    assert product(body, page(part(3, 5, status=2))).ignored == "no_price"
    assert article(product(body | {"price": 40}, parts)).unit_price == 40


def test_a_group_costs_what_its_cheapest_member_does() -> None:
    assert (
        article(product(simple(type_id="grouped", price=None), page(part(1, 9), part(2, 7)))).unit_price == 7
    )


def bundle(*options: tuple[bool, list[dict[str, Any]]]) -> dict[str, Any]:
    listed = [{"required": required, "product_links": links} for required, links in options]
    return simple(type_id="bundle", price=0, extension_attributes={"bundle_product_options": listed})


def test_a_bundle_costs_the_cheapest_choice_for_all_that_is_required() -> None:
    one = {"sku": "P1", "qty": 1}
    two = {"sku": "P2", "qty": 2}
    parts = page(part(1, 10), part(2, 3))
    assert article(product(bundle((True, [one, two]), (True, [one])), parts)).unit_price == 16
    assert article(product(bundle((True, [one]), (False, [two])), parts)).unit_price == 10
    assert article(product(bundle((False, [one]), (False, [two])), parts)).unit_price == 6
    assert article(product(bundle((True, [one | {"price": 4}])), parts)).unit_price == 4
    assert product(bundle((True, [{"sku": "P9", "qty": 1}])), parts).ignored == "no_price"


@pytest.mark.parametrize(
    ("item", "availability"),
    [
        ({}, "instock"),
        ({"qty": 0}, "outofstock"),
        ({"qty": "0.0000"}, "outofstock"),
        ({"qty": 0, "backorders": 1}, "instock"),
        ({"qty": 0, "manage_stock": False, "is_in_stock": False}, "instock"),
        ({"is_in_stock": False}, "outofstock"),
        ({"is_in_stock": "?"}, None),
    ],
)
def test_it_can_be_bought_by_its_stock_row(item: dict[str, Any], availability: str | None) -> None:
    assert article(product(simple(extension_attributes=stock(**item)))).availability == availability


def test_without_a_stock_row_nothing_is_said_of_it() -> None:
    assert article(product(simple(extension_attributes={}))).availability is None


def test_a_product_made_of_parts_can_be_bought_while_one_of_them_can() -> None:
    parts = [part(1, 9, extension_attributes=stock(qty=0)), part(2, 9, extension_attributes=stock())]
    for extended, listed, availability in (
        (stock(qty=0), parts, "instock"),
        (stock(qty=0), parts[:1], "outofstock"),
        (stock(is_in_stock=False), parts, "outofstock"),
        ({}, [part(1, 9)], None),
    ):
        body = simple(type_id="configurable", price=0, extension_attributes=extended)
        assert article(product(body, page(*listed))).availability == availability


def test_its_page_is_by_its_key_else_by_its_id() -> None:
    cases: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({"url_key": "champ-tee"}, {}, "https://shop.example/champ-tee.html"),
        ({"url_key": "taza ñ/azul"}, {"url_suffix": ""}, "https://shop.example/taza%20ñ/azul"),
        ({}, {}, "https://shop.example/catalog/product/view/id/2079"),
        ({"url_key": ["odd"]}, {}, "https://shop.example/catalog/product/view/id/2079"),
    ]
    for values, settings, url in cases:
        assert article(product(simple(custom_attributes=custom(**values)), **settings)).url == url


def test_its_picture_is_the_chosen_one_else_the_first_that_is_shown() -> None:
    gallery = [{"file": "/a.jpg", "disabled": True}, {"file": "/b.jpg", "disabled": False}]
    cases: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({"image": "/c/h/champ.jpg"}, {}, "https://shop.example/media/catalog/product/c/h/champ.jpg"),
        ({"image": "no_selection"}, {}, "https://shop.example/media/catalog/product/b.jpg"),
        ({"image": "https://cdn.example/c.jpg"}, {}, "https://cdn.example/c.jpg"),
        (
            {"image": "/c.jpg"},
            {"media_url": "https://cdn.{domain}/m/"},
            "https://cdn.shop.example/m/catalog/product/c.jpg",
        ),
    ]
    for values, settings, url in cases:
        body = simple(custom_attributes=custom(**values), media_gallery_entries=gallery)
        assert article(product(body, **settings)).image_url == url


def test_a_shop_in_a_folder_has_its_pages_there_and_its_pictures_at_the_root() -> None:
    body = simple(custom_attributes=custom(url_key="mug", image="/m.jpg"))
    told = article(product(body, domain="shop.example/es"))
    assert (told.url, told.image_url) == (
        "https://shop.example/es/mug.html",
        "https://shop.example/media/catalog/product/m.jpg",
    )


def test_its_sku_is_its_identity_where_the_store_says_so() -> None:
    assert article(product(simple(), product_id="sku")).product_id == "MS-Champ-S"
    assert article(product(simple(sku=""), product_id="sku")).product_id == "2079"


def test_attributes_are_read_from_a_mapping_and_beside_the_fields() -> None:
    told = article(product(simple(custom_attributes={"url_key": "mapped"}, description="<b>Ours</b>")))
    assert (told.url, told.description) == ("https://shop.example/mapped.html", "Ours")
    assert RECEIVED_MS
