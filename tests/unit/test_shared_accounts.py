"""Stores that feed one account: refused where their ids could meet, with an example of two that would."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline import config
from pipeline.errors import SettingsError
from tests.settings_trees import ACCOUNT, store_tree


def refusal(one: dict[str, Any], other: dict[str, Any]) -> str:
    """Why two stores of one account are refused; "" where they are not."""
    try:
        config.parse({"accounts": {"acme": ACCOUNT, "fr": ACCOUNT}, "stores": {"one": one, "two": other}}, {})
    except SettingsError as error:
        return str(error)
    return ""


def shopify(**changes: Any) -> dict[str, Any]:
    return store_tree("shopify", **changes)


def woo(**changes: Any) -> dict[str, Any]:
    return store_tree("woocommerce", **changes)


def custom(**changes: Any) -> dict[str, Any]:
    return store_tree("generic", **changes)


MEETING = [
    (woo(), woo(), "1001", "1001"),
    (shopify(), woo(), "1001", "1001"),
    (shopify(purchase_id="number"), shopify(), "1001", "1001"),
    (shopify(product_id="sku"), shopify(), "1001", "1001"),
    (custom(), custom(), "1001", "1001"),
    (custom(), woo(id_prefix="w-"), "w-1001", "1001"),
    (woo(id_prefix="7"), woo(), "1001", "71001"),
    (woo(id_prefix="a"), custom(id_prefix="a"), "1001", "1001"),
    (custom(id_prefix="a"), custom(id_prefix="ab"), "b1001", "1001"),
]
APART = [
    (shopify(), shopify()),
    (woo(), woo(id_prefix="w-")),
    (shopify(), woo(id_prefix="w-")),
    (custom(id_prefix="a-"), custom(id_prefix="b-")),
    (woo(product_id="sku", id_prefix="a-"), woo(product_id="sku", id_prefix="b-")),
    (woo(), woo(account="fr")),
]


@pytest.mark.parametrize(("one", "other", "first", "second"), MEETING)
def test_stores_whose_ids_could_meet_are_refused_with_an_example(
    one: dict[str, Any], other: dict[str, Any], first: str, second: str
) -> None:
    said = refusal(one, other)
    assert "one and two feed one account, acme" in said
    assert f"order {first} of one would take the place of order {second} of two" in said
    # In Connectif both are the same.
    assert one.get("id_prefix", "") + first == other.get("id_prefix", "") + second


@pytest.mark.parametrize(("one", "other"), APART)
def test_stores_whose_ids_cannot_meet_may_share_an_account(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert refusal(one, other) == ""


def test_stores_that_share_one_of_their_routes_are_compared_too() -> None:
    routed = custom(routes=[{"language": "es", "account": "acme"}, {"language": "fr", "account": "fr"}])
    del routed["account"]
    assert "feed one account, fr" in refusal(routed, woo(account="fr"))
    assert refusal(routed | {"id_prefix": "c-"}, woo(account="fr")) == ""


@pytest.mark.parametrize("prefix", ["a b", "ñ", "x" * 21, "a/b"])
def test_a_prefix_that_makes_odd_ids_is_refused(prefix: str) -> None:
    assert "stores.one.id_prefix" in refusal(woo(id_prefix=prefix), woo(account="fr"))
