"""Bodies and files: exact amounts, exact names, and nothing that a file cannot hold."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.connectif.csvfile import contact_row, product_row, write_csv
from pipeline.connectif.payloads import contact_payload, product_payload, purchase_payload, same_purchase

PURCHASE = {
    "purchase_id": "o1",
    "contact_email": "ann@example.com",
    "cart_id": "k1",
    "purchase_date": "2024-09-13T10:49:31Z",
    "total_price": "12.30",
    "total_quantity": 2,
    "lines": [
        {
            "product_id": "p1",
            "name": "Shirt",
            "url": "https://shop.example/p1",
            "unit_price": "6.15",
            "quantity": 2,
            "price": "12.30",
            "categories": ["a/b"],
        }
    ],
}


def test_a_purchase_has_the_documented_names_and_exact_amounts() -> None:
    assert purchase_payload(PURCHASE) == (
        b'{"purchaseId":"o1","contactEmail":"ann@example.com","cartId":"k1",'
        b'"purchaseDate":"2024-09-13T10:49:31Z","totalPrice":12.30,"totalQuantity":2,'
        b'"products":[{"productId":"p1","quantity":2,"price":12.30,"name":"Shirt",'
        b'"productDetailUrl":"https://shop.example/p1","unitPrice":6.15,"categories":["a/b"]}]}'
    )


@given(st.decimals(min_value=0, max_value=10**12, allow_nan=False, allow_infinity=False, places=4))
def test_no_digit_of_an_amount_is_lost(amount: Decimal) -> None:
    payload = product_payload({"unit_price": str(amount)})
    assert json.loads(payload, parse_float=Decimal, parse_int=Decimal)["unitPrice"] == amount
    assert b"E" not in payload.split(b":")[1]


def test_a_contact_says_only_what_is_given() -> None:
    fields = {"name": "Ann", "birthdate": "1990-02-03", "custom.size": "M", "newsletter": "subscribed"}
    assert json.loads(contact_payload(fields)) == {
        "_name": "Ann",
        "_birthdate": "1990-02-03T00:00:00Z",
        "size": "M",
        "_newsletterSubscriptionStatus": "subscribed",
    }


def test_a_purchase_read_back_is_compared_by_what_it_says() -> None:
    theirs = json.loads(purchase_payload(PURCHASE), parse_float=Decimal)
    assert same_purchase(PURCHASE, theirs)
    assert same_purchase(PURCHASE, {**theirs, "purchaseDate": "2024-09-13T12:49:31+02:00", "id": "x"})
    del theirs["contactEmail"]
    assert same_purchase(PURCHASE, theirs)
    assert not same_purchase(PURCHASE, {**theirs, "totalPrice": Decimal("12.31")})
    assert not same_purchase(PURCHASE, {**theirs, "totalPrice": "a lot"})
    assert not same_purchase(PURCHASE, {**theirs, "products": []})
    assert not same_purchase(PURCHASE, "a purchase")


def test_rows_hold_only_what_is_exact_in_a_file() -> None:
    fields = {
        "name": "Shirt",
        "url": "https://a",
        "unit_price": "1E+1",
        "tags": ["a", "b"],
        "is_blacklisted": True,
    }
    assert product_row("p1", fields) == (
        ("productId", "name", "productDetailUrl", "unitPrice", "tags", "isBlacklisted"),
        ("p1", "Shirt", "https://a", "10", "a|b", "true"),
    )
    assert product_row("p1", {**fields, "tags": ["a|b"]}) is None
    assert product_row("p1", {"name": "Shirt"}) is None
    assert contact_row("ann@example.com", True, {"external_id": "7"}) is None
    assert contact_row("7", False, {"name": "Ann"}) == (("_externalId", "_name"), ("7", "Ann"))


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), max_size=20))
def test_whatever_the_cells_hold_a_reader_finds_it_again(rows: list[tuple[str, str]]) -> None:
    rows = [row for row in rows if "\0" not in "".join(row)]
    rows = [tuple(cell.encode("utf-8", "replace").decode() for cell in row) for row in rows]  # type: ignore[misc]
    data, taken = write_csv(("a", "b"), rows, max_bytes=10**6, max_rows=100)
    read = list(csv.reader(io.StringIO(data.decode(), newline="")))
    assert taken == len(rows)
    assert [tuple(row) for row in read[1:]] == rows


@given(st.integers(0, 200), st.integers(1, 10))
def test_a_file_never_passes_its_limits(max_bytes: int, max_rows: int) -> None:
    rows = [("x" * number, "é") for number in range(1, 20)]
    data, taken = write_csv(("a", "b"), rows, max_bytes=max_bytes, max_rows=max_rows)
    assert len(data) <= max_bytes
    assert taken <= max_rows
    assert data.count(b"\r\n") in (0, taken + 1)


@pytest.mark.parametrize("amount", ["sNaN", "NaN", "Infinity", "1e999999", "", [], {}, None, True, 10**4_000])
def test_an_amount_that_is_none_is_not_the_same(amount: object) -> None:
    ours = {"purchase_id": "o1", "total_price": "20.00", "lines": []}
    assert not same_purchase(ours, {"purchaseId": "o1", "totalPrice": amount, "products": []})
    assert same_purchase(ours, {"purchaseId": "o1", "totalPrice": 20, "products": []})
