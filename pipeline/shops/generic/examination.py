"""What a custom shop's API tells of a store: whether it answers by our contract, and recent orders' ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.shops.api import ApiRequest
from pipeline.shops.examination import KnownOrder, Question, Remark, ShopExamination, ids, moment_of
from pipeline.shops.generic.settings import GenericSettings
from pipeline.shops.registration import rows_of

_LISTS = ("orders", "customers", "products")
#: So far back an order may have changed to count as recent.
_RECENT = timedelta(days=30)


def questions(settings: GenericSettings) -> Sequence[Question]:  # noqa: ARG001 - as `ShopExamination` has it
    """One of each list."""
    return [
        Question(f"read /{one}", ApiRequest(f"/{one}?limit=1")) for one in ("orders", "customers", "products")
    ]


def remarks(settings: GenericSettings, answers: Mapping[str, Any]) -> Iterable[Remark]:  # noqa: ARG001 - see there
    """Lists that are none by the contract."""
    for right, found in answers.items():
        if not isinstance(found, dict) or not isinstance(found.get("items"), list):
            yield Remark(f"{right}: the answer has no list `items`", "see docs/shops/generic.md")


def recent(settings: GenericSettings, now: datetime) -> ApiRequest:  # noqa: ARG001 - see there
    """Five orders that changed lately: the contract's lists begin with the oldest change."""
    since = (now - _RECENT).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return ApiRequest(f"/orders?updated_since={since}&limit=5")


def orders(settings: GenericSettings, value: Any) -> Sequence[KnownOrder]:  # noqa: ARG001 - see there
    """Their ids."""
    return [_order(row) for row in rows_of(value, "items")]


def _order(row: Mapping[str, Any]) -> KnownOrder:
    lines = [
        ids(
            product=line.get("product_id"),
            variant=line.get("variant_id") or line.get("product_id"),
            sku=line.get("sku"),
        )
        for line in rows_of(row, "line_items")[:3]
    ]
    purchase = ids(id=row.get("id"), number=row.get("number"))
    return KnownOrder(purchase, products=lines, placed=moment_of(row.get("created_at")))


EXAMINATION: ShopExamination[GenericSettings] = ShopExamination(
    questions=questions,
    remarks=remarks,
    recent=recent,
    orders=orders,
    ready=lambda settings: settings.readable,
    lacking="api_url and api_token",
)
