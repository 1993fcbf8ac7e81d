"""How a shop's API is read page by page, as its platform declares it.

Pure: the requests are made by `pipeline/sync`. Each row becomes an event of `shop.*` in the form in which the
shop's webhook, or the look-up of a notification, would have brought it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from pipeline.events import Kind
from pipeline.shops.api import ApiRequest
from pipeline.shops.settings import StoreSettings

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
    """

    entity: str
    topic: str
    body: bytes
    modified_ms: int | None


class PullPage(NamedTuple):
    """What a page says.

    Attributes:
        rows: in the shop's order.
        following: the request for the next page, which names where this one ended, not a page's number, where
            the shop allows; None: this was the last.
        lookups: paths that must be asked to complete a row, by the row's place; its body is made of them.
    """

    rows: Sequence[PulledRow]
    following: ApiRequest | None
    lookups: Sequence[tuple[int, Sequence[str]]] = ()


@dataclass(frozen=True, slots=True)
class ShopPull(Generic[SettingsT]):
    """A platform's pages. Its functions are pure.

    Attributes:
        passes: what can be read of each kind.
        first: the request for the first page.
        read: the page in an answer.

            Raises `pipeline.shops.base.Rejected` where the answer is no such page.
        overlap: seconds by which a window begins before the end of the one before: the shop's index lags, or
            its dates are of another clock.
        horizon: seconds back that the shop lists without further rights; None: all.
    """

    passes: dict[Kind, tuple[PullPass, ...]]
    first: Callable[[SettingsT, PullScope], ApiRequest]
    read: Callable[[SettingsT, PullScope, ApiRequest, Any], PullPage]
    overlap: float = 300.0
    horizon: float | None = None
