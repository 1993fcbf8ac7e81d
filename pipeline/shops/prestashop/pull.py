"""How PrestaShop's orders, customers and products are read page by page.

The webservice says no total, and its pages move while rows change. Nothing is therefore counted: what is
read in the order of the ids goes on behind the last id. What changed goes on at the last time of change:
first with the other rows of that second, by their ids, then behind it. A page without further rows is the
end.

Its times are the shop's local ones: in the hour that exists twice a year, a window can end before rows that
are older than it. The next one begins more than an hour earlier.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

import orjson

from pipeline.events import Kind, RawEvent
from pipeline.shops import php
from pipeline.shops.api import FETCHED, FOUND, ApiRequest, Documents, pack, without
from pipeline.shops.base import Rejected
from pipeline.shops.prestashop import api
from pipeline.shops.prestashop.documents import moment
from pipeline.shops.prestashop.settings import PrestashopSettings, PrestashopStore
from pipeline.shops.prestashop.webhooks import WITHHELD
from pipeline.shops.pull import (
    PullAnswer,
    PulledRow,
    PullPage,
    PullPass,
    PullScope,
    ShopPull,
    placed_ms,
    rows_of,
)
from pipeline.shops.values import epoch_ms

#: Rows of a page: of whole ones, each of which the webservice reads by itself, and of light ones.
PER_PAGE, PER_LIGHT_PAGE = 100, 500
_CONSENT = (
    "id",
    "email",
    "newsletter",
    "newsletter_date_add",
    "is_guest",
    "deleted",
    "id_shop",
    "id_lang",
    "date_add",
    "date_upd",
)
_DISPLAY = {PullPass.CONSENT: f"[{','.join(_CONSENT)}]", PullPass.PRESENT: "[id]"}
_FORMAT = "%Y-%m-%d %H:%M:%S"


class _Place(NamedTuple):
    """Behind what a page stands.

    Attributes:
        changed: the time of change, as the shop writes it: of the rows, where these are of one second, else
            of the first; "" where the ids order them.
        number: the id behind which they stand; 0 where none does.
    """

    changed: str = ""
    number: int = 0


def first(settings: PrestashopSettings, scope: PullScope) -> ApiRequest:
    """The request for the first page."""
    if scope.reads is not PullPass.CHANGED:
        return _request(settings, scope, _Place())
    return _request(settings, scope, _Place(_window(settings, scope)[0]))


def read(settings: PrestashopSettings, scope: PullScope, request: ApiRequest, answer: PullAnswer) -> PullPage:
    """What a page says. Rows that are not behind its place came again.

    Raises:
        Rejected: `not_a_page`, `invalid_date`.
    """
    place = _Place(*orjson.loads(request.note))
    listed = [(_place_of(scope, row), row) for row in _listed(scope, answer.value)]
    further = [(own, row) for own, row in listed if _is_further(own, place)]
    following = _following(settings, scope, place, [own for own, _ in further])
    return PullPage(
        [_row(settings, scope, own.number, row) for own, row in further],
        None if following is None else _request(settings, scope, following),
    )


def needs(row: PulledRow, documents: Documents, store: PrestashopStore) -> Sequence[str]:
    """As `api.needs` of an announcement of the row."""
    named = row.topic.removeprefix(FETCHED)
    if named not in list(Kind):
        return ()
    event = RawEvent(store.name, "prestashop", Kind(named), row.entity, f"{named}.updated", "", 0, b"{}")
    return api.needs(event, documents, store)


def deletion(kind: Kind, entity: str) -> tuple[str, bytes] | None:
    """As a module announces it; orders are not deleted in PrestaShop."""
    return None if kind is Kind.ORDER else (f"{kind}.deleted", orjson.dumps({"id": entity}))


# Requests.


def _request(settings: PrestashopSettings, scope: PullScope, place: _Place) -> ApiRequest:
    path = f"{api.list_path(f'{scope.kind}s')}?{api.JSON}&display={_DISPLAY.get(scope.reads, 'full')}"
    if place.changed:
        path += f"&date=1&{_times(settings, scope, place)}"
    if place.number or not place.changed:
        path += f"&filter[id]={quote(f'>[{place.number}]', safe='[]')}"
    order = "id_ASC" if place.number or not place.changed else "date_upd_ASC,id_ASC"
    size = PER_LIGHT_PAGE if scope.reads in _DISPLAY else PER_PAGE
    path += f"&sort=[{order}]&limit=0,{size}"
    return ApiRequest(path + api.of_shop(path, settings), note=orjson.dumps(list(place)).decode())


def _times(settings: PrestashopSettings, scope: PullScope, place: _Place) -> str:
    end = place.changed if place.number else max(_window(settings, scope)[1], place.changed)
    return f"filter[date_upd]=[{quote(place.changed, safe=':')},{quote(end, safe=':')}]"


def _window(settings: PrestashopSettings, scope: PullScope) -> tuple[str, str]:
    """The first and the last second of the window, as the shop's clock shows them."""
    since, until = (_local(at_ms, settings) for at_ms in (scope.since_ms or 0, scope.until_ms + 999))
    return min(since, until), max(since, until)


def _local(at_ms: int, settings: PrestashopSettings) -> str:
    at = datetime.fromtimestamp(at_ms // 1_000, UTC)
    return at.astimezone(ZoneInfo(settings.timezone)).strftime(_FORMAT)


# Answers.


def _listed(scope: PullScope, value: object) -> list[dict[str, Any]]:
    """The rows of a list; an empty one is `[]` without its name."""
    if value == []:
        return []
    name = f"{scope.kind}s"
    if not isinstance(value, dict) or name not in value:
        raise Rejected("not_a_page", name, "the answer does not have this list")
    return rows_of(php.entries(value[name]), name)


def _place_of(scope: PullScope, row: dict[str, Any]) -> _Place:
    own = php.readable_id(row.get("id"))
    if own is None:
        raise Rejected("not_a_page", "id", "a row without its id")
    if scope.reads is not PullPass.CHANGED:
        return _Place("", int(own))
    return _Place(_as_written(row.get("date_upd")), int(own))


def _as_written(value: object) -> str:
    try:
        return datetime.strptime(str(value).strip(), _FORMAT).strftime(_FORMAT)  # noqa: DTZ007 - the shop's own
    except ValueError:
        raise Rejected("invalid_date", "date_upd", "not a date as PrestaShop writes them") from None


def _is_further(own: _Place, place: _Place) -> bool:
    return own.changed >= place.changed and own.number > place.number


def _following(
    settings: PrestashopSettings, scope: PullScope, place: _Place, further: Sequence[_Place]
) -> _Place | None:
    """The rows behind those of a page; None where there are none."""
    if not place.changed:
        return max(further) if further else None
    same = [own for own in further if own.changed == place.changed]
    if place.number and same:  # of one second: more of it
        return max(same)
    if place.number:  # no more of it
        behind = _second_after(place.changed)
        return _Place(behind) if behind <= _window(settings, scope)[1] else None
    return max(further) if further else None


def _second_after(changed: str) -> str:
    at = datetime.strptime(changed, _FORMAT)  # noqa: DTZ007 - the shop's own time
    return (at + timedelta(seconds=1)).strftime(_FORMAT)


def _row(settings: PrestashopSettings, scope: PullScope, number: int, row: dict[str, Any]) -> PulledRow:
    own, topic = str(number), f"{FETCHED}{scope.kind}"
    if scope.reads is PullPass.PRESENT:
        return PulledRow(own, topic, b"", None)
    if scope.reads is PullPass.CONSENT:  # few fields are another statement: rows are compared by topic
        topic = f"{FETCHED}consent"
    changed = moment(row, "date_upd", settings.timezone, [])
    document = without(orjson.dumps({str(scope.kind): row}), WITHHELD)
    body = pack([(api.document_path(scope.kind, own, settings), FOUND, document)])
    placed = placed_ms(scope.kind, lambda: moment(row, "date_add", settings.timezone, []))
    return PulledRow(own, topic, body, None if changed is None else epoch_ms(changed), placed)


PULL: ShopPull[PrestashopSettings] = ShopPull(
    passes={
        Kind.ORDER: (PullPass.CHANGED, PullPass.FULL),
        Kind.CUSTOMER: (PullPass.CHANGED, PullPass.FULL, PullPass.CONSENT, PullPass.PRESENT),
        Kind.PRODUCT: (PullPass.CHANGED, PullPass.FULL, PullPass.PRESENT),
    },
    first=first,
    read=read,
    needs=needs,
    overlap=3_720.0,
    lag=60.0,
    effort={Kind.CUSTOMER: 0.01, Kind.PRODUCT: 2.0, Kind.ORDER: 4.0},
    deletion=deletion,
)
