"""Where SKUs are the identity: in catalogue and lines alike, and the id where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.records import Op, RecordKind
from tests.woocommerce import line, only, order, purchase_of, read, translate


def product(**changes: Any) -> dict[str, Any]:
    body = read("product-simple-docs.json")
    assert isinstance(body, dict)
    return body | changes


def told_as(body: dict[str, Any]) -> tuple[Op, str | None]:
    draft = only(translate(body, "product.updated", product_id="sku"), RecordKind.PRODUCT)
    return draft.op, draft.id


@pytest.mark.parametrize(
    ("sku", "known"), [("MUG", "MUG"), (123, "123"), ("", "93"), (None, "93"), (["MUG"], "93")]
)
def test_a_product_has_one_identity_in_catalogue_and_lines(sku: Any, known: str) -> None:
    assert told_as(product(id=93, sku=sku)) == (Op.UPSERT, known)
    assert told_as(product(id=93, sku=sku, status="draft")) == (Op.HIDE, known)
    (one,) = purchase_of(translate(order(line(93, sku=sku)), "order.updated", product_id="sku")).lines
    assert (one.product_id, one.url) == (known, "https://shop.example/?p=93")


def test_a_variation_is_a_product_of_its_own_under_its_sku() -> None:
    variation = product(id=732, type="variation", parent_id=93, sku="MUG-RED")
    assert told_as(variation) == (Op.UPSERT, "MUG-RED")
    body = order(line(93, variation_id=732, sku="MUG-RED", name="Mug - Red", parent_name="Mug"))
    (one,) = purchase_of(translate(body, "order.updated", product_id="sku")).lines
    assert (one.product_id, one.name) == ("MUG-RED", "Mug - Red")


def test_a_variation_without_any_sku_is_bought_under_its_products_id_and_tells_nothing() -> None:
    variation = product(id=732, type="variation", parent_id=93, sku="")
    translation = translate(variation, "product.updated", product_id="sku")
    assert (translation.drafts, translation.ignored) == ((), "variation_tells_nothing")
    body = order(line(93, variation_id=732, sku=""))
    assert purchase_of(translate(body, "order.updated", product_id="sku")).lines[0].product_id == "93"


@pytest.mark.parametrize("setting", ["hide", "delete"])
def test_a_deletion_means_whatever_was_told_of_the_product(setting: str) -> None:
    """Its body holds the id alone."""
    deleted = translate({"id": 93}, "product.deleted", product_id="sku", on_product_deleted=setting)
    draft = only(deleted, RecordKind.PRODUCT)
    assert (draft.id, draft.if_emitted) == (None, True)
