"""Which discount codes an order was made with: read from the shops' bodies, and said once each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import Contact, CouponUse, Op, RecordKind
from pipeline.shops.base import Translation
from pipeline.shops.orders import coupon_codes
from pipeline.shops.woocommerce import WOOCOMMERCE
from pipeline.translate.rules import EventPosition, Result, apply
from pipeline.translate.state import EntityState
from tests import shopify, woocommerce
from tests.plainshop import event, feed

# What the bodies say.


def codes_of(translation: Translation) -> tuple[str, ...]:
    return shopify.purchase_draft(translation).coupons


def test_a_shopify_order_names_the_codes_it_was_made_with() -> None:
    body = shopify.load("constructed-webhook-orders_paid")
    assert codes_of(shopify.translate("orders/paid", body)) == ("MAY4",)


def test_an_automatic_discount_has_no_code() -> None:
    given = {"discount_codes": [], "discount_applications": [{"type": "automatic", "title": "Black Friday"}]}
    assert codes_of(shopify.translate("orders/paid", shopify.paid_order(**given))) == ()


def test_a_woocommerce_order_names_the_codes_it_was_made_with() -> None:
    lines = [
        {"id": 319, "code": "10fixedcart", "discount": "10.00", "discount_tax": "0.00"},
        {"id": 320, "code": "freeship", "discount": "0.00", "discount_tax": "0.00"},
    ]
    body = woocommerce.read("order-processing-paid-docs.json") | {"coupon_lines": lines}
    translation = woocommerce.translate(body, "order.updated")
    assert woocommerce.only(translation, RecordKind.PURCHASE).coupons == ("10fixedcart", "freeship")


def test_codes_are_no_part_of_what_connectif_is_told_of_the_purchase() -> None:
    with_code, without = (
        shopify.purchase_of(shopify.translate("orders/paid", shopify.paid_order(discount_codes=codes)))
        for codes in ([{"code": "A"}], [])
    )
    assert with_code == without


@pytest.mark.parametrize(
    ("entries", "codes", "noted"),
    [
        ([], (), False),
        ([{"code": " A "}, {"code": "a"}, {"code": "B"}], ("A", "B"), False),
        ([{"code": 2024}], ("2024",), False),
        ([{"code": "x" * 255}], ("x" * 255,), False),
        ([{"code": "x" * 256}, {"code": "A"}], ("A",), True),
        ([{"code": ""}, {"code": None}, {}, "A", None], (), True),
        ([{"code": {"code": "A"}}], (), True),
        ({"code": "A"}, (), True),
        ("A", (), True),
        ([{"code": str(number)} for number in range(101)], tuple(map(str, range(100))), True),
    ],
)
def test_an_order_is_not_lost_for_a_code_that_cannot_be_read(
    entries: Any, codes: tuple[str, ...], noted: bool
) -> None:
    assert coupon_codes(entries) == (codes, ("coupon_unreadable",) if noted else ())
    body = shopify.paid_order(discount_codes=entries)
    assert codes_of(shopify.translate("orders/paid", body)) == codes


def test_the_contact_is_told_the_codes_in_the_accounts_field_for_them() -> None:
    context = replace(shopify.store(), coupon_field="last_coupon")
    codes = [{"code": "A"}, {"code": "B"}]

    def contact(**changes: Any) -> Contact:
        body = shopify.translate("orders/paid", shopify.paid_order(**changes), context).drafts[0].body
        assert isinstance(body, Contact)
        return body

    assert contact(discount_codes=codes).custom == {"last_coupon": "A, B"}
    assert contact(discount_codes=[]).custom == {}, "an order without a code clears nothing"
    assert shopify.translate("orders/paid", shopify.paid_order(discount_codes=codes)).drafts[0].body == (
        contact(discount_codes=[])
    ), "without the setting nothing is told"


def test_woocommerce_contacts_are_told_too() -> None:
    body = woocommerce.read("order-processing-paid-docs.json") | {"coupon_lines": [{"code": "ten"}]}
    context = replace(woocommerce.store(), coupon_field="used")
    told = WOOCOMMERCE.translate(woocommerce.event(body, "order.updated"), context).drafts[0].body
    assert isinstance(told, Contact)
    assert told.custom == {"used": "ten"}


# What is said of them.


class Order:
    """One order's events, one after the other."""

    def __init__(self) -> None:
        self.state = EntityState()
        self.offset = 0

    def says(
        self, version: int, *codes: str, sold: bool = True, content: str = "c", offset: int = 0
    ) -> Result:
        """A new delivery, or one that was read before."""
        self.offset = offset or self.offset + 1
        drafts = [["purchase", "7", content, "upsert", False, list(codes)]]
        if not sold:
            drafts = [["purchase", None, None, "retract", True]]
        said = event({"version": version, "drafts": drafts}, delivery=f"d{self.offset}")
        return apply(said, EventPosition("shop.orders", 0, self.offset), self.state, feed())


def said(result: Result) -> list[tuple[str, bool]]:
    return [(use.code, use.used) for use in result.uses]


def test_a_code_is_said_once_however_often_the_order_changes() -> None:
    order = Order()
    first = order.says(1, "A", "B")
    assert first.uses[0] == CouponUse(
        account="acme",
        store="plain",
        purchase_id="7",
        code="A",
        used=True,
        purchase_date="2026-01-01T00:00:00Z",
        version=1,
        source={"topic": "shop.orders", "partition": 0, "offset": 1},
        received_ms=1_000,
    )
    assert said(first) == [("A", True), ("B", True)]
    assert said(order.says(2, "A", "B", content="changed")) == []
    assert said(order.says(3, "A", "B", "C", content="again")) == [("C", True)]


def test_a_code_found_later_is_said_though_the_purchase_is_the_same() -> None:
    order = Order()
    order.says(1)
    result = order.says(2, "A")
    assert said(result) == [("A", True)]
    assert not result.emissions


def test_a_code_that_left_the_order_is_taken_back() -> None:
    order = Order()
    order.says(1, "A", "B")
    assert said(order.says(2, "B")) == [("A", False)]
    assert said(order.says(3, "A", "B")) == [("A", True)]


def test_the_codes_of_an_order_that_is_undone_are_taken_back() -> None:
    order = Order()
    order.says(1, "A", "B")
    result = order.says(2, sold=False)
    assert said(result) == [("A", False), ("B", False)]
    assert [use.purchase_date for use in result.uses] == [None, None]
    assert [emission.kind for emission in result.emissions] == ["purchase"]
    assert said(order.says(3, sold=False)) == []
    assert said(order.says(4, "A")) == [("A", True)]


def test_an_order_that_was_never_sold_says_nothing() -> None:
    assert said(Order().says(1, sold=False)) == []


def test_read_again_an_event_says_the_same_again() -> None:
    order = Order()
    first = order.says(1, "A")
    order.says(2, "B")
    again = apply(
        event({"version": 1, "drafts": [["purchase", "7", "c", "upsert", False, ["A"]]]}, delivery="d1"),
        EventPosition("shop.orders", 0, 1),
        EntityState.decode(order.state.encode()),
        feed(),
    )
    assert again.uses == first.uses


steps = st.lists(
    st.tuples(st.sampled_from([Op.UPSERT, Op.RETRACT]), st.sets(st.sampled_from("ABC"), max_size=3)),
    max_size=8,
)


@given(steps, st.data())
def test_the_newest_word_on_each_code_is_right_whatever_is_read_again(
    steps: list[tuple[Op, set[str]]], data: st.DataObject
) -> None:
    order, newest = Order(), dict[str, tuple[int, bool]]()
    done = 0
    while done < len(steps):
        op, codes = steps[done]
        done += 1
        result = order.says(done, *sorted(codes), sold=op is Op.UPSERT, content=f"c{done}", offset=done)
        for use in result.uses:
            newest[use.code] = max(newest.get(use.code, (0, False)), (use.version, use.used))
        if data.draw(st.booleans(), label="crash"):  # the state may be ahead of what is read again
            done = data.draw(st.integers(max(0, done - 2), done), label="back to")
            order.state = EntityState.decode(order.state.encode())
    sold = steps[-1][1] if steps and steps[-1][0] is Op.UPSERT else set()
    assert {code for code, (_, used) in newest.items() if used} == sold
