"""Modules change what Magento's documents hold: what decorates a record may have any form.

Every field of every real body is put into each odd form, one at a time. The record must survive, but for the
fields that money, identity, status and dates rest on, which are listed here with what rests on them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.shops.base import Draft, Rejected, Translation
from tests.contract.test_woocommerce_mutations import HOSTILE, REASON, amounts, places
from tests.magento import customer, order, product, read

EMPTY: list[Any] = [None, ""]
ODD: list[Any] = ["odd", 7, True, ["odd"], {"odd": 1}, {"1": {"id": 1}}, [None], -3, 1.5]
[SEARCHED] = read("rest-orders-search-guest-discount-storefront.json")["items"]
PROCESSED = {"state": "processing"}
BODIES: Mapping[str, list[dict[str, Any]]] = {
    "order": [
        read("rest-order-docs-bundle-logged-in.json") | PROCESSED,
        SEARCHED | PROCESSED,
        read("constructed-rest-order-guest-configurable-coupon.json") | PROCESSED,
        read("constructed-rest-order-processing.json"),
    ],
    "customer": [
        read("rest-customer-docs-created-is_subscribed.json"),
        read("rest-customer-docs-created.json"),
        read("rest-customer-storefront.json"),
    ],
    "product": [
        read("rest-product-docs-simple.json") | {"visibility": 4},
        read("rest-product-docs-configurable.json") | {"price": 9},
        *read("pull-products-search-page.json")["exchanges"][0]["response"]["body"]["items"],
    ],
}
MEANING: Mapping[str, Callable[..., Translation]] = {"order": order, "customer": customer, "product": product}
#: Fields that may reject their record or make another of it, and what rests on them. `[]` is an element.
RESTS_ON: Mapping[str, Mapping[str, str]] = {
    "order": {
        "entity_id": "which order it is",
        "increment_id": "which purchase it is",
        "state": "whether it is sold",
        "created_at": "when it was placed",
        "updated_at": "which version it is",
        "base_currency_code": "in which money it is",
        "order_currency_code": "the same",
        "grand_total": "the money itself",
        "base_grand_total": "the same",
        "customer_email": "who bought",
        "items": "what was bought, and for how much",
        "items[]": "the same",
        "items.product_id": "which product was bought",
        "items.parent_item_id": "whether a line is part of another",
        "items.item_id": "the same",
        "items.qty_ordered": "how many were bought",
        "items.qty_canceled": "the same",
        "items.qty_refunded": "how many were given back",
        "items.row_total": "money of the line",
        "items.row_total_incl_tax": "the same",
        "items.tax_amount": "the same",
        "items.discount_amount": "the same",
        "items.discount_tax_compensation_amount": "the same",
        "items.base_row_total": "the same, where the other set lacks it",
        "items.base_row_total_incl_tax": "the same",
        "items.base_tax_amount": "the same",
        "items.base_discount_amount": "the same",
    },
    "customer": {
        "id": "which customer it is",
        "email": "who it is",
        "updated_at": "which version it is",
        "created_at": "the same, where the other is absent",
    },
    "product": {
        "id": "which product it is",
        "name": "Connectif creates no product without one",
        "status": "whether it is sold",
        "visibility": "whether it has a page",
        "type_id": "whether its price is that of its parts",
        "price": "the money itself",
        "updated_at": "which version it is",
    },
}
#: Another name is another attribute.
NAMES = {"custom_attributes.attribute_code"}
STORES: list[dict[str, Any]] = [
    {},
    {"product_id": "variant", "tax": "excluded", "placeholder_product": "other"},
    {"product_id": "sku", "website_ids": ["1"], "store_ids": ["1"], "tax_rate": 21},
    {"guests_without_email": "external_id", "purchase_id": "id", "on_partial_refund": "keep"},
    {"contacts_from_unsold_orders": True, "sold_statuses": ["new"]},
]
CASES = [(kind, number) for kind, bodies in BODIES.items() for number in range(len(bodies))]


def fields(value: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(path without indices, container, key) of every field and element, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{path}.{key}" if path else key
            yield here, value, key
            yield from fields(inner, here)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield f"{path}[]", value, number
            yield from fields(inner, path)


def told(drafts: tuple[Draft, ...]) -> set[tuple[str, str | None, str]]:
    """Which records, without what they say."""
    return {(draft.kind, draft.id, draft.op) for draft in drafts}


def lost(before: Translation, after: Translation) -> list[str]:
    """Fields that said something and say nothing any more."""
    found = []
    for was, now in zip(before.drafts, after.drafts, strict=False):
        said, says = dict(was.body or ()), dict(now.body or ())
        found += [name for name, value in said.items() if value and not says.get(name)]
        found += ["coupons"] if was.coupons and not now.coupons else []
        found += ["look"] if was.look is not None and now.look is None else []
    return found


def notes(translation: Translation) -> set[str]:
    return {note for draft in translation.drafts for note in draft.notes}


def holds_nothing(original: Any, value: Any) -> bool:
    """Whether an object or list stands in place of another without what it held: unset keys are left out."""
    return isinstance(original, dict | list) and (isinstance(value, dict) or value == [None])


def complaints(kind: str, body: dict[str, Any]) -> Iterator[str]:
    """Every field and odd form that costs the record, or something readable in silence."""
    before = MEANING[kind](body)
    for path, container, key in fields(body):
        if path in RESTS_ON[kind]:
            continue
        original = container[key]
        for value in (*EMPTY, *ODD):
            container[key] = copy.deepcopy(value)
            what = f"{path} = {value!r}"
            try:
                after = MEANING[kind](body)
            except Rejected as rejected:
                yield f"{what}: {rejected}"
                continue
            finally:
                container[key] = original
            if told(after.drafts) != told(before.drafts):
                yield f"{what}: told {told(after.drafts)} instead of {told(before.drafts)}"
            elif value in EMPTY or path in NAMES or holds_nothing(original, value):
                continue
            elif lost(before, after) and notes(after) <= notes(before):
                yield f"{what}: {', '.join(lost(before, after))} lost without a note"


@pytest.mark.parametrize(("kind", "number"), CASES)
def test_a_record_never_dies_of_what_decorates_it(kind: str, number: int) -> None:
    found = list(complaints(kind, copy.deepcopy(BODIES[kind][number])))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("kind", BODIES)
def test_every_field_that_may_reject_is_one_of_a_real_body(kind: str) -> None:
    real = {path for body in BODIES[kind] for path, _, _ in fields(body)}
    assert RESTS_ON[kind].keys() <= real


def outcome(kind: str, body: dict[str, Any], given_settings: Mapping[str, Any]) -> Translation | Rejected:
    """What it means, or why it cannot be used; nothing else may be raised."""
    try:
        return MEANING[kind](body, **given_settings)
    except Rejected as refused:
        return refused


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CASES), st.data())
def test_a_mutated_body_is_translated_or_refused(case: tuple[str, int], data: st.DataObject) -> None:
    kind, number = case
    body = copy.deepcopy(BODIES[kind][number])
    known = places(body)
    for _ in range(data.draw(st.integers(1, 4))):
        node: Any = body
        path = data.draw(st.sampled_from(known))
        try:
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = copy.deepcopy(data.draw(st.sampled_from([*HOSTILE, *ODD])))
        except (KeyError, IndexError, TypeError):
            continue  # an earlier mutation took it away
    given_settings = data.draw(st.sampled_from(STORES))
    said = outcome(kind, body, given_settings)
    if isinstance(said, Rejected):
        assert REASON.fullmatch(said.reason)
        assert len(said.detail) < 200
        return
    assert REASON.fullmatch(said.ignored)
    for draft in said.drafts:
        assert all(REASON.fullmatch(note) for note in draft.notes)
        assert len(draft.notes) == len(set(draft.notes))
        if draft.body is not None:
            assert draft.body.model_dump_json()
            assert all(amount.is_finite() and not amount.is_signed() for amount in amounts(draft.body))
