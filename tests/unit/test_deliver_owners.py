"""Ids that change hands: only whose id it is by now takes back what was sent, or withdraws."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.deliver.state.commands import (
    CreatePurchase,
    DeleteProduct,
    DeletePurchase,
    PutContact,
    PutProduct,
    ReplacePurchase,
    Unchanged,
)
from pipeline.deliver.state.diff import diff
from pipeline.deliver.state.last_sent import last_sent_from_json
from pipeline.deliver.state.states import ContactState, ProductState, PurchaseState, state_of
from pipeline.records import (
    Contact,
    ContactRecord,
    Op,
    Origin,
    Product,
    ProductRecord,
    Purchase,
    PurchaseRecord,
    Source,
)
from tests.last_sent import last_sent

ANA, OLD, BEA, GUEST = "customer|3001", "customer|3001", "customer|3002", "guest"


def _common(owner: str, version: int, heard: int) -> dict[str, Any]:
    return {
        "account": "acme",
        "store": "shop",
        "version": version,
        "owner": owner,
        "source": Source(topic="shop.orders", partition=0, offset=version),
        "received_ms": heard or version,
    }


def contact(owner: str, version: int, op: Op = Op.UPSERT, **body: Any) -> ContactState:
    """What an owner says of one address."""
    origin = Origin.ORDER if owner == GUEST else Origin.CUSTOMER
    said = Contact(email="ana@mail.example", **body)
    record = ContactRecord(
        **_common(owner, version, 0), id="ana@mail.example", origin=origin, op=op, body=said
    )
    state = state_of(record)
    assert isinstance(state, ContactState)
    return state


def subscribed(owner: str, version: int) -> ContactState:
    return contact(owner, version, newsletter="subscribed", newsletter_ms=version)


def has_left(owner: str, version: int) -> ContactState:
    return contact(owner, version, Op.PATCH, newsletter="unsubscribed", newsletter_ms=version)


def deleted(owner: str, version: int) -> ContactState:
    return contact(owner, version, Op.RETRACT)


def purchase(owner: str, version: int, total: str | None, *, heard: int = 0, trigger: bool = True) -> Any:
    """What an order says of one purchase id; None takes it back."""
    body = None
    if total is not None:
        body = Purchase(
            purchase_id="5",
            contact_email="ana@mail.example",
            cart_id="c",
            purchase_date="2026-01-01T00:00:00Z",
            total_price=total,
            total_quantity=1,
        )
    record = PurchaseRecord(
        **_common(owner, version, heard),
        id="5",
        origin=Origin.ORDER,
        op=Op.UPSERT if body else Op.RETRACT,
        body=body,
        trigger=trigger,
    )
    return state_of(record)


def product(owner: str, version: int, op: Op = Op.UPSERT, **body: Any) -> ProductState:
    """What a product of the shop says of one variant."""
    said = Product(product_id="v1", **body)
    record = ProductRecord(**_common(owner, version, 0), id="v1", origin=Origin.CATALOGUE, op=op, body=said)
    state = state_of(record)
    assert isinstance(state, ProductState)
    return state


class TestAnAddress:
    def test_that_its_customer_left_is_unsubscribed(self) -> None:
        assert diff(last_sent(subscribed(ANA, 1)), has_left(ANA, 5)) == PutContact(
            {"newsletter": "unsubscribed"}
        )

    def test_is_left_alone_once_it_is_another_customers(self) -> None:
        known = last_sent(subscribed(ANA, 1), subscribed(BEA, 4))
        assert diff(known, has_left(ANA, 5)) == Unchanged("another_owner")

    def test_that_a_guest_used_meanwhile_is_unsubscribed_all_the_same(self) -> None:
        known = last_sent(subscribed(ANA, 1), contact(GUEST, 4, name="Ana"))
        assert diff(known, has_left(ANA, 5)) == PutContact({"newsletter": "unsubscribed"})

    def test_stays_unsubscribed_when_another_customer_comes_without_a_word(self) -> None:
        known = last_sent(subscribed(ANA, 1), has_left(ANA, 5))
        assert diff(known, contact(BEA, 7, name="Bea")) == PutContact({"name": "Bea"})

    def test_is_subscribed_again_by_who_comes_and_says_so(self) -> None:
        known = last_sent(subscribed(ANA, 1), has_left(ANA, 5))
        assert diff(known, subscribed(BEA, 7)) == PutContact({"newsletter": "subscribed"})

    def test_that_waits_is_not_told_to_be_subscribed_once_it_was_left(self) -> None:
        both = subscribed(ANA, 1).merge(has_left(ANA, 5))
        assert diff(None, both) == PutContact({"newsletter": "unsubscribed"})

    @pytest.mark.parametrize("later", [contact(BEA, 4, name="Bea"), contact(GUEST, 4, name="Ana")])
    def test_is_not_deleted_with_who_had_it_before(self, later: ContactState) -> None:
        assert diff(last_sent(contact(ANA, 1, name="Ana"), later), deleted(ANA, 9)) == Unchanged(
            "another_owner"
        )

    def test_is_deleted_with_the_last_who_had_it_whoever_went_first(self) -> None:
        known = last_sent(contact(ANA, 1, name="Ana"), contact(BEA, 4, name="Bea"), has_left(ANA, 5))
        gone = PutContact(None, delete_first=True)
        assert diff(known, deleted(BEA, 9)) == gone
        known = last_sent(contact(ANA, 1, name="Ana"), contact(BEA, 4, name="Bea"), deleted(ANA, 8))
        assert diff(known, deleted(BEA, 9)) == gone

    @pytest.mark.parametrize(("one", "other"), [(ANA, BEA), (BEA, ANA)])
    def test_of_two_customers_at_once_stays_subscribed_when_one_of_them_is_deleted(
        self, one: str, other: str
    ) -> None:
        known = last_sent(subscribed(one, 1), contact(other, 4, name="Bea"))
        assert diff(known, deleted(other, 9)) == Unchanged("another_owner")
        known = last_sent(subscribed(one, 1), contact(other, 4, name="Bea"), contact(one, 6, name="Ana"))
        assert diff(known, deleted(other, 9)) == Unchanged("another_owner")

    def test_of_two_customers_at_once_is_unsubscribed_with_the_one_who_subscribed(self) -> None:
        known = last_sent(contact(ANA, 1, name="Ana"), subscribed(BEA, 4))
        assert diff(known, deleted(BEA, 9)) == PutContact({"newsletter": "unsubscribed"})

    def test_is_deleted_with_the_only_account_whatever_a_guest_ordered_before(self) -> None:
        known = last_sent(contact(GUEST, 1, name="Ana"), contact(ANA, 4, name="Ana"))
        assert diff(known, deleted(ANA, 9)) == PutContact(None, delete_first=True)

    def test_is_deleted_though_its_own_orders_named_it_since(self) -> None:
        known = last_sent(contact(ANA, 1, name="Ana"), contact(ANA, 7, name="Ana"))
        assert diff(known, deleted(ANA, 9)) == PutContact(None, delete_first=True)

    def test_that_was_deleted_comes_back_with_who_had_taken_it_over_before(self) -> None:
        known = last_sent(contact(ANA, 1, name="Ana"), deleted(ANA, 9))
        assert diff(known, contact(BEA, 4, name="Bea")) == PutContact({"name": "Bea"})

    def test_that_was_deleted_does_not_come_back_by_an_older_word_of_the_same_customer(self) -> None:
        known = last_sent(contact(ANA, 4, name="Ana"), deleted(ANA, 9))
        assert diff(known, contact(ANA, 3, name="Anna")) == Unchanged("same")


class TestAPurchaseId:
    def test_given_to_another_order_is_replaced_and_not_taken_back_by_the_first(self) -> None:
        known = last_sent(purchase("order|1", 10, "1.00"))
        second = purchase("order|2", 3, "2.00", heard=20)
        assert diff(known, second) == ReplacePurchase(verify=False)
        known = last_sent(purchase("order|1", 10, "1.00"), second)
        assert diff(known, purchase("order|1", 30, None)) == Unchanged("another_owner")

    def test_taken_back_and_given_to_another_order_is_a_first_sale(self) -> None:
        known = last_sent(purchase("order|1", 10, "1.00"), purchase("order|1", 11, None))
        first = diff(known, purchase("order|2", 3, "2.00", heard=20))
        assert first == CreatePurchase(trigger=True, compare=True)

    def test_waiting_for_both_orders_ends_with_the_one_that_has_it(self) -> None:
        both = purchase("order|1", 11, None, heard=21).merge(purchase("order|2", 3, "2.00", heard=20))
        assert diff(last_sent(purchase("order|1", 10, "1.00")), both) == ReplacePurchase(verify=False)
        assert diff(None, both) == CreatePurchase(trigger=True, compare=False)

    def test_renumbered_starts_no_workflow(self) -> None:
        again = purchase("order|1", 3, "2.00", trigger=False)
        assert diff(None, again) == CreatePurchase(trigger=False, compare=False)

    def test_sent_before_orders_were_named_is_anyones(self) -> None:
        known = last_sent_from_json(purchase("", 1, "1.00").kind, [1, "00"])
        assert diff(known, purchase("order|1", 3, None)) == DeletePurchase()

    def test_waiting_since_before_orders_were_named_is_the_same_order(self) -> None:
        before = PurchaseState.from_json([1, 0, {"purchase_id": "5"}])
        assert before.merge(purchase("order|1", 3, None)).body is None


class TestAVariant:
    def test_that_moved_is_neither_hidden_nor_deleted_with_its_former_product(self) -> None:
        known = last_sent(product("product|1", 1, name="Mug"), product("product|2", 5, name="Mug"))
        hide = product("product|1", 9, Op.HIDE, availability="outofstock", is_blacklisted=True)
        assert diff(known, hide) == Unchanged("another_owner")
        assert diff(known, product("product|1", 9, Op.RETRACT)) == Unchanged("another_owner")
        assert diff(known, product("product|2", 9, Op.RETRACT)) == DeleteProduct()

    def test_that_moved_while_it_waits_is_sent_as_the_new_product_says(self) -> None:
        hide = product("product|1", 9, Op.HIDE, availability="outofstock", is_blacklisted=True)
        moved = product("product|2", 5, name="Mug", availability="instock")
        assert diff(None, hide.merge(moved)) == PutProduct({"name": "Mug", "availability": "instock"})
        assert diff(None, product("product|1", 9, Op.RETRACT).merge(moved)) == PutProduct(
            {"name": "Mug", "availability": "instock"}
        )

    def test_is_patched_by_other_events_than_its_own(self) -> None:
        known = last_sent(product("product|1", 1, name="Mug"))
        patch = product("product|77", 9, Op.PATCH, availability="instock")
        assert diff(known, patch) == PutProduct({"availability": "instock"})
