"""Shops' REST answers pass through filters of plugins and themes: what decorates a record may have any form.

Every field of every real body is put into each odd form, one at a time. The record must survive, but for the
fields that money, identity, status and dates rest on, which are listed here with what rests on them.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from pipeline.shops.base import Draft, Rejected, Translation
from pipeline.shops.woocommerce import WOOCOMMERCE
from pipeline.shops.woocommerce.settings import WoocommerceStore
from tests.woocommerce import BODIES, event, read, store

BODIES_OF = {
    "order": sorted(path.name for path in BODIES.glob("order-*.json") if "list-docs" not in path.name),
    "customer": sorted(path.name for path in BODIES.glob("customer-*.json")),
    "product": sorted(path.name for path in BODIES.glob("product-*.json")),
}
#: Nothing in the form of null or a text, and what has another form than the documentation's.
EMPTY: list[Any] = [None, ""]
ODD: list[Any] = ["odd", 7, ["odd"], {"odd": 1}, {"1": {"id": 1}}]

#: Fields that may reject their record, by kind, and what rests on them. `[]` is an element of a list.
MAY_REJECT: Mapping[str, Mapping[str, str]] = {
    "order": {
        "id": "which order it is",
        "status": "whether it is sold",
        "currency": "in which money it is",
        "total": "the money itself",
        "prices_include_tax": "whether a line's price holds its tax",
        "date_created_gmt": "when it was placed",
        "date_modified_gmt": "which version it is",
        "billing": "holds the e-mail address",
        "billing.email": "who bought",
        "line_items": "what was bought, and for how much",
        "line_items[]": "the same",
        "line_items.product_id": "which product was bought",
        "line_items.variation_id": "the same",
        "line_items.quantity": "how many were bought",
        "line_items.subtotal": "money of the line",
        "line_items.subtotal_tax": "money of the line",
        "line_items.total": "money of the line",
        "line_items.total_tax": "money of the line",
        "refunds": "money paid back",
        "refunds[]": "money paid back",
        "refunds.total": "money paid back",
    },
    "customer": {
        "id": "which customer it is",
        "email": "who it is",
        "date_modified_gmt": "which version it is",
    },
    "product": {
        "id": "which product it is",
        "status": "whether it is published",
        "type": "whether it is a variation",
        "parent_id": "of which product it is a variation",
        "name": "Connectif creates no product without one",
        "permalink": "Connectif creates no product without its page",
        "price": "the money itself",
        "date_modified_gmt": "which version it is",
        "_links": "names a variation's product where nothing else does",
        "_links.up": "the same",
        "_links.up[]": "the same",
        "_links.up.href": "the same",
    },
}
#: What a variation says of its product is this alone: without it, it says nothing.
OF_A_VARIATION = frozenset({"stock_status"})

STORES = {"products": store(), "variants": store(product_id="variant", placeholder_product="other")}


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
    return found


def notes(translation: Translation) -> set[str]:
    return {note for draft in translation.drafts for note in draft.notes}


def meaning(body: Any, kind: str, context: WoocommerceStore) -> Translation:
    """What the body means; it goes through JSON, as on the wire."""
    return WOOCOMMERCE.translate(event(json.dumps(body).encode(), f"{kind}.updated"), context)


def complaints(body: Any, kind: str, context: WoocommerceStore) -> Iterator[str]:
    """Every field and odd form that costs the record, or something readable in silence."""
    before = meaning(body, kind, context)
    decides = {*MAY_REJECT[kind]}
    if not body.get("price"):  # else it is but a former price
        decides.add("regular_price")
    for path, container, key in fields(body):
        original = container[key]
        for value in (*EMPTY, *ODD):
            container[key] = copy.deepcopy(value)
            what = f"{path} = {value!r}"
            try:
                after = meaning(body, kind, context)
            except Rejected as rejected:
                if path not in decides:
                    yield f"{what}: {rejected}"
                continue
            finally:
                container[key] = original
            if path in decides or path in OF_A_VARIATION:
                continue
            if told(after.drafts) != told(before.drafts):
                yield f"{what}: told {told(after.drafts)} instead of {told(before.drafts)}"
            elif value not in EMPTY and lost(before, after) and notes(after) <= notes(before):
                yield f"{what}: {', '.join(lost(before, after))} lost without a note"


@pytest.mark.parametrize("stores", STORES)
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in BODIES_OF for name in BODIES_OF[kind]])
def test_a_record_never_dies_of_what_decorates_it(kind: str, name: str, stores: str) -> None:
    found = list(complaints(read(name), kind, STORES[stores]))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("kind", BODIES_OF)
def test_every_field_that_may_reject_is_one_of_a_real_body(kind: str) -> None:
    real = {path for name in BODIES_OF[kind] for path, _, _ in fields(read(name))}
    assert MAY_REJECT[kind].keys() <= real
