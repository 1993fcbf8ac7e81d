"""A told order that leaves the sold statuses is taken back, unless the sale is only in question."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.records import Op, RecordKind
from pipeline.shops.base import Rejected, Translation
from tests.woocommerce import only, order, purchase_of, translate

LISTED: dict[str, Any] = {"sold_statuses": {"processing", "completed"}}


def told(status: str, *, paid: bool = True, **settings: Any) -> Translation:
    date = "2024-03-01T10:04:00" if paid else None
    return translate(order(status=status, date_paid_gmt=date), "order.updated", **settings)


@pytest.mark.parametrize("status", ["returned", "cancelled", "refunded", "failed", "trash", "draft"])
@pytest.mark.parametrize("settings", [LISTED, {"sold_statuses": {"shipped"}}])
def test_a_status_that_the_store_does_not_list_takes_the_purchase_back(
    status: str, settings: dict[str, Any]
) -> None:
    draft = only(told(status, **settings), RecordKind.PURCHASE)
    assert (draft.op, draft.id, draft.if_emitted) == (Op.RETRACT, None, True)


@pytest.mark.parametrize("status", ["pending", "on-hold"])
@pytest.mark.parametrize("settings", [LISTED, {}])
def test_a_sale_in_question_takes_nothing_back(status: str, settings: dict[str, Any]) -> None:
    assert (told(status, **settings).drafts, told(status, **settings).ignored) == ((), "not_sold")


def test_a_status_of_the_shops_own_is_sold_once_it_is_paid_and_is_noted() -> None:
    translation = told("returned")
    assert purchase_of(translation).purchase_id == "727"
    assert only(translation, RecordKind.PURCHASE).notes == ("unknown_status",)


def test_without_a_payment_date_a_status_of_the_shops_own_takes_the_purchase_back() -> None:
    draft = only(told("returned", paid=False), RecordKind.PURCHASE)
    assert (draft.op, draft.notes) == (Op.RETRACT, ("unknown_status",))


def test_where_the_body_was_cut_of_its_payment_date_nothing_follows() -> None:
    body = order(status="returned")
    del body["date_paid_gmt"]
    with pytest.raises(Rejected, match="date_paid_gmt"):
        translate(body, "order.updated")
    assert only(translate(body, "order.updated", **LISTED), RecordKind.PURCHASE).op is Op.RETRACT


def test_a_status_that_the_store_lists_is_no_unknown_one() -> None:
    assert only(told("shipped", sold_statuses={"shipped"}), RecordKind.PURCHASE).notes == ()


def test_the_databases_own_name_of_a_status_means_the_same() -> None:
    assert purchase_of(told("wc-completed", **LISTED)).purchase_id == "727"


@pytest.mark.parametrize("currency", [None, ""])
def test_an_order_without_a_currency_passes_where_the_account_has_none(currency: str | None) -> None:
    body = order(currency=currency)
    assert only(translate(body, "order.updated"), RecordKind.PURCHASE).notes == ("currency_missing",)
    with pytest.raises(Rejected, match="missing_field"):
        translate(body, "order.updated", currency="EUR")
