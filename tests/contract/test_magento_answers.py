"""Every answer of Magento's API that we carry, against what the reference says it means. Written by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pipeline.events import Kind
from pipeline.records import Contact, Op, Product
from pipeline.shops.base import Translation
from pipeline.shops.magento import MAGENTO
from tests.magento import customer, fetched, ms, outcome, product, read, store


def exchanges(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read(f"pull-{name}.json")["exchanges"]
    return found


def pulled(name: str) -> list[Any]:
    """The answers of a file, good ones alone."""
    return [one["response"]["body"] for one in exchanges(name) if one["response"]["status"] == 200]


def test_customers_of_a_page_are_contacts_with_their_looks() -> None:
    pages = [*pulled("customers-search-page"), *pulled("customers-search-past-last-page")]
    people = [one for page in pages for one in page["items"]]
    said = [customer(one).drafts[0] for one in people]
    assert [(draft.id, draft.owner, draft.look and draft.look.subscribed) for draft in said] == [
        ("customer2@example.com", "customer|158", False),
        ("customer1@example.com", "customer|157", True),
        ("customer1@example.com", "customer|201", True),
        ("customer4@example.com", "customer|160", None),
        ("customer4@example.com", "customer|160", None),
    ]
    assert {draft.body.newsletter for draft in said if isinstance(draft.body, Contact)} == {
        "subscribed",
        None,
    }


def test_what_was_written_back_is_read_back_as_the_shop_says_it() -> None:
    bodies = pulled("consent-update")
    [found, *written] = bodies
    [before] = found["items"]
    looks = [draft.look for one in (before, *written) for draft in customer(one).drafts]
    assert [look and look.subscribed for look in looks] == [True, False, False, False]


def test_products_of_a_page_with_the_parts_that_are_on_it() -> None:
    [page] = pulled("products-search-page")
    parent, child, disabled = page["items"]
    told = product(parent, {"items": [child], "total_count": 1})
    [draft] = told.drafts
    assert told.version == ms("2024-05-06 08:20:30")
    assert draft.notes == ("price_of_parts", "catalogue_price_as_entered")
    assert draft.body == Product(
        product_id="500",
        name="T-shirt",
        url="https://shop.example/t-shirt.html",
        unit_price=Decimal("19.9500"),
        unit_price_original=Decimal("19.9500"),
        discounted_amount=Decimal(0),
        discounted_percentage=Decimal(0),
        image_url="https://shop.example/media/catalog/product/t/s/tshirt.jpg",
        published_at="2024-01-01T00:00:00Z",
        is_blacklisted=False,
    )
    assert product(parent).ignored == "no_price"
    assert product(child).ignored == "not_visible"
    assert [(one.id, one.op) for one in product(disabled).drafts] == [("510", Op.HIDE)]


def test_no_error_of_the_api_is_a_document() -> None:
    for one in exchanges("errors"):
        answer = one["response"]
        if answer["status"] == 200:  # a token
            continue
        event = fetched(Kind.CUSTOMER, "7", (one["request"]["path"], answer["status"], answer.get("body")))
        assert MAGENTO.translate(event, store()) == Translation(0, ignored="not_found")


@pytest.mark.parametrize("name", ["store-configs", "event-subscriptions"])
def test_what_is_no_document_of_an_entity_is_none(name: str) -> None:
    for body in pulled(name):
        for kind in Kind:
            assert outcome(fetched(kind, "7", body)) in {"missing_field", "no_email", "not_found"}
