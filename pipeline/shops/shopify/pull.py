"""Shopify's lists, page by page: what changed by a cursor over the time of change, everything by the id.

A list of more than 25,000 rows cannot be walked to its end by cursors: what changed begins anew now and then
at the last row's time, and everything is sought by `id:>=`, so that each page is a first one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from pipeline.events import Kind
from pipeline.shops.api import ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.pull import PullAnswer, PulledRow, PullPage, PullPass, PullScope, ShopPull, placed_ms
from pipeline.shops.shopify import queries, restform
from pipeline.shops.shopify.api import base_url, graphql, points_of
from pipeline.shops.shopify.fields import mapping, shop_id
from pipeline.shops.shopify.settings import ShopifySettings
from pipeline.shops.values import epoch_ms, instant

#: Rows of a page, and what hangs on each: lines, variants.
_ROWS = {Kind.ORDER: 25, Kind.CUSTOMER: 100, Kind.PRODUCT: 20}
_IDS, _NESTED = 250, 50
#: The most that hangs on a row and is read with it, then in pages of so few rows.
_MOST_NESTED, _FEW = 250, 5
#: The most rows of a page, and points of a query, where the shop has more points than pages use.
_MOST_ROWS, _DEAREST = 250, 900
#: Rows after which a list begins anew: cursors end at 25,000.
ANEW = 20_000
#: A row this much older than the window, in ms: the filter was not understood.
_IGNORED_BY = 2 * 86_400_000
_HANGS_ON = {Kind.ORDER: "lineItems", Kind.PRODUCT: "variants"}
_STATUSES = "status:active,draft,archived,unlisted"
_DELETIONS = "deletions"
_FORMS: Mapping[Kind, tuple[str, Callable[[restform.Node], dict[str, Any]]]] = {
    Kind.ORDER: ("orders/updated", restform.order),
    Kind.CUSTOMER: ("customers/update", restform.customer),
    Kind.PRODUCT: ("products/update", restform.product),
}
_CONSENT = "customers_email_marketing_consent/update"


def first(settings: ShopifySettings, scope: PullScope) -> ApiRequest:
    """The first page: of what changed, or of everything."""
    if scope.reads is PullPass.CHANGED:
        return _request(settings, scope, {"query": _window(scope, scope.since_ms), "counted": True})
    return _request(settings, scope, {"query": _after("0", scope.kind), "counted": True})


def _request(
    settings: ShopifySettings,
    scope: PullScope,
    changes: Mapping[str, Any],
    rows: int = 0,
    *,
    most: int = _MOST_ROWS,
) -> ApiRequest:
    """A request of the pass's own list.

    Args:
        settings: the store's.
        scope: the pass.
        changes: of the variables.
        rows: that came before it since its cursors began.
        most: of its pages, at most.
    """
    present = scope.reads is PullPass.PRESENT
    variables: dict[str, Any] = {"first": _usual(scope), "after": None, "counted": False}
    if scope.kind in _HANGS_ON and not present:
        variables["nested"] = _NESTED
    by_change = scope.reads is PullPass.CHANGED
    pictures = settings.product_id != "product"
    query = (
        queries.ids(scope.kind)
        if present
        else queries.whole(scope.kind, by_change=by_change, pictures=pictures)
    )
    return graphql(query, {**variables, **changes}, f"{rows} {most}")


def _window(scope: PullScope, since_ms: int | None) -> str:
    """The filter of what changed. Customers are filtered by whole days: what is older is left out later."""
    whole_days = scope.kind is Kind.CUSTOMER
    parts = [_STATUSES] if scope.kind is Kind.PRODUCT else []
    if since_ms is not None:
        since = since_ms - since_ms % 86_400_000 if whole_days else since_ms
        parts.append(f"updated_at:>='{_utc(since)}'")
    if not whole_days:
        parts.append(f"updated_at:<'{_utc(scope.until_ms)}'")
    return " ".join(parts)


def _after(entity: str, kind: Kind) -> str:
    """The filter of what is behind an id: `>` was seen to mean `>=`, so the next id is named."""
    following = f"id:>={int(entity) + 1}"
    return f"{following} {_STATUSES}" if kind is Kind.PRODUCT else following


def _utc(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(settings: ShopifySettings, scope: PullScope, request: ApiRequest, answer: PullAnswer) -> PullPage:
    """The page in an answer."""
    said, asked = mapping(answer.value), _variables(request)
    if said.get("errors"):  # `api.heard` lets one pass: the query is too dear
        return PullPage((), _smaller(request, asked))
    if request.note == _DELETIONS:
        return _deleted(request, asked, mapping(mapping(said.get("data")).get("deletionEvents")))
    connection = mapping(mapping(said.get("data")).get(queries.FIELDS[scope.kind]))
    if not isinstance(connection.get("nodes"), list):
        raise Rejected("not_a_page", detail="the answer has no list of rows")
    found = restform.nodes(connection)
    cut = [node for node in found if restform.is_cut(node.get(_HANGS_ON.get(scope.kind, "")))]
    whole = [node for node in found if node not in cut] if cut else found
    rows = list(_rows(scope, whole))
    if cut and asked["nested"] < _MOST_NESTED:
        few = {**asked, "nested": _MOST_NESTED, "first": _FEW, "counted": False}
        again = _request(settings, scope, few, _rows_before(request), most=_most_rows(request))
        return PullPage(rows, again, parts=_parts(scope, asked), total=_total(scope, said))
    if scope.reads is PullPass.CHANGED and asked.get("after") is None:
        _require_window(found, scope)
    return PullPage(
        rows,
        _next(settings, scope, request, said),
        parts=_parts(scope, asked),
        total=_total(scope, said),
        dropped=len(cut),
    )


def _variables(request: ApiRequest) -> dict[str, Any]:
    return dict(orjson.loads(request.body)["variables"])


def _rows_before(request: ApiRequest) -> int:
    return int(request.note.split()[0]) if request.note else 0


def _most_rows(request: ApiRequest) -> int:
    """Rows of the longest page that is asked for: fewer once longer ones did not come."""
    return int((*request.note.split(), "", "")[1] or _MOST_ROWS)


def _rows(scope: PullScope, found: list[restform.Node]) -> Iterator[PulledRow]:
    for node in found:
        entity = _entity(node)
        if scope.reads is PullPass.PRESENT:
            yield PulledRow(entity, "", b"", None)
            continue
        changed = _changed(node)
        if scope.reads is PullPass.CHANGED and changed is not None and changed < (scope.since_ms or 0):
            continue  # of the window's first day
        topic, form = _FORMS[scope.kind]
        placed = placed_ms(scope.kind, lambda: _placed(node))  # noqa: B023 - asked at once
        yield PulledRow(entity, topic, orjson.dumps(form(node)), changed, placed)
        statement = restform.consent(node) if scope.kind is Kind.CUSTOMER else None
        if statement is not None:
            yield PulledRow(entity, _CONSENT, orjson.dumps(statement), changed)


def _entity(node: restform.Node) -> str:
    entity = shop_id(node.get("legacyResourceId") or node.get("id"))
    if entity is None:
        raise Rejected("not_a_page", "legacyResourceId", "a row without an id")
    return entity


def _changed(node: restform.Node) -> int | None:
    said = node.get("updatedAt")
    return epoch_ms(instant(said, "updatedAt")) if said else None


def _placed(node: restform.Node) -> datetime:
    """As the adapter has it: `processedAt` also for imported orders."""
    return instant(node.get("processedAt") or node.get("createdAt"), "processedAt")


def _next(
    settings: ShopifySettings, scope: PullScope, request: ApiRequest, said: Mapping[str, Any]
) -> ApiRequest | None:
    connection = mapping(mapping(said.get("data")).get(queries.FIELDS[scope.kind]))
    if not restform.is_cut(connection):
        return None
    found, asked = restform.nodes(connection), _variables(request)
    size, most = {"first": _size(scope, request, asked, said)}, _most_rows(request)
    if not found:
        raise Rejected("not_a_page", "pageInfo", "more rows are announced than come")
    if scope.reads is not PullPass.CHANGED:
        after = _after(_entity(found[-1]), scope.kind)
        return _request(settings, scope, {**size, "query": after}, most=most)
    cursor = mapping(connection.get("pageInfo")).get("endCursor")
    if not isinstance(cursor, str) or not cursor or cursor == asked.get("after"):
        raise Rejected("cursor_repeats", "endCursor", "the shop lists the same page again")
    rows, last = _rows_before(request) + len(found), _changed(found[-1])
    if rows >= ANEW and last is not None and last > (scope.since_ms or 0) + 86_400_000:
        return _request(settings, scope, {**size, "query": _window(scope, last)}, most=most)
    return _request(settings, scope, {**size, "query": asked["query"], "after": cursor}, rows, most=most)


def _size(scope: PullScope, request: ApiRequest, asked: Mapping[str, Any], said: Mapping[str, Any]) -> int:
    """Rows of the next page: twice as many where the points of this one came back while it was answered."""
    first, usual = int(asked["first"]), _usual(scope)
    if asked.get("nested") == _MOST_NESTED and first < usual:  # a page of long rows, read again
        return usual
    points = points_of(said)
    unused = points is not None and points.there + points.asked >= points.most
    cheap = points is not None and 2 * points.asked <= min(_DEAREST, points.most / 2)
    larger = unused and cheap and first >= usual and not asked.get("counted")
    return min(2 * first if larger else first, _most_rows(request))


def _usual(scope: PullScope) -> int:
    return _IDS if scope.reads is PullPass.PRESENT else _ROWS[scope.kind]


def _parts(scope: PullScope, asked: Mapping[str, Any]) -> list[ApiRequest]:
    """With the first page of changed products, those that were deleted."""
    if scope.kind is not Kind.PRODUCT or scope.reads is not PullPass.CHANGED or not asked.get("counted"):
        return []
    since = "" if scope.since_ms is None else f"occurred_at:>='{_utc(scope.since_ms)}'"
    variables = {"first": _IDS, "after": None, "query": since or None}
    return [graphql(queries.deletions(), variables, _DELETIONS)]


def _deleted(request: ApiRequest, asked: Mapping[str, Any], connection: Mapping[str, Any]) -> PullPage:
    rows = []
    for node in restform.nodes(connection):
        entity = shop_id(node.get("subjectId"))
        if entity is not None:
            topic, body = _deletion(entity)
            rows.append(PulledRow(entity, topic, body, None))
    cursor = mapping(connection.get("pageInfo")).get("endCursor")
    more = restform.is_cut(connection) and isinstance(cursor, str) and cursor != asked.get("after")
    return PullPage(
        rows, graphql(queries.deletions(), {**asked, "after": cursor}, request.note) if more else None
    )


def _total(scope: PullScope, said: Mapping[str, Any]) -> int | None:
    counted = mapping(mapping(said.get("data")).get(f"{queries.FIELDS[scope.kind]}Count"))
    count = counted.get("count")
    exact = counted.get("precision") == "EXACT"
    return count if exact and isinstance(count, int) and not isinstance(count, bool) else None


def _require_window(found: list[restform.Node], scope: PullScope) -> None:
    """That the filter was understood: a list without one has everything."""
    oldest = min(filter(None, map(_changed, found)), default=None)
    if oldest is not None and scope.since_ms is not None and oldest < scope.since_ms - _IGNORED_BY:
        raise Rejected("window_ignored", "updated_at", "the shop lists what changed before the window")


def _smaller(request: ApiRequest, asked: dict[str, Any]) -> ApiRequest:
    """The same with half the rows; with one, with half of what hangs on it."""
    name = "first" if asked["first"] > 1 else "nested"
    if asked.get(name, 1) <= 1:
        raise Rejected("too_dear", detail="not even one row is within the shop's limit of a query")
    said = orjson.loads(request.body)
    return graphql(said["query"], {**asked, name: asked[name] // 2}, request.note)


def _deletion(entity: str) -> tuple[str, bytes]:
    return "products/delete", b'{"id":%s}' % entity.encode()


def deletion(kind: Kind, entity: str) -> tuple[str, bytes] | None:
    """As the webhook says it; customers are merged or redacted, and orders hardly ever deleted."""
    return _deletion(entity) if kind is Kind.PRODUCT else None


def instead(
    settings: ShopifySettings,  # noqa: ARG001 - as `ShopPull` has it
    scope: PullScope,  # noqa: ARG001
    request: ApiRequest,
    status: int,
) -> ApiRequest | None:
    """Without the count, which is only shown; with fewer rows where answers do not come."""
    asked = _variables(request)
    if asked.get("counted") and status:
        said = orjson.loads(request.body)
        return graphql(said["query"], {**asked, "counted": False}, request.note)
    if status or asked["first"] <= 1:
        return None
    smaller = _smaller(request, asked)
    if request.note == _DELETIONS:
        return smaller
    return replace(smaller, note=f"{_rows_before(request)} {asked['first'] // 2}")


PULL: ShopPull[ShopifySettings] = ShopPull(
    passes={
        Kind.CUSTOMER: (PullPass.CHANGED, PullPass.FULL),
        Kind.PRODUCT: (PullPass.CHANGED, PullPass.FULL, PullPass.PRESENT),
        Kind.ORDER: (PullPass.CHANGED, PullPass.FULL),
    },
    first=first,
    read=read,
    overlap=900.0,
    lag=120.0,
    ready=lambda settings: settings.readable,
    effort={Kind.CUSTOMER: 1.0, Kind.PRODUCT: 6.0, Kind.ORDER: 6.0},
    deletion=deletion,
    headers=lambda settings: {"x-shopify-shop-domain": urlsplit(base_url(settings)).hostname or ""},
    instead=instead,
)
