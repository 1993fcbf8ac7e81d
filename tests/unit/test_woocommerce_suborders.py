"""One sale written as several orders counts once; what is paid besides counts for itself."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.records import Op, RecordKind
from pipeline.shops.base import Translation
from tests.woocommerce import only, order, purchase_of, translate


def child(created_via: Any = "checkout", *keys: str, **changes: Any) -> dict[str, Any]:
    metas = [{"id": 1, "key": key, "value": "5"} for key in keys]
    return order(parent_id=100, created_via=created_via, meta_data=metas, **changes)


def told(body: dict[str, Any], **settings: Any) -> Translation:
    return translate(body, "order.updated", **settings)


MARKED = [
    child("dokan", "_dokan_vendor_id"),
    child("checkout", "_dokan_vendor_id"),
    child("yith_wcmv_vendor_suborder"),
    child("mvx_vendor_order", "multivendorx_store_id"),
    child("wcmp_vendor_order", "_vendor_id", "_commission_id"),
    child("marketking"),
    child("checkout", "_marketking_vendor_id"),
    child("", "_vendor_id"),
    child(None) | {"meta_data": {"3": {"id": 1, "key": "_dokan_vendor_id", "value": "5"}}},
]


@pytest.mark.parametrize("body", MARKED)
@pytest.mark.parametrize("status", ["processing", "pending", "cancelled", "refunded", "trash", "draft", ""])
def test_a_vendors_share_is_no_sale_whatever_its_status(body: dict[str, Any], status: str) -> None:
    translation = told(body | {"status": status}, contacts_from_unsold_orders=True, purchase_id="number")
    (gone,) = translation.drafts  # dropped where nothing was told of the share itself, which is the rule
    assert (gone.kind, gone.id, gone.op, gone.if_emitted) == (RecordKind.PURCHASE, None, Op.RETRACT, True)
    assert translation.ignored == "sub_order"


@pytest.mark.parametrize("created_via", ["wc_deposits", "yith_wcdp_balance_order", "subscription"])
def test_a_balance_or_a_renewal_is_a_sale_of_its_own(created_via: str) -> None:
    translation = told(child(created_via, "_dokan_vendor_id"))
    assert purchase_of(translation).purchase_id == "727"
    assert "child_order" not in only(translation, RecordKind.PURCHASE).notes


@pytest.mark.parametrize("created_via", ["checkout", "admin", "order-splitter", None, ["x"], 7])
def test_a_child_that_nobody_marked_counts_and_is_noted(created_via: Any) -> None:
    translation = told(child(created_via, "_splitted_from"))
    assert purchase_of(translation).purchase_id == "727"
    assert "child_order" in only(translation, RecordKind.PURCHASE).notes


@pytest.mark.parametrize("parent", [0, "0", "", None, False, []])
def test_a_single_vendors_order_bears_the_mark_and_is_the_sale(parent: Any) -> None:
    body = child("dokan", "_dokan_vendor_id") | {"parent_id": parent}
    assert purchase_of(told(body)).purchase_id == "727"


def test_the_main_order_is_the_sale() -> None:
    metas = [{"key": "has_sub_order", "value": "1"}]
    assert purchase_of(told(order(parent_id=0, meta_data=metas, date_paid_gmt=None))).purchase_id == "727"
