"""Who is nobody, who is staff, and what people are called."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.records import Op, RecordKind
from pipeline.shops.base import Translation
from tests.woocommerce import contact_of, ms, only, order, translate

ERASED = {"first_name": "[deleted]", "last_name": "[deleted]", "phone": "0000000000", "country": "ES"}
MARK = {"meta_data": [{"id": 9, "key": "_anonymized", "value": "yes"}]}


def told(body: dict[str, Any], **settings: Any) -> Translation:
    return translate(body, "order.updated", **settings)


@pytest.mark.parametrize(
    "changes",
    [
        {"billing": ERASED | {"email": "deleted@site.invalid"}},
        {"billing": ERASED | {"email": " Deleted@Site.INVALID"}, "currency": "XXX", "line_items": []},
        {"billing": ERASED | {"email": ""}} | MARK,
        {"billing": ERASED | {"email": ""}, "meta_data": {"4": MARK["meta_data"][0]}},
    ],
)
def test_an_erased_persons_order_is_ignored_and_no_dead_letter(changes: dict[str, Any]) -> None:
    translation = told(order(**changes), currency="EUR", guests_without_email="external_id")
    assert (translation.drafts, translation.ignored) == ((), "anonymised")


def test_an_erased_persons_order_that_is_undone_is_still_taken_back() -> None:
    body = order(status="cancelled", billing=ERASED | {"email": "deleted@site.invalid"})
    translation = told(body, contacts_from_unsold_orders=True)
    assert [(draft.kind, draft.op) for draft in translation.drafts] == [(RecordKind.PURCHASE, Op.RETRACT)]


def customer(**changes: Any) -> dict[str, Any]:
    return {
        "id": 25,
        "email": "ana@example.com",
        "first_name": "Ana",
        "last_name": "Ruiz",
        "role": "customer",
        "date_modified_gmt": "2024-03-01T10:00:00",
        "billing": {},
    } | changes


@pytest.mark.parametrize("role", ["administrator", "shop_manager", ["shop_manager"], {"0": "administrator"}])
def test_staff_make_no_contact(role: Any) -> None:
    translation = translate(customer(role=role, email=""), "customer.updated")
    assert (translation.drafts, translation.ignored) == ((), "staff")


@pytest.mark.parametrize("role", ["customer", "subscriber", "wholesale", "editor", "", None, 7, {}])
def test_every_other_role_is_a_customers(role: Any) -> None:
    assert contact_of(translate(customer(role=role), "customer.updated")).email == "ana@example.com"


def test_an_erased_customer_is_ignored() -> None:
    translation = translate(customer(email="deleted@site.invalid"), "customer.updated")
    assert (translation.drafts, translation.ignored) == ((), "anonymised")


@pytest.mark.parametrize("billing", ["Ana", 7, ["x"], [{"first_name": "Ana"}]])
def test_a_customers_billing_in_an_odd_form_costs_only_itself(billing: Any) -> None:
    draft = only(translate(customer(billing=billing), "customer.updated"), RecordKind.CONTACT)
    assert draft.id == "ana@example.com"
    assert draft.notes == ("billing_unreadable",)


@pytest.mark.parametrize(
    ("block", "name"),
    [
        ({"first_name": "Guest"}, None),
        ({"first_name": "guest", "middle_name": "Eva"}, "Eva"),
        ({"first_name": "Ana", "middle_name": "Eva"}, "Ana Eva"),
        ({"first_name": "Ana", "middle_name": ["Eva"]}, "Ana"),
        ({"first_name": "<b>Ana</b> &amp; Co"}, "Ana & Co"),
    ],
)
def test_what_an_orders_buyer_is_called(block: dict[str, Any], name: str | None) -> None:
    assert contact_of(told(order(billing={"email": "ana@example.com"} | block))).name == name


def test_markup_in_a_persons_name_is_noted() -> None:
    body = customer(first_name="<b>Ana</b>")
    assert only(translate(body, "customer.updated"), RecordKind.CONTACT).notes == ("markup_removed",)


@pytest.mark.parametrize("number", ["0000000000", "555-0100", "600 00", {"number": 1}, True])
def test_a_phone_that_is_none_is_left_out_and_noted(number: Any) -> None:
    billing = {"email": "ana@example.com", "phone": number, "country": "ES"}
    draft = only(told(order(billing=billing)), RecordKind.CONTACT)
    assert contact_of(told(order(billing=billing))).mobile_phone is None
    assert draft.notes in {("phone_invalid",), ("phone_unreadable",)}


def test_an_order_speaks_of_its_buyer_as_of_its_placement() -> None:
    placed = ms("2024-03-01T10:00:00Z")
    assert only(told(order()), RecordKind.CONTACT).said_ms == placed
    waiting = told(order(status="pending"), contacts_from_unsold_orders=True)
    assert only(waiting, RecordKind.CONTACT).said_ms == placed


@pytest.mark.parametrize("customer_id", ["guest", [1], {"id": 26}, -1])
def test_a_customers_id_in_an_odd_form_leaves_the_address(customer_id: Any) -> None:
    draft = only(told(order(customer_id=customer_id)), RecordKind.CONTACT)
    assert (draft.id, draft.owner) == ("ana@example.com", "")
    assert "customer_id_unreadable" in draft.notes
