"""A record against what Connectif was told: what is news, and what is remembered of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.deliver.state.commands import (
    AddCoupon,
    CreatePurchase,
    DeleteProduct,
    DeletePurchase,
    PutContact,
    PutProduct,
    ReplacePurchase,
    Unchanged,
)
from pipeline.deliver.state.diff import apply, diff
from pipeline.deliver.state.last_sent import (
    LastSent,
    LastSentContact,
    LastSentProduct,
    LastSentPurchase,
    last_sent_from_json,
)
from pipeline.deliver.state.owners import Owners
from pipeline.deliver.state.states import (
    OWN,
    SEEN,
    Base,
    Claim,
    ContactState,
    CouponState,
    ProductState,
    PurchaseState,
)

BODY = {"purchase_id": "o1", "total_price": "1.00", "lines": []}


def _contact(version: int, rank: int = OWN, consent: Any = None, **fields: str) -> ContactState:
    said = {} if consent is None else {rank: consent}
    return ContactState(True, {name: (version, rank, value) for name, value in fields.items()}, said)


def _product(version: int, rank: int = OWN, **fields: Any) -> ProductState:
    return ProductState(Base(rank, version, fields))


def _patch(version: int, **fields: Any) -> ProductState:
    return ProductState(None, {(name, ""): (version, value) for name, value in fields.items()})


def _purchase(
    version: int, offset: int, body: dict[str, Any] | None, owner: str = "s|order|1", heard: int = 0
) -> PurchaseState:
    return PurchaseState({owner: Claim(version, offset, body, heard)})


def _told(*states: Any) -> LastSent:
    told: LastSent | None = None
    for state in states:
        told = apply(told, state)
    assert told is not None
    return last_sent_from_json(told.kind, told.to_json())


class TestContacts:
    def test_a_first_word_is_told_even_if_it_is_only_the_address(self) -> None:
        assert diff(None, _contact(1)) == PutContact({})

    def test_only_what_changed_is_told(self) -> None:
        told = _told(_contact(1, name="Ann", surname="Jones"))
        assert diff(told, _contact(2, name="Anna", surname="Jones")) == PutContact({"name": "Anna"})
        assert diff(told, _contact(2, name="Ann")) == Unchanged("same")

    def test_what_is_older_than_told_is_left_out(self) -> None:
        told = _told(_contact(5, name="Ann"))
        assert diff(told, _contact(4, name="Old", surname="Jones")) == PutContact({"surname": "Jones"})

    def test_what_was_no_news_still_makes_what_is_older_stale(self) -> None:
        told = _told(_contact(1, name="Ann"), _contact(3, name="Ann"))
        assert diff(told, _contact(2, name="Bea")) == Unchanged("same")

    def test_after_an_unclear_attempt_what_looks_the_same_is_told_again(self) -> None:
        told = _told(_contact(1, name="Ann", consent=(1, False)))
        again = diff(told, _contact(3, name="Ann", consent=(1, False)), maybe_sent=True)
        assert again == PutContact({"name": "Ann", "newsletter": "subscribed"})

    def test_consent_is_never_said_twice(self) -> None:
        told = _told(_contact(1, consent=(1, False)))
        assert diff(told, _contact(2, name="Ann", consent=(1, False))) == PutContact({"name": "Ann"})
        assert diff(told, _contact(2, consent=(2, True))) == PutContact({"newsletter": "unsubscribed"})

    def test_an_order_never_overrides_the_customers_own_consent(self) -> None:
        told = _told(_contact(1, consent=(1, True)))
        assert diff(told, _contact(9, SEEN, consent=(9, False))) == Unchanged("same")

    def test_a_deletion_goes_first_and_makes_everything_news(self) -> None:
        told = _told(_contact(1, name="Ann"))
        gone = ContactState(True, owners=Owners(gone={"": 2}))
        assert diff(told, gone) == PutContact(None, delete_first=True)
        again = gone.merge(_contact(3, name="Ann"))
        assert diff(told, again) == PutContact({"name": "Ann"}, delete_first=True)
        assert diff(_told(_contact(1, name="Ann"), gone), _contact(1, name="Ann")) == Unchanged("same")


class TestProducts:
    def test_a_stub_is_told_once_and_the_catalogue_after_it(self) -> None:
        stub, own = _product(5, SEEN, name="s"), _product(1, name="Shirt")
        assert diff(None, stub) == PutProduct({"name": "s"})
        assert diff(_told(stub), _product(9, SEEN, name="t")) == Unchanged("known")
        assert diff(_told(stub), own) == PutProduct({"name": "Shirt"})
        assert diff(_told(stub, own), stub) == Unchanged("known")

    def test_the_same_or_an_older_whole_is_no_news(self) -> None:
        told = _told(_product(3, name="Shirt"))
        assert diff(told, _product(4, name="Shirt")) == Unchanged("same")
        assert diff(told, _product(2, name="Skirt")) == Unchanged("older")

    def test_single_fields_reach_known_products_only(self) -> None:
        assert diff(None, _patch(1, stock=3)) == Unchanged("unknown_product")
        told = _told(_product(1, name="Shirt", stock=5))
        assert diff(told, _patch(2, stock=3)) == PutProduct({"stock": 3})
        told = _told(_product(1, name="Shirt", stock=5), _patch(2, stock=3))
        assert diff(told, _patch(3, stock=3)) == Unchanged("known")
        assert diff(told, _patch(1, stock=4)) == Unchanged("known")

    def test_a_whole_that_equals_the_last_whole_is_news_once_a_field_changed_between(self) -> None:
        told = _told(_product(1, name="Shirt", stock=5), _patch(2, stock=3))
        assert diff(told, _product(3, name="Shirt", stock=5)) == PutProduct({"name": "Shirt", "stock": 5})

    def test_a_late_whole_leaves_alone_what_changed_after_it(self) -> None:
        told = _told(_product(1, name="Shirt", stock=5), _patch(3, stock=3))
        assert diff(told, _product(2, name="Skirt", stock=5)) == PutProduct({"name": "Skirt"})

    def test_a_deleted_product_is_known_to_nobody(self) -> None:
        gone = ProductState(Base(OWN, 2, None))
        told = _told(_product(1, name="Shirt"), gone)
        assert diff(_told(_product(1, name="Shirt")), gone) == DeleteProduct()
        assert diff(told, gone) == Unchanged("same")
        assert diff(told, _patch(3, stock=1)) == Unchanged("unknown_product")
        assert diff(told, _product(1, name="Shirt")) == Unchanged("older")
        assert diff(told, _product(9, SEEN, name="s")) == PutProduct({"name": "s"})


class TestPurchases:
    def test_a_first_purchase_triggers_and_a_backfilled_one_does_not(self) -> None:
        state = _purchase(1, 0, BODY)
        assert diff(None, state) == CreatePurchase(trigger=True, compare=False)
        assert diff(None, state, trigger=False) == CreatePurchase(trigger=False, compare=False)

    def test_equal_is_unchanged_different_is_replaced_and_older_is_left(self) -> None:
        told = _told(_purchase(2, 0, BODY))
        other = {**BODY, "total_price": "2.00"}
        assert diff(told, _purchase(3, 0, BODY)) == Unchanged("same")
        assert diff(told, _purchase(3, 0, other)) == ReplacePurchase(verify=False)
        assert diff(told, _purchase(1, 0, other)) == Unchanged("older")

    def test_a_retraction_needs_a_call_only_if_connectif_may_have_it(self) -> None:
        gone = _purchase(3, 0, None)
        assert diff(None, gone) == Unchanged("never_sent")
        assert diff(None, gone, maybe_sent=True) == DeletePurchase()
        assert diff(_told(_purchase(2, 0, BODY)), gone) == DeletePurchase()
        assert diff(_told(_purchase(2, 0, BODY), gone), gone) == Unchanged("same")

    def test_what_connectif_may_have_lost_is_posted_again_and_older_words_are_not(self) -> None:
        told = _told(_purchase(2, 0, BODY))
        posted = CreatePurchase(trigger=False, compare=False, sent=True)
        assert diff(told, _purchase(2, 0, BODY), trigger=False, resend=True) == posted
        assert diff(told, _purchase(2, 0, BODY), resend=True) == CreatePurchase(True, False, sent=True)
        assert diff(told, _purchase(1, 0, BODY), resend=True) == Unchanged("older")
        other = {**BODY, "total_price": "2.00"}
        assert diff(told, _purchase(3, 0, other), resend=True) == ReplacePurchase(verify=False)
        assert diff(told, _purchase(2, 0, BODY), maybe_sent=True, resend=True) == ReplacePurchase(verify=True)
        assert diff(None, _purchase(2, 0, BODY), resend=True) == CreatePurchase(trigger=True, compare=False)

    def test_a_deletion_is_sent_again_where_the_purchase_was_ever_sent(self) -> None:
        gone = _purchase(3, 0, None)
        assert diff(_told(_purchase(2, 0, BODY), gone), gone, resend=True) == DeletePurchase()
        assert diff(None, gone, resend=True) == Unchanged("never_sent")

    def test_sold_again_it_is_created_without_its_trigger(self) -> None:
        told = _told(_purchase(1, 0, BODY), _purchase(2, 0, None))
        assert diff(told, _purchase(3, 0, BODY)) == CreatePurchase(trigger=False, compare=True)

    def test_what_may_have_been_told_is_remembered_once_it_was_deleted(self) -> None:
        gone = _purchase(2, 0, None)
        assert apply(None, gone, delivered=False) is None  # never sent: a later sale is the first
        told = apply(None, gone, delivered=True)
        assert diff(told, _purchase(3, 0, BODY)) == CreatePurchase(trigger=False, compare=True)

    def test_in_doubt_connectif_is_asked(self) -> None:
        told = _told(_purchase(2, 0, BODY))
        assert diff(None, _purchase(3, 0, BODY), maybe_sent=True) == CreatePurchase(True, True)
        assert diff(told, _purchase(3, 0, BODY), maybe_sent=True) == ReplacePurchase(verify=True)


def test_a_coupon_is_added_once() -> None:
    state = CouponState("s", "c")
    assert diff(None, state) == AddCoupon()
    assert diff(_told(state), state) == Unchanged("same")


def test_what_was_told_of_one_kind_says_nothing_of_another() -> None:
    with pytest.raises(TypeError):
        diff(LastSentPurchase(1, ""), ContactState(True))
    with pytest.raises(TypeError):
        apply(LastSentContact(), _product(1))


@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from("ab"), st.sampled_from("xyz")), max_size=8))
def test_connectif_ends_with_the_newest_value_of_each_field(said: list[tuple[int, str, str]]) -> None:
    """Told one by one in any order, as a PATCH each."""
    held: dict[str, str] = {}
    told: LastSent | None = None
    newest: dict[str, tuple[int, str]] = {}
    for version, name, value in said:
        state = ContactState(True, {name: (version, OWN, value)})
        command = diff(told, state)
        if isinstance(command, PutContact):
            held |= command.fields or {}
        told = apply(told, state)
        if version >= newest.get(name, (0, ""))[0]:
            newest[name] = (version, value)
    assert held == {name: value for name, (_, value) in newest.items()}


def test_memory_of_a_product_is_small() -> None:
    told = _told(_product(1, name="Shirt" * 100, description="x" * 2_000))
    assert isinstance(told, LastSentProduct)
    assert len(str(told.to_json())) < 60
