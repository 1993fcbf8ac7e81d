"""VTEX's feed of orders (v3): the same notifications as the hook's, kept by VTEX until they are committed.

What is not committed comes again (after four minutes, unless the feed was made with another time). So nothing
of it is remembered here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pipeline.shops.api import ApiRequest
from pipeline.shops.feed import FeedAnswer, FeedPage, ShopFeed, body_of, entries_of
from pipeline.shops.vtex.settings import VtexSettings

_PATH = "/api/orders/feed"
#: VTEX gives no more at once.
_AT_ONCE = 10
#: Seconds between two questions while nothing happens: 12 of the minute's requests.
_REST = 5.0
_LONGEST_HANDLE = 5_000
#: What the hook calls the fields of the feed.
_NAMES = {
    "domain": "Domain",
    "orderId": "OrderId",
    "state": "State",
    "lastState": "LastState",
    "lastChange": "LastChange",
    "currentChange": "CurrentChange",
}


def request(settings: VtexSettings, position: str) -> ApiRequest:  # noqa: ARG001 - as `ShopFeed` has it
    """The question for what is not committed."""
    return ApiRequest(f"{_PATH}?maxlot={_AT_ONCE}")


def read(settings: VtexSettings, position: str, answer: FeedAnswer) -> FeedPage:  # noqa: ARG001 - see above
    """The notifications, and how they are committed.

    Raises:
        Rejected: the answer is no list.
    """
    items = [] if answer.value is None else entries_of(answer.value, "feed")
    handles = [handle for item in items if (handle := _handle(item)) is not None]
    return FeedPage(
        bodies=[_as_hook(item, settings) for item in items],
        acknowledge=_commit(handles) if handles else None,
        # Items without a handle come again and again; they must not be asked for without a rest.
        wait=0.0 if handles else _REST,
    )


def _handle(item: object) -> str | None:
    handle = item.get("handle") if isinstance(item, dict) else None
    return handle if isinstance(handle, str) and 0 < len(handle) <= _LONGEST_HANDLE else None


def _commit(handles: list[str]) -> ApiRequest:
    headers = {"content-type": "application/json"}
    return ApiRequest(_PATH, "POST", headers, orjson.dumps({"handles": handles}))


def _as_hook(item: object, settings: VtexSettings) -> bytes:
    """The body with which the hook tells the same; of what names no order the item itself."""
    if not isinstance(item, dict) or "orderId" not in item:
        return body_of(item)
    said: Mapping[str, Any] = {name: item[field] for field, name in _NAMES.items() if field in item}
    return body_of({**said, "Origin": {"Account": settings.vtex_account}})


FEED: ShopFeed[VtexSettings] = ShopFeed(
    title="feed of orders",
    chosen=lambda settings: settings.orders == "feed",
    source=lambda settings: settings.vtex_account,
    request=request,
    read=read,
    advice={
        "missing": "VTEX has no feed for this application key, and deletes one without events: make it "
        "(`POST /api/orders/feed/config`, docs/shops/vtex.md)",
        "unauthorised": 'give the application key the right to the resource "Feed v3 and Hook Admin"',
    },
)
