"""WooCommerce's lists, page by page: what changed by the time of change, everything by the id.

What changed is sought: each page begins where the one before ended, one second earlier, as the bound is
exclusive. A list ends with a page that brings nothing new: rows that the key may not read make short pages,
and totals lie. Where only an id orders the rows, there is no filter for it: pages overlap, and where a page
does not begin with a row that was seen, rows went away meanwhile, and it is read again from further back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import orjson

from pipeline.events import Kind
from pipeline.shops.api import ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.pull import PullAnswer, PulledRow, PullPage, PullPass, PullScope, ShopPull, placed_ms
from pipeline.shops.values import epoch_ms, instant
from pipeline.shops.woocommerce.api import BASE, base_url
from pipeline.shops.woocommerce.settings import WooCommerceSettings

ROWS, FEWEST = 100, 10
#: Rows that two pages share where only their number tells where a page begins.
OVERLAP = 5
#: Pages without rows after which a list is over, whatever total it names.
EMPTY = 3
#: Times that a page is read again from further back.
BACK = 3
#: A row this much older than the window, in ms: the shop does not know the filter.
IGNORED_BY = 2 * 86_400_000
_NAMES = {Kind.ORDER: "orders", Kind.CUSTOMER: "customers", Kind.PRODUCT: "products"}
#: Carts on their way to an order, and what was never saved.
_UNFINISHED = frozenset({"checkout-draft", "auto-draft", "draft", "trash"})
_FORMAT = "%Y-%m-%dT%H:%M:%S"


class _At(NamedTuple):
    """Where a request stands, as its path and note say it.

    Attributes:
        base: the path without its query.
        query: its parameters.
        seen: the largest id seen, where ids order the list.
        empty: pages without rows before it.
        back: times that it was read from further back.
        first: whether it is the first of its list.
    """

    base: str
    query: dict[str, str]
    seen: int
    empty: int
    back: int
    first: bool

    @property
    def size(self) -> int:
        return int(self.query["per_page"])

    @property
    def is_trash(self) -> bool:
        return self.query.get("status") == "trash"

    @property
    def is_variations(self) -> bool:
        return self.base.endswith("/variations")

    @property
    def is_part(self) -> bool:
        """Whether it is a list beside the pass's own."""
        return self.is_trash or self.is_variations

    def moved(self, *, seen: int | None = None, empty: int = 0, back: int = 0, **query: object) -> ApiRequest:
        """The request with other parameters."""
        said = {**self.query, **{name: str(value) for name, value in query.items()}}
        note = orjson.dumps([self.seen if seen is None else seen, empty, back]).decode()
        return ApiRequest(f"{self.base}?{urlencode(said, safe=':,')}", note=note)


def _at(request: ApiRequest) -> _At:
    base, _, query = request.path.partition("?")
    seen, empty, back = orjson.loads(request.note) if request.note else (0, 0, 0)
    return _At(base, dict(parse_qsl(query)), seen, empty, back, not request.note)


def first(settings: WooCommerceSettings, scope: PullScope) -> ApiRequest:  # noqa: ARG001 - as `ShopPull` has it
    """The first page: of what changed, or of everything."""
    return _list(scope, _modified(scope) if scope.reads is PullPass.CHANGED else _by_id())


def _list(scope: PullScope, order: Mapping[str, str], status: str = "any") -> ApiRequest:
    everybody = {"role": "all"} if scope.kind is Kind.CUSTOMER else {"status": status}
    fields = {"_fields": "id,variations"} if scope.reads is PullPass.PRESENT else {}
    query = {**everybody, **order, "order": "asc", "per_page": str(ROWS), **fields}
    return ApiRequest(f"{BASE}/{_NAMES[scope.kind]}?{urlencode(query, safe=':,')}")


def _window(scope: PullScope) -> dict[str, str]:
    bounds = {} if scope.since_ms is None else {"modified_after": _utc(scope.since_ms - 1_000)}
    return {**bounds, "modified_before": _utc(scope.until_ms), "dates_are_gmt": "true"}


def _modified(scope: PullScope) -> dict[str, str]:
    return {**_window(scope), "orderby": "modified", "page": "1"}


def _by_id() -> dict[str, str]:
    return {"orderby": "id", "offset": "0"}


def _utc(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime(_FORMAT)


def read(
    settings: WooCommerceSettings, scope: PullScope, request: ApiRequest, answer: PullAnswer
) -> PullPage:
    """The page in an answer."""
    listed = answer.value
    if not isinstance(listed, list) or not all(isinstance(row, dict) for row in listed):
        raise Rejected("not_a_page", detail="the shop answers with something else than a list")
    at, total = _at(request), _total(answer.headers)
    rows = [row for one in listed if (row := _row(scope, at, one)) is not None]
    if scope.reads is PullPass.CHANGED and "modified_after" in at.query:
        _require_window(rows, scope)
    following = _sought(at, listed, total) if "page" in at.query else _counted(at, listed, total)
    return PullPage(
        [*rows, *_variations_by_id(scope, listed)],
        following,
        parts=_parts(settings, scope, at, listed),
        total=total
        if at.first and "variations" not in at.base and at.query.get("status") != "trash"
        else None,
    )


def _total(headers: Mapping[str, str]) -> int | None:
    said = headers.get("x-wp-total", "")
    return int(said) if said.isdecimal() and len(said) < 12 else None  # noqa: PLR2004 - no shop has more


def _sought(at: _At, listed: Sequence[dict[str, Any]], total: int | None) -> ApiRequest | None:
    """The page behind one that is ordered by time."""
    page = int(at.query["page"])
    ends = total is not None and page * at.size >= total
    newest = max(filter(None, map(_changed, listed)), default=0)
    after = at.query.get("modified_after")
    low = epoch_ms(instant(after, "modified_after")) if after else 0
    if not listed:
        over = ends or total is None or at.empty + 1 >= EMPTY
        return None if over else at.moved(page=page + 1, empty=at.empty + 1)
    if newest > low + 1_000:
        return at.moved(modified_after=_utc(newest - 1_000), page=1)
    if len(listed) < at.size and (ends or total is None):
        return None
    return at.moved(page=page + 1)  # a whole page of one second


def _counted(at: _At, listed: Sequence[dict[str, Any]], total: int | None) -> ApiRequest | None:
    """The page behind one of which only the number of rows before it is known."""
    offset = int(at.query["offset"])
    ids = [number for number in map(_number, listed) if number]
    if not ids:
        over = total is None or offset + at.size >= total or at.empty + 1 >= EMPTY
        return None if over else at.moved(offset=offset + at.size, empty=at.empty + 1)
    if offset and min(ids) > at.seen and at.back < BACK:  # rows before it went away
        return at.moved(offset=max(0, offset - at.size), back=at.back + 1)
    news = max(ids) > at.seen and not at.is_variations
    if len(listed) < at.size and not news and (total is None or offset + at.size >= total):
        return None
    return at.moved(offset=offset + at.size - min(OVERLAP, at.size // 2), seen=max(at.seen, *ids))


def _row(scope: PullScope, at: _At, found: dict[str, Any]) -> PulledRow | None:
    number = _number(found)
    if number is None:
        raise Rejected("not_a_page", "id", "a row without an id")
    if scope.reads is PullPass.PRESENT:
        return PulledRow(str(number), "", b"", None)
    if at.is_trash:
        topic, body = deletion(scope.kind, str(number))
        return PulledRow(str(number), topic, body, None)
    if scope.kind is Kind.ORDER and str(found.get("status")) in _UNFINISHED:
        return None
    if at.is_variations:
        found = {"parent_id": int(at.base.split("/")[-2]), **found}
    placed = placed_ms(scope.kind, lambda: instant(found.get("date_created_gmt"), "date_created_gmt"))
    return PulledRow(str(number), f"{scope.kind}.updated", orjson.dumps(found), _changed(found), placed)


def _variations_by_id(scope: PullScope, listed: Sequence[dict[str, Any]]) -> Iterator[PulledRow]:
    """The variations of products, where only ids are read."""
    if scope.reads is PullPass.PRESENT:
        for found in listed:
            children = found.get("variations")
            for child in children if isinstance(children, list) else ():
                if isinstance(child, int) and not isinstance(child, bool):
                    yield PulledRow(str(child), "", b"", None)


def _parts(
    settings: WooCommerceSettings, scope: PullScope, at: _At, listed: Sequence[dict[str, Any]]
) -> list[ApiRequest]:
    """What lies in the trash, and the variations of products where these are sold."""
    if (
        scope.reads is PullPass.PRESENT
        or at.base.endswith("/variations")
        or at.query.get("status") == "trash"
    ):
        return []
    found = []
    if scope.reads is PullPass.CHANGED and at.first and scope.kind is not Kind.CUSTOMER:
        order = {**_by_id(), **_window(scope)}
        found.append(_list(scope, order, status="trash"))
    if scope.kind is Kind.PRODUCT and settings.product_id != "product":
        query = urlencode({**_by_id(), "order": "asc", "per_page": str(ROWS)})
        parents = [_number(one) for one in listed if one.get("type") == "variable"]
        found += [ApiRequest(f"{BASE}/products/{parent}/variations?{query}") for parent in parents]
    return found


def _require_window(rows: Sequence[PulledRow], scope: PullScope) -> None:
    """That the shop knows the filter: older ones answer with everything instead."""
    oldest = min((row.modified_ms for row in rows if row.modified_ms), default=None)
    if oldest is not None and scope.since_ms is not None and oldest < scope.since_ms - IGNORED_BY:
        raise Rejected("window_ignored", "modified_after", "the shop lists what changed before the window")


def _number(found: Mapping[str, Any]) -> int | None:
    said = found.get("id")
    return said if isinstance(said, int) and not isinstance(said, bool) and said > 0 else None


def _changed(found: Mapping[str, Any]) -> int | None:
    """When it was last changed, in UTC; None where the shop does not say, as of accounts never saved."""
    for name in ("date_modified_gmt", "date_created_gmt"):
        if found.get(name):
            try:
                return epoch_ms(instant(found[name], name))
            except Rejected:
                return None
    return None


def deletion(kind: Kind, entity: str) -> tuple[str, bytes]:
    """As the webhook says it."""
    return f"{kind}.deleted", b'{"id":%s}' % entity.encode()


def instead(
    settings: WooCommerceSettings,  # noqa: ARG001 - as `ShopPull` has it
    scope: PullScope,
    request: ApiRequest,
    status: int,
) -> ApiRequest | None:
    """Shops before WooCommerce 5.8 do not order by change; slow hosts break off long pages."""
    at = _at(request)
    if status and at.query.get("orderby") == "modified":
        return _list(scope, {**_by_id(), **_window(scope)})
    if status or at.size <= FEWEST:
        return None
    size = max(FEWEST, at.size // 2)
    if "page" not in at.query:
        return at.moved(per_page=size, back=at.back, empty=at.empty)
    return at.moved(per_page=size, page=(int(at.query["page"]) - 1) * at.size // size + 1, empty=at.empty)


PULL: ShopPull[WooCommerceSettings] = ShopPull(
    passes={
        Kind.CUSTOMER: (PullPass.FULL, PullPass.PRESENT),
        Kind.PRODUCT: (PullPass.CHANGED, PullPass.FULL, PullPass.PRESENT),
        Kind.ORDER: (PullPass.CHANGED, PullPass.FULL),
    },
    first=first,
    read=read,
    overlap=120.0,
    lag=60.0,
    ready=lambda settings: settings.readable,
    deletion=lambda kind, entity: None if kind is Kind.ORDER else deletion(kind, entity),
    restored={Kind.ORDER: "order.restored", Kind.PRODUCT: "product.restored"},
    headers=lambda settings: {"x-wc-webhook-source": f"{base_url(settings)}/"},
    instead=instead,
)
