"""What PrestaShop's products mean, where only it says things so."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pipeline.events import Kind
from pipeline.records import Op, Product
from pipeline.shops.base import Translation
from pipeline.shops.prestashop.fields import said_in
from tests.prestashop import meaning, store


def test_a_text_by_language_is_read_in_every_form() -> None:
    spanish = store(languages={"2": "es"}).settings
    plain = store().settings
    for written in (
        [{"id": "1", "value": "Mug"}, {"id": "2", "value": "Taza"}],
        {"1": "Mug", "2": "Taza"},
        {"language": [{"id": "1", "value": "Mug"}, {"id": "2", "value": "Taza"}]},
        {"language": [{"@attributes": {"id": "1"}, "value": "Mug"}, {"attrs": {"id": 2}, "value": "Taza"}]},
    ):
        assert (said_in(written, plain), said_in(written, spanish)) == ("Mug", "Taza")
    assert said_in([{"id": "2", "value": ""}, {"id": "1", "value": "Mug"}], spanish) == "Mug"
    assert said_in({"language": {"id": "1", "value": "Mug"}}, spanish) == "Mug"
    assert said_in("Mug", spanish) == "Mug"
    assert said_in([], spanish) is None


def product(
    answers: dict[str, Any] | None = None, read: dict[str, Any] | None = None, **settings: Any
) -> Translation:
    body = {
        "id": 7,
        "active": "1",
        "price": "8.000000",
        "name": "Mug",
        "link_rewrite": "mug",
        "reference": "MUG",
        "visibility": "both",
        "available_for_order": "1",
        "id_category_default": "4",
        "date_upd": "2023-11-14 21:00:00",
        "associations": {"categories": [{"id": "2"}, {"id": "4"}, {"id": "5"}], "images": [{"id": "11"}]},
        **(read or {}),
    }
    return meaning(Kind.PRODUCT, "7", {"/api/products/7": {"product": body}, **(answers or {})}, **settings)


def told(said: Translation) -> dict[str, Product]:
    return {str(draft.id): draft.body for draft in said.drafts if isinstance(draft.body, Product)}


COMBINED = {"associations": {"combinations": [{"id": "1"}, {"id": "2"}]}}
COMBINATIONS = {
    "/api/combinations": {
        "combinations": [
            {"id": 1, "reference": "MUG-S", "price": "-1.500000"},
            {"id": 2, "reference": "", "price": "2.000000"},
        ]
    }
}


def stock(*listed: tuple[str, str, str]) -> dict[str, Any]:
    listed_rows = [
        {"id_product_attribute": number, "quantity": quantity, "out_of_stock": rule}
        for number, quantity, rule in listed
    ]
    return {"/api/stock_availables": {"stock_availables": listed_rows}}


@pytest.mark.parametrize(
    ("listed", "availability"),
    [
        ([("0", "12", "2")], "instock"),
        ([("0", "0", "2")], "outofstock"),
        ([("0", "-3", "0")], "outofstock"),
        ([("0", "0", "1")], "instock"),
        ([("0", "0", "2"), ("1", "4", "2")], "instock"),
        ([], None),
    ],
)
def test_stock_is_what_its_own_rows_say(listed: list[tuple[str, str, str]], availability: str | None) -> None:
    [found] = told(product(stock(*listed))).values()
    assert found.availability == availability


def test_each_combination_has_its_own_price_and_stock() -> None:
    answers = COMBINATIONS | stock(("0", "3", "2"), ("1", "0", "2"), ("2", "3", "2"))
    found = told(product(answers, COMBINED, product_id="variant"))
    assert {key: (one.unit_price, one.availability) for key, one in found.items()} == {
        "7-1": (Decimal("6.5"), "outofstock"),
        "7-2": (Decimal(10), "instock"),
    }
    assert set(told(product(answers, COMBINED, product_id="sku"))) == {"MUG-S", "MUG"}


def test_a_product_without_a_price_of_its_own_has_that_of_its_cheapest_combination() -> None:
    free = COMBINED | {"price": "0.000000"}
    dear = {"/api/combinations": {"combinations": [{"id": 1, "price": "9.0"}, {"id": 2, "price": "12.0"}]}}
    assert told(product(dear, free))["7"].unit_price == Decimal("9.0")
    assert product(read=free).ignored == "no_price"
    assert product(read={"price": ""}).ignored == "no_price"
    assert told(product(read={"price": "0.000000"}))["7"].unit_price == 0


def test_a_hidden_product_is_for_sale_by_its_address_and_a_shown_one_may_not_be() -> None:
    answers = stock(("0", "3", "2"))
    nowhere = told(product(answers, {"visibility": "none"}))["7"]
    assert (nowhere.is_blacklisted, nowhere.availability) == (True, "instock")
    assert told(product(answers, {"available_for_order": "0"}))["7"].availability == "outofstock"


def test_a_product_that_is_not_there_is_hidden_if_it_was_told() -> None:
    said = meaning(Kind.PRODUCT, "7", {}, on_product_deleted="delete")
    assert [(draft.op, draft.id, draft.if_emitted) for draft in said.drafts] == [(Op.HIDE, None, True)]


def test_addresses_are_written_as_the_shop_writes_them() -> None:
    listed = [
        {"id": 2, "name": "Home", "link_rewrite": "home", "level_depth": "1"},
        {"id": 5, "name": "Gifts", "link_rewrite": "gifts", "level_depth": "3"},
        {"id": 4, "name": "Kitchen &amp; bar", "link_rewrite": "kitchen", "level_depth": "2"},
    ]
    answers = {"/api/categories": {"categories": listed}}
    pattern = "https://{domain}/{lang}/{category}/{id}-{rewrite}.html"
    found = told(product(answers, page_url=pattern, languages={"1": "es"}))["7"]
    assert found.url == "https://shop.example/es/kitchen/7-mug.html"
    assert found.categories == ("Kitchen & bar", "Gifts")
    assert (
        told(product(page_url=pattern))["7"].url
        == "https://shop.example/index.php?controller=product&id_product=7"
    )
    assert (told(product(read={"link_rewrite": ""}))["7"].url or "").endswith("id_product=7")
    assert told(product())["7"].image_url == "https://shop.example/11-large_default/mug.jpg"
