"""How a custom shop's lists are read, by our own contract (docs/shops/generic.md).

A page says where the next one begins: a cursor that holds the time of change and the id of its last row, so
that rows which change meanwhile cost no other. Each row becomes the envelope of the webhook that says the
same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson

from pipeline.events import Kind
from pipeline.shops.api import ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.generic.fields import moment, readable_id
from pipeline.shops.generic.settings import GenericSettings
from pipeline.shops.pull import (
    PullAnswer,
    PulledRow,
    PullPage,
    PullPass,
    PullScope,
    ShopPull,
    placed_ms,
    query_of,
    rows_of,
)
from pipeline.shops.values import body_hash, epoch_ms

#: Rows of a page; our contract allows up to 500.
PER_PAGE = 100
_LONGEST_CURSOR = 1_000


def first(settings: GenericSettings, scope: PullScope) -> ApiRequest:  # noqa: ARG001 - as `ShopPull` has it
    """The request for the first page."""
    changed = scope.reads is PullPass.CHANGED and scope.since_ms is not None
    since = f"updated_since={_text(scope.since_ms or 0)}&" if changed else ""
    return ApiRequest(f"/{scope.kind}s?{since}limit={PER_PAGE}")


def read(
    settings: GenericSettings,  # noqa: ARG001 - as `ShopPull` has it
    scope: PullScope,
    request: ApiRequest,
    answer: PullAnswer,
) -> PullPage:
    """What a page says. A row without an id is left out; one that is wrong in itself is a dead letter later.

    Raises:
        Rejected: `not_a_page`.
    """
    if not isinstance(answer.value, dict):
        raise Rejected("not_a_page", detail="the answer is no object")
    listed = rows_of(answer.value.get("items"), "items")
    named = [(own, row) for row in listed if (own := readable_id(row.get("id"))) is not None]
    light = scope.reads is PullPass.PRESENT
    rows = [_row(scope, own, row) for own, row in named if not (light and row.get("deleted") is True)]
    cursor = _cursor(answer.value)
    here = body_hash(orjson.dumps([[own, row.get("updated_at")] for own, row in named]))
    if cursor is None or here == request.note:  # the end, or a page that comes again
        return PullPage(rows, None, dropped=len(listed) - len(named))
    if cursor == query_of(request).get("cursor"):
        raise Rejected("not_a_page", "next_cursor", "the next page is this one")
    following = ApiRequest(f"/{scope.kind}s?cursor={quote(cursor, safe='')}&limit={PER_PAGE}", note=here)
    return PullPage(rows, following, dropped=len(listed) - len(named))


def deletion(kind: Kind, entity: str) -> tuple[str, bytes]:
    """The webhook that says that an entity is gone."""
    return _said(f"{kind}.deleted", {"id": entity})


def _row(scope: PullScope, own: str, row: dict[str, Any]) -> PulledRow:
    topic, body = _said(f"{scope.kind}.{'deleted' if row.get('deleted') is True else 'updated'}", row)
    if scope.reads is PullPass.PRESENT:
        return PulledRow(own, topic, b"", None)
    try:
        changed = epoch_ms(moment(row.get("updated_at"), "updated_at"))
    except Rejected:
        changed = None
    placed = placed_ms(scope.kind, lambda: moment(row.get("created_at"), "created_at"))
    return PulledRow(own, topic, body, changed, placed)


def _said(topic: str, data: Mapping[str, Any]) -> tuple[str, bytes]:
    return topic, orjson.dumps({"type": topic, "data": data})


def _cursor(page: Mapping[str, Any]) -> str | None:
    cursor = page.get("next_cursor", 0)
    if cursor is None:
        return None
    if not isinstance(cursor, str) or not cursor or len(cursor) > _LONGEST_CURSOR:
        raise Rejected("not_a_page", "next_cursor", "neither null nor a text of 1 to 1,000 characters")
    return cursor


def _text(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# The requests.


PULL: ShopPull[GenericSettings] = ShopPull(
    passes=dict.fromkeys(Kind, (PullPass.CHANGED, PullPass.FULL, PullPass.PRESENT)),
    first=first,
    read=read,
    overlap=300.0,
    lag=60.0,
    ready=lambda settings: settings.readable,
    deletion=deletion,
)
