"""Products of custom shops in forms that the contract does not have, and deletions in any document."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.events import Kind
from tests.generic import (
    article,
    customer,
    kept,
    order,
    products,
    refused,
    translate,
)


def test_stock_decides_only_where_the_shop_does_not() -> None:
    for available, stock, expected in (
        (True, 0, "instock"),
        (False, 9, "outofstock"),
        (None, 0, "outofstock"),
        (None, "3", "instock"),
        (None, None, "instock"),
        ("maybe", 0, "outofstock"),
        (None, "many", "instock"),
    ):
        [told] = products(article(available=available, stock=stock))
        assert told.availability == expected


def test_a_product_without_a_price_has_its_lowest_variants_or_is_not_created() -> None:
    variants = [{"id": "1", "price": "12.00"}, {"id": "2", "price": 9}, {"id": "3"}]
    [told] = products(article(price=None, variants=variants))
    assert told.unit_price == 9
    assert translate("product.updated", article(price="", variants=[])).ignored == "no_price"


def test_a_product_in_another_currency_than_the_accounts_is_refused() -> None:
    assert refused("product.updated", article(currency="USD"), currency="EUR").reason == "currency_mismatch"
    assert products(article(currency=None), currency="EUR")


def test_a_product_without_a_page_or_a_name_changes_one_that_is_known() -> None:
    for lacking in ({"url": None}, {"url": "mug.html"}, {"name": " "}):
        [draft] = translate("product.updated", article(**lacking)).drafts
        assert draft.op.value == "patch"
    [told] = products(article(url=None), product_url="https://{domain}/p/{id}")
    assert told.url == "https://acme.example/p/77"


@pytest.mark.parametrize("published", ["maybe", 7, [], {}])
def test_whether_a_product_is_published_is_never_guessed(published: Any) -> None:
    assert refused("product.updated", article(published=published)).reason == "invalid_field"


def test_variants_in_an_odd_form_give_up_no_ids() -> None:
    for variants in ("x", {"name": "M"}, [None], ["x"], [{"name": "M"}]):
        [draft] = translate("product.updated", article(variants=variants), product_id="variant").drafts
        assert (draft.id, "variant_unreadable" in draft.notes) == ("77", True)


def test_of_variants_that_share_an_sku_the_first_counts() -> None:
    variants = [{"id": "1", "sku": "A"}, {"id": "2", "sku": "A"}, {"id": "3", "sku": ""}]
    found = translate("product.updated", article(variants=variants), product_id="sku").drafts
    assert [draft.id for draft in found] == ["A", "3"]
    assert "sku_repeated" in found[0].notes


def test_an_unpublished_product_hides_its_variants() -> None:
    variants = [{"id": "1", "sku": "A"}, {"id": "2"}]
    found = translate("product.updated", article(published=False, variants=variants), product_id="sku").drafts
    assert [(draft.id, draft.op.value) for draft in found] == [("A", "hide"), ("2", "hide")]


@pytest.mark.parametrize(
    ("kind", "data"), [("order", order()), ("customer", customer()), ("product", article())]
)
def test_a_document_that_says_it_is_deleted_is_a_deletion(kind: str, data: dict[str, Any]) -> None:
    settings = {"on_customer_deleted": "delete"}
    [draft] = translate(f"{kind}.updated", data | {"deleted": True}, **settings).drafts
    assert draft.op.value in {"retract", "hide"}
    assert kept(f"{kind}.updated", data).kind is Kind(kind)
