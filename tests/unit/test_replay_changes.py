"""What a record would change in Connectif, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.deliver.state.diff import apply
from pipeline.deliver.state.key import Key
from pipeline.deliver.state.last_sent import LastSent, LastSentContact
from pipeline.deliver.state.states import Base, Claim, ContactState, ProductState, PurchaseState, State
from pipeline.records import RecordKind
from pipeline.replay.changes import ITSELF, MASKED, NOT_HELD, Difference, Held, changes, difference, held

CONTACT, PRODUCT, PURCHASE = RecordKind.CONTACT, RecordKind.PRODUCT, RecordKind.PURCHASE


def purchase(version: int, body: dict[str, Any] | None) -> PurchaseState:
    """What an order says of its purchase."""
    return PurchaseState({"s|order|1": Claim(version, version, body, version)})


def contact(version: int, **fields: str) -> ContactState:
    """What a customer says."""
    return ContactState(by_email=True, fields={name: (version, 1, value) for name, value in fields.items()})


def product(version: int, **fields: Any) -> ProductState:
    """What the catalogue says."""
    return ProductState(Base(1, version, fields, "s|product|1"))


def found(before: LastSent | None, state: State, known: Held, *, personal: bool = True) -> list[Any]:
    """Field, value before and after."""
    key = Key(state.kind, "x")
    return [change[3:] for change in changes("acme", key, before, state, known, personal=personal)]


def told(state: State) -> tuple[LastSent, Held]:
    """What deliver keeps of a state that it sent, and the values that are known of it."""
    sent = apply(None, state)
    assert sent is not None
    return sent, held(sent, state)


def test_fields_of_a_purchase_that_would_change_are_named_with_both_values() -> None:
    before = purchase(1, {"total_price": "1.00", "payment_method": "card", "cart_id": "c"})
    after = purchase(1, {"total_price": "2.00", "cart_id": "c"})
    sent, known = told(before)
    assert found(sent, after, known) == [("payment_method", "card", None), ("total_price", "1.00", "2.00")]
    assert difference(sent, after) is Difference.CHANGED
    assert found(sent, before, known) == []
    assert difference(sent, before) is Difference.SAME
    assert difference(None, before) is Difference.NEW


def test_a_purchase_that_is_taken_back_loses_all_its_fields() -> None:
    sent, known = told(purchase(1, {"cart_id": "c"}))
    gone = purchase(2, None)
    assert found(sent, gone, known) == [("cart_id", "c", None), (ITSELF, None, "retract")]
    assert found(None, gone, {}) == [], "Connectif never had it"
    after, _ = told(purchase(3, {"cart_id": "c"}))
    assert found(after, gone, {}) == [], "what is older changes nothing"
    retracted = apply(sent, gone)
    assert found(retracted, purchase(3, {"cart_id": "d"}), {}) == [("cart_id", None, "d")]


def test_a_value_that_no_record_says_any_more_is_said_to_be_so() -> None:
    sent, _ = told(purchase(1, {"total_price": "1.00", "cart_id": "c"}))
    after = purchase(1, {"total_price": "2.00", "cart_id": "c"})
    assert found(sent, after, {}) == [("cart_id", NOT_HELD, "c"), ("total_price", NOT_HELD, "2.00")]
    other, _ = told(product(1, name="N", brand="B"))
    assert found(other, product(1, name="M", brand="B"), {}) == [
        ("brand", NOT_HELD, "B"),
        ("name", NOT_HELD, "M"),
    ]


def test_a_record_says_no_values_but_those_that_were_sent() -> None:
    sent, _ = told(purchase(1, {"total_price": "1.00"}))
    assert held(sent, purchase(2, {"total_price": "2.00"})) == {}
    whole, _ = told(contact(1, name="Ann", surname="B"))
    assert held(whole, contact(1, name="Ann", surname="C")) == {"name": "Ann"}


def test_of_a_contact_only_what_it_says_changes_and_people_are_masked() -> None:
    sent, known = told(contact(1, name="Ann", **{"custom.size": "M"}))
    after = contact(2, surname="Bee", **{"custom.size": "L"})
    assert found(sent, after, known) == [("custom.size", "M", "L"), ("surname", None, "Bee")]
    masked = found(sent, after, known, personal=False)
    assert masked == [("custom.size", MASKED, MASKED), ("surname", None, MASKED)]
    assert found(sent, after, {}, personal=False)[0] == ("custom.size", NOT_HELD, MASKED)


def test_a_contact_of_whom_nothing_is_said_is_new_all_the_same() -> None:
    assert found(None, contact(1), {}) == [(ITSELF, None, "upsert")]


def test_a_subscription_that_is_only_repeated_changes_nothing() -> None:
    before = ContactState(by_email=True, consent={1: (1, False)})
    sent, _ = told(before)
    assert isinstance(sent, LastSentContact)
    again = ContactState(by_email=True, consent={1: (2, False)})
    assert difference(sent, again) is Difference.SAME
    assert found(sent, again, {}) == []
    left = ContactState(by_email=True, consent={1: (2, True)})
    assert found(sent, left, {}, personal=False) == [("newsletter", "subscribed", "unsubscribed")]


@pytest.mark.parametrize("version", [1, 2])
def test_single_fields_of_a_product_are_compared_by_what_was_sent_after_the_whole(version: int) -> None:
    whole = product(1, name="N", availability="instock")
    sent, known = told(whole)
    patched = ProductState(None, {("availability", ""): (version + 1, "outofstock")})
    assert found(sent, patched, known) == [("availability", "instock", "outofstock")]
    after = apply(sent, patched)
    assert after is not None
    both = held(after, whole) | held(after, patched)
    assert found(after, product(version + 2, name="M", availability="instock"), both) == [
        ("availability", "outofstock", "instock"),
        ("name", "N", "M"),
    ]
