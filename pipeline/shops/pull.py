"""How a shop's API is read page by page, as its platform declares it.

Pure: the requests are made by `pipeline/sync`. Each row becomes an event of `shop.*` in the form in which the
shop's webhook, or the look-up of a notification, would have brought it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import parse_qsl

from pipeline.events import Kind
from pipeline.shops.api import ApiRequest, Documents, pack
from pipeline.shops.base import Rejected, StoreOf
from pipeline.shops.settings import StoreSettings
from pipeline.shops.values import epoch_ms

SettingsT = TypeVar("SettingsT", bound=StoreSettings)


class PullPass(enum.StrEnum):
    """What a pull reads."""

    CHANGED = "changed"  # what is new or was modified within the window, whole
    FULL = "full"  # everything, whole
    CONSENT = "consent"  # who of all customers subscribes, as light as the API allows
    PRESENT = "present"  # which ids there are, as light as the API allows: what is missing was deleted


class PullScope(NamedTuple):
    """One pass over one kind.

    Attributes:
        kind: of the entities.
        reads: what.
        since_ms: the window's begin on the shop's clock, in epoch milliseconds; None: from the beginning.
        until_ms: its end; rows modified later are left to the next pull.
    """

    kind: Kind
    reads: PullPass
    since_ms: int | None
    until_ms: int


class PulledRow(NamedTuple):
    """One entity of a page.

    Attributes:
        entity: its id, as in the events of the platform's webhooks.
        topic: of the event: a webhook's, or one that begins with `FETCHED`.
        body: of the event; b"" in a pass that only reads ids.
        modified_ms: when the shop last changed it; None where it does not say.
        placed_ms: of an order, when it was placed; None where it does not say.
    """

    entity: str
    topic: str
    body: bytes
    modified_ms: int | None
    placed_ms: int | None = None


class PullAnswer(NamedTuple):
    """What the shop answered to the request for a page.

    Attributes:
        value: what the JSON says.
        headers: of the answer, names in lower case.
    """

    value: Any
    headers: Mapping[str, str]


class PullPage(NamedTuple):
    """What a page says.

    Attributes:
        rows: in the shop's order.
        following: the request for the next page, which names where this one ended, not a page's number, where
            the shop allows; None: this was the last.
        lookups: paths that must be asked to complete a row, by the row's place; its body is made of them, as
            that of an event that was fetched, behind the documents that it has already: `completed`.
        parts: requests for what belongs to rows of this page and is read as pages of its own, before
            `following`; one that is not there (404) has no rows.
        total: rows of the whole pass, as the shop counts them; only shown, never relied on.
        dropped: rows that cannot be completed, and are left out.
    """

    rows: Sequence[PulledRow]
    following: ApiRequest | None
    lookups: Sequence[tuple[int, Sequence[str]]] = ()
    parts: Sequence[ApiRequest] = ()
    total: int | None = None
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class ShopPull(Generic[SettingsT]):
    """A platform's pages. Its functions are pure.

    Attributes:
        passes: what can be read of each kind.
        first: the request for the first page.
        read: the page in an answer. What it must remember from page to page is in `ApiRequest.note`.

            Raises `pipeline.shops.base.Rejected` where the answer is no such page.
        needs: which paths must still be asked to complete a row, given the documents that its body has and
            those that were answered since: as `ShopApi.needs`, asked after each round of answers, but not in
            a pass that reads ids or consents only. Left out, `PullPage.lookups` names them all.
        overlap: seconds by which a window begins before the end of the one before: the shop's index lags, or
            its dates are of another clock.
        lag: seconds by which a window ends before the shop's now.
        by_placing: whether a full pass with a begin lists the orders that were placed since then. Left out,
            all that changed since then are read for these.
        horizon: seconds back that the shop lists without further rights; None: all.
        ready: whether the store's settings let its API be read; left out, they do.
        deletion: topic and body of the webhook that says that an entity is gone; None where the platform has
            none of that kind. Left out, what is missing is not looked for.
        restored: topics under which an entity that was gone is told again, where its own clock may be older
            than the deletion.
        headers: what the webhooks of a store of these settings say beside their bodies, of where they belong.
        effort: what one row of each kind takes beside those of the others, roughly: requests with those for
            what it lacks, or points. Only shown, as the time that is left. Left out, all take as much.
        instead: another form of a request that was refused (its status is given) or failed repeatedly (0):
            fewer rows, or what older versions of the shop understand; None where there is none.
    """

    passes: Mapping[Kind, tuple[PullPass, ...]]
    first: Callable[[SettingsT, PullScope], ApiRequest]
    read: Callable[[SettingsT, PullScope, ApiRequest, PullAnswer], PullPage]
    needs: Callable[[PulledRow, Documents, StoreOf[SettingsT]], Sequence[str]] | None = None
    overlap: float = 300.0
    lag: float = 60.0
    by_placing: bool = False
    horizon: float | None = None
    ready: Callable[[SettingsT], bool] = lambda _: True
    deletion: Callable[[Kind, str], tuple[str, bytes] | None] | None = None
    restored: Mapping[Kind, str] = field(default_factory=dict)
    headers: Callable[[SettingsT], Mapping[str, str]] = lambda _: {}
    effort: Mapping[Kind, float] = field(default_factory=dict)
    instead: Callable[[SettingsT, PullScope, ApiRequest, int], ApiRequest | None] | None = None


_DOCUMENTS, _END = b'{"documents":[', b"]}"


def completed(row: PulledRow, answers: Sequence[tuple[str, int, bytes]]) -> PulledRow:
    """The row with what was asked for it, behind the documents that its body has already.

    Args:
        row: as `PullPage.rows` has it.
        answers: path, status and raw body of each, as for `pipeline.shops.api.fetched_event`.
    """
    if not answers:
        return row
    has = row.body.removeprefix(_DOCUMENTS).removesuffix(_END)
    asked = pack(answers)
    return row._replace(body=_DOCUMENTS + has + b"," + asked.removeprefix(_DOCUMENTS) if has else asked)


def placed_ms(kind: Kind, read: Callable[[], datetime | None]) -> int | None:
    """When an order was placed, for `PulledRow`; what cannot be read is a matter of the row's event.

    Args:
        kind: of the row.
        read: the moment that it says.
    """
    if kind is not Kind.ORDER:
        return None
    try:
        found = read()
    except Rejected:
        return None
    return None if found is None else epoch_ms(found)


#: Rows of one page: more than any platform's largest.
MAX_ROWS = 5_000


def rows_of(value: object, name: str) -> list[dict[str, Any]]:
    """The rows of a page.

    Args:
        value: what stands where they belong.
        name: where that is.

    Raises:
        Rejected: `not_a_page`.
    """
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise Rejected("not_a_page", name, "no list of objects")
    if len(value) > MAX_ROWS:
        raise Rejected("not_a_page", name, f"{len(value):,} rows, more than {MAX_ROWS:,}")
    return value


def query_of(request: ApiRequest) -> dict[str, str]:
    """What a request's address asks for: where a page begins stands there, or in its note."""
    return dict(parse_qsl(request.path.partition("?")[2], keep_blank_values=True, max_num_fields=100))
