"""VTEX's clients (Master Data, entity CL), page by page: what changed by search, all by scroll.

A search shows 10,000 documents at most. Each page of it therefore begins at the moment of the last change on
the one before; only among documents of the same second further ones are counted.

A scroll's place is kept by VTEX, and lost after some minutes without a request: then it begins anew.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from pipeline.shops.api import FETCHED, FOUND, ApiRequest, pack
from pipeline.shops.base import Rejected
from pipeline.shops.pull import PullAnswer, PulledRow, PullPage, PullPass, PullScope, query_of, rows_of
from pipeline.shops.values import epoch_ms
from pipeline.shops.vtex.fields import moment
from pipeline.shops.vtex.lookups import client_path
from pipeline.shops.vtex.webhooks import readable_id

SEARCH, SCROLL = "/api/dataentities/CL/search", "/api/dataentities/CL/scroll"
PER_PAGE, MAX_FOUND = 100, 10_000
#: Documents that two pages of one second share: one that leaves the second moves those behind it.
_SHARED = 10
#: Documents of one page of a scroll: all of their fields are a megabyte.
_PER_SCROLL = 1_000
#: Times that a scroll begins anew within one pass.
RESTARTS = 3
_CONSENT = ("id", "userId", "email", "isNewsletterOptIn", "localeDefault", "createdIn", "updatedIn")
_WHOLE = (*_CONSENT, "firstName", "lastName", "homePhone", "phone", "birthDate")
_FIELDS = {
    PullPass.CHANGED: _WHOLE,
    PullPass.FULL: _WHOLE,
    PullPass.CONSENT: _CONSENT,
    PullPass.PRESENT: ("id",),
}
_RANGE = re.compile(r"updatedIn between (\S{19}) AND (\S{19})")
_RESOURCES = re.compile(r"resources=([0-9]{1,6})-[0-9]{1,6}")
_TOKEN = re.compile(r"[!-~]{1,2000}")
_TOTAL = re.compile(r"(?:resources=[0-9]+-[0-9]+/)?([0-9]{1,10})")
_CLIENT = f"{FETCHED}client"
#: A document with few fields is another statement than the whole one: rows are compared by topic.
_LIGHT = f"{FETCHED}consent"


class _Place(NamedTuple):
    """Where a page of a search stands: the changes it lists, and how many of the first second it skips."""

    since: datetime
    until: datetime
    skipped: int = 0


def first(scope: PullScope) -> ApiRequest:
    """The first page."""
    if scope.reads is PullPass.CHANGED and scope.since_ms is not None:
        return _search(scope, _Place(_second(scope.since_ms), _second(scope.until_ms + 999)))
    return _scroll(scope, 0)


def read(scope: PullScope, request: ApiRequest, answer: PullAnswer) -> PullPage:
    """The clients of a page.

    Raises:
        Rejected: `not_a_page`, `too_many_at_once`, `invalid_date`.
    """
    listed = rows_of(answer.value, "")
    rows = [_row(scope, one) for one in listed]
    if request.path.startswith(SCROLL):
        return PullPage(rows, _scrolled(request, rows, answer), total=_total(answer, "rest-content-total"))
    place = _place_after(_place_of(request), listed)
    following = None if place is None else _search(scope, place)
    is_first = request == first(scope)  # later ones count what is behind the last row
    return PullPage(rows, following, total=_total(answer, "rest-content-range") if is_first else None)


def instead(scope: PullScope, request: ApiRequest, status: int) -> ApiRequest | None:
    """The first page of a new scroll, where VTEX does not know the one that was read any more."""
    restarts = _note(request)[0]
    lost = "_token" in query_of(request) and status in {400, 404, 410}
    return _scroll(scope, restarts + 1) if lost and restarts < RESTARTS else None


# The search.


def _search(scope: PullScope, place: _Place) -> ApiRequest:
    since, until = (at.strftime("%Y-%m-%dT%H:%M:%S") for at in place[:2])
    return ApiRequest(
        f"{SEARCH}?_where=updatedIn%20between%20{since}%20AND%20{until}&_sort=updatedIn%20ASC"
        f"&_fields={','.join(_FIELDS[scope.reads])}",
        headers={"REST-Range": f"resources={place.skipped}-{place.skipped + PER_PAGE}"},
    )


def _place_of(request: ApiRequest) -> _Place:
    found = _RANGE.fullmatch(query_of(request).get("_where", ""))
    resources = _RESOURCES.fullmatch(request.headers.get("REST-Range", ""))
    if found is None or resources is None:
        raise ValueError(f"no request of ours: {request.path}")
    since, until = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in found.groups())
    return _Place(since, until, int(resources[1]))


def _place_after(place: _Place, listed: list[dict[str, Any]]) -> _Place | None:
    """The next page's place; None where this page, which is not full, has nothing beyond its first second.

    A page that is not full is no end by itself: the search shows what its index has.
    """
    times = [moment(row.get("updatedIn"), "updatedIn").replace(microsecond=0) for row in listed]
    last = min(max(times, default=place.since), place.until)
    if last > place.since:
        return _Place(last, place.until)
    if len(listed) < PER_PAGE:
        return None
    if place.skipped + 2 * PER_PAGE > MAX_FOUND:
        raise Rejected("too_many_at_once", "updatedIn", "more changes of one second than VTEX's search shows")
    return place._replace(skipped=place.skipped + PER_PAGE - _SHARED)


def _second(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1_000, UTC)


# The scroll.


def _scroll(scope: PullScope, restarts: int) -> ApiRequest:
    fields = ",".join(_FIELDS[scope.reads])
    return ApiRequest(f"{SCROLL}?_size={_PER_SCROLL}&_fields={fields}", note=f"{restarts} ")


def _note(request: ApiRequest) -> tuple[int, str]:
    """How often the scroll began anew, and the first id of the page before."""
    restarts, _, before = request.note.partition(" ")
    return int(restarts or "0"), before


def _scrolled(request: ApiRequest, rows: list[PulledRow], answer: PullAnswer) -> ApiRequest | None:
    """The next page; None behind an empty one, and behind one that comes again."""
    restarts, before = _note(request)
    if not rows or rows[0].entity == before:
        return None
    token = answer.headers.get("x-vtex-md-token") or query_of(request).get("_token", "")
    if not _TOKEN.fullmatch(token):
        raise Rejected("not_a_page", "X-VTEX-MD-TOKEN", "a scroll without its token")
    return ApiRequest(f"{SCROLL}?_token={quote(token, safe='')}", note=f"{restarts} {rows[0].entity}")


def _total(answer: PullAnswer, header: str) -> int | None:
    found = _TOTAL.fullmatch(answer.headers.get(header, ""))
    return None if found is None else int(found[1])


def _row(scope: PullScope, document: dict[str, Any]) -> PulledRow:
    own = readable_id(document.get("id"))
    if own is None:
        raise Rejected("not_a_page", "id", "a client without its id")
    if scope.reads is PullPass.PRESENT:
        return PulledRow(own, _CLIENT, b"", None)
    changed = document.get("updatedIn") or document.get("createdIn")
    body = pack([(client_path(own), FOUND, orjson.dumps(document))])
    topic = _LIGHT if scope.reads is PullPass.CONSENT else _CLIENT
    return PulledRow(own, topic, body, epoch_ms(moment(changed, "updatedIn")) if changed else None)
