"""VTEX's list of orders, page by page. It has ids only: each order is asked for by itself.

The list knows when an order was made, authorised and invoiced, but not when it was last changed. So what
changed is read in four walks: the orders made, authorised and invoiced in the window, and, as a cancellation
has no date either, the canceled ones of the last weeks.

No more than 30 pages of a list are shown. Each page therefore begins at the moment at which the one before
ended: the number of a page is counted only among orders made in the same millisecond. Where the shop shows
nothing of a list that is too long, the window is halved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from pipeline.events import Kind
from pipeline.shops.api import FETCHED, ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.pull import PulledRow, PullPage, PullPass, PullScope, query_of, rows_of
from pipeline.shops.values import epoch_ms
from pipeline.shops.vtex.fields import moment
from pipeline.shops.vtex.lookups import order_path
from pipeline.shops.vtex.webhooks import readable_id

PATH = "/api/oms/pvt/orders"
PER_PAGE, MAX_PAGES = 100, 30
_SECOND_MS, _DAY_MS = 1_000, 86_400_000
#: VTEX lists two years.
HORIZON_DAYS = 730
#: Orders made so many days ago are asked again while they are canceled.
_CANCELED_DAYS = 30
_RANGE = re.compile(r"\w+:\[(\S{20,30}) TO (\S{20,30})\]")
_ORDER = f"{FETCHED}{Kind.ORDER}"


class _Place(NamedTuple):
    """Where a page stands.

    Attributes:
        walk: its place in `_walks`.
        since: begin of the creation times that it lists, in epoch milliseconds.
        until: their end.
        page: its number among those of this begin.
    """

    walk: int
    since: int
    until: int
    page: int = 1


class _Walk(NamedTuple):
    """A list that is read: what narrows it beside the orders' creation, and that creation's begin."""

    filters: Mapping[str, str]
    since: int


def first(scope: PullScope) -> ApiRequest:
    """The first page."""
    return _request(scope, _Place(0, _walks(scope)[0].since, scope.until_ms))


def read(scope: PullScope, request: ApiRequest, answer: object) -> PullPage:
    """The orders of a page.

    Raises:
        Rejected: `not_a_page`, `too_many_at_once`.
    """
    place = _place_of(scope, request)
    if not isinstance(answer, dict):
        raise Rejected("not_a_page", detail="the answer is no object")
    listed, pages = rows_of(answer.get("list"), "list"), _pages(answer.get("paging"))
    ids = [_id(row) for row in listed]
    rows = [
        PulledRow(one, _ORDER, b"", _known_ms(row), _made_ms(row))
        for one, row in zip(ids, listed, strict=True)
    ]
    lookups = [(number, (order_path(one),)) for number, one in enumerate(ids)]
    return PullPage(rows, _following(scope, place, listed, pages), lookups)


def _walks(scope: PullScope) -> tuple[_Walk, ...]:
    oldest = scope.until_ms - HORIZON_DAYS * _DAY_MS
    since = oldest if scope.since_ms is None else max(scope.since_ms, oldest)
    made = _Walk({}, since)
    if scope.reads is not PullPass.CHANGED:
        return (made,)
    window = _between(since, scope.until_ms)
    dated = ("authorizedDate", "invoicedDate")
    canceled = max(oldest, min(since, scope.until_ms - _CANCELED_DAYS * _DAY_MS))
    return (
        made,
        *(_Walk({f"f_{date}": f"{date}:{window}"}, oldest) for date in dated),
        _Walk({"f_status": "canceled"}, canceled),
    )


def _request(scope: PullScope, place: _Place) -> ApiRequest:
    walk = _walks(scope)[place.walk]
    made = {"f_creationDate": f"creationDate:{_between(place.since, place.until)}"}
    filters = "&".join(f"{name}={quote(said, safe='')}" for name, said in {**made, **walk.filters}.items())
    return ApiRequest(f"{PATH}?{filters}&orderBy=creationDate,asc&per_page={PER_PAGE}&page={place.page}")


def _place_of(scope: PullScope, request: ApiRequest) -> _Place:
    """Where the page of a request stands, as the request says it."""
    said = query_of(request)
    found = _RANGE.fullmatch(said.get("f_creationDate", ""))
    names = {name for name in said if name.startswith("f_")} - {"f_creationDate"}
    walk = next((n for n, one in enumerate(_walks(scope)) if one.filters.keys() == names), None)
    if found is None or walk is None or not said.get("page", "").isdecimal():
        raise ValueError(f"no request of ours: {request.path}")
    since, until = (epoch_ms(datetime.fromisoformat(one)) for one in found.groups())
    return _Place(walk, since, until, int(said["page"]))


def _following(
    scope: PullScope, place: _Place, listed: list[dict[str, Any]], pages: int
) -> ApiRequest | None:
    following = _place_after(place, listed, pages) or _window_after(scope, place)
    return None if following is None else _request(scope, following)


def _place_after(place: _Place, listed: list[dict[str, Any]], pages: int) -> _Place | None:
    """Where the window goes on; None where it ends.

    Raises:
        Rejected: `too_many_at_once`.
    """
    if not listed and pages > MAX_PAGES and place.page == 1:
        return place._replace(until=place.since + _half(place.until - place.since))
    last = min(max((_made_ms(row) for row in listed), default=0), place.until)
    if last > place.since:
        return place._replace(since=last, page=1)
    if len(listed) < PER_PAGE:
        return None
    if place.page == MAX_PAGES:
        raise Rejected("too_many_at_once", "creationDate", "more orders of one moment than VTEX lists")
    return place._replace(page=place.page + 1)


def _half(width: int) -> int:
    if width < 2 * _SECOND_MS:
        raise Rejected("too_many_at_once", "creationDate", "orders of one second that VTEX counts, not lists")
    return width // 2


def _window_after(scope: PullScope, place: _Place) -> _Place | None:
    """The window behind one that was read to its end, or the next walk; None where all is read."""
    if place.until < scope.until_ms:
        return place._replace(since=place.until, until=scope.until_ms, page=1)
    walks = _walks(scope)
    if place.walk + 1 == len(walks):
        return None
    return _Place(place.walk + 1, walks[place.walk + 1].since, scope.until_ms)


def _pages(paging: object) -> int:
    pages = paging.get("pages") if isinstance(paging, dict) else None
    if isinstance(pages, bool) or not isinstance(pages, int):
        raise Rejected("not_a_page", "paging.pages", "not a whole number")
    return pages


def _id(row: dict[str, Any]) -> str:
    found = readable_id(row.get("orderId"))
    if found is None:
        raise Rejected("not_a_page", "list.orderId", "an order without its id")
    return found


def _made_ms(row: dict[str, Any]) -> int:
    return epoch_ms(moment(row.get("creationDate"), "list.creationDate"))


def _known_ms(row: dict[str, Any]) -> int:
    """The latest moment that the list knows: the order was last changed then, or later."""
    known = (row.get(name) for name in ("creationDate", "authorizedDate", "invoicedDate"))
    return max((epoch_ms(moment(said, "list")) for said in known if said), default=0)


def _between(since_ms: int, until_ms: int) -> str:
    return f"[{_text(since_ms)} TO {_text(until_ms)}]"


def _text(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms // 1_000, UTC).replace(microsecond=at_ms % 1_000 * 1_000)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1_000:03d}Z"
