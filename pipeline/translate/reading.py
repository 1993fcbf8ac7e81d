"""Kafka messages of `shop.*` -> events and the feeds they belong to; and what is written about the others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from pipeline.config import Settings
from pipeline.events import Kind, RawEvent
from pipeline.kafka import deadletters
from pipeline.kafka.deadletters import DeadLetter
from pipeline.kafka.keys import is_key_of
from pipeline.kafka.messages import Headers
from pipeline.kafka.replays import ReplayMark
from pipeline.shops.base import Rejected, StoreContext
from pipeline.shops.platform import AnyPlatform
from pipeline.shops.settings import NONE_SAID, RouteSettings, StoreSettings
from pipeline.translate.feed import FeedRoute
from pipeline.translate.rules import EventPosition, Feed

#: The store, in tallies and metrics, of events whose store cannot be determined.
UNKNOWN = "unknown"
#: Largest plausible moment, in epoch milliseconds; the state keeps 64 bits.
MAX_MS = 2**53

#: As the settings allow them (pipeline/config.py): no gateway lets an event of another name through.
_STORE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class UnknownStore(Exception):  # noqa: N818 - about a message, not a failure of ours
    """An event that a gateway accepted, of a store that these settings do not have (yet)."""

    def __init__(self, store: str) -> None:
        super().__init__(store)
        self.store = store


def feeds(settings: Settings, platforms: Mapping[str, AnyPlatform]) -> dict[str, Feed]:
    """Every store of the settings."""
    return {
        name: _feed(name, store, settings, platforms[store.platform])
        for name, store in settings.stores.items()
    }


def _feed(name: str, store: StoreSettings, settings: Settings, platform: AnyPlatform) -> Feed:
    def context(account: str, languages: tuple[str, ...] = ()) -> StoreContext:
        known = settings.accounts[account]
        return platform.store(
            name,
            store,
            currency=known.currency,
            purchases_since=known.purchases_since,
            coupon_field=known.coupon_field,
            languages=languages,
        )

    languages = {route: _languages(conditions) for route, conditions in _conditions(store).items()}
    return Feed(
        context=platform.store(name, store) if store.routes else context(store.accounts[0]),
        platform=platform,
        account=store.accounts[0],
        recent_deliveries=settings.translate.recent_deliveries,
        accounts=frozenset(settings.accounts),
        routes=tuple(
            FeedRoute(account, conditions, context(account, languages[account]))
            for account, conditions in _conditions(store).items()
        ),
        languages=frozenset(one for named in languages.values() for one in named),
    )


def _conditions(store: StoreSettings) -> dict[str, tuple[RouteSettings, ...]]:
    """The routes to each account, in their order."""
    found: dict[str, tuple[RouteSettings, ...]] = {}
    for route in store.routes:
        found[route.account] = (*found.get(route.account, ()), route)
    return found


def _languages(conditions: tuple[RouteSettings, ...]) -> tuple[str, ...]:
    named = (language for route in conditions for language in route.language if language != NONE_SAID)
    return tuple(dict.fromkeys(named))


@dataclass(frozen=True, slots=True)
class Stores:
    """What is known of stores.

    Attributes:
        feeds: those of the settings.
        platforms: that a gateway takes events of.
        retired: stores that were in the settings once, and are not to come back.
        refused: stores whose settings cannot be used as they are.
    """

    feeds: Mapping[str, Feed]
    platforms: AbstractSet[str] = frozenset()
    retired: AbstractSet[str] = frozenset()
    refused: AbstractSet[str] = frozenset()

    def of(self, event: RawEvent, key: bytes | None) -> Feed:
        """The event's store.

        Raises:
            UnknownStore: a gateway knew it, and these settings do not: they are older than the gateway's.
            Rejected: it is retired, its settings cannot be used, or no gateway would have let it through.
        """
        feed = self.feeds.get(event.store)
        if feed is not None:
            return feed
        if event.store in self.retired:
            raise Rejected("retired_store", detail="the store is one of translate.retired_stores")
        if event.store in self.refused:
            raise Rejected("refused_store", detail="the store's settings cannot be used: `pipeline validate`")
        genuine = event.platform in self.platforms and event.entity and event.delivery
        if genuine and is_key_of(key, event.key) and _STORE.fullmatch(event.store):
            raise UnknownStore(event.store)
        raise Rejected("unknown_store", detail="the store is not in the settings, nor was it ever")


def stores_of(settings: Settings, platforms: Mapping[str, AnyPlatform]) -> Stores:
    """What the settings say of stores."""
    return Stores(
        feeds(settings, platforms),
        frozenset(platforms),
        settings.translate.retired_stores,
        frozenset(settings.refused_stores),
    )


def read(
    key: bytes | None, value: bytes | None, headers: Headers, kind: Kind, known: Stores
) -> tuple[RawEvent, Feed]:
    """The event in a message of the topic of `kind`, and its store.

    Raises:
        Rejected: `not_an_event`, `wrong_topic`, `unknown_store`, `retired_store`, `refused_store`,
            `wrong_platform`, `wrong_key`.
        UnknownStore: see `Stores.of`.
    """
    try:
        event = RawEvent.from_kafka(value, headers)  # type: ignore[arg-type]  # None is refused below
    except (ValueError, AttributeError) as error:
        raise Rejected("not_an_event", detail=str(error)[:200]) from None
    if not (0 <= event.received_ms < MAX_MS and 0 <= event.triggered_ms < MAX_MS):
        raise Rejected("not_an_event", detail="it arrived at no possible time")
    if event.triggered_ms > event.received_ms:  # its header is not signed, and nothing is sent after it came
        event = replace(event, triggered_ms=event.received_ms)
    if event.kind is not kind:
        raise Rejected("wrong_topic", detail=f"an event of kind {event.kind} in {kind.topic}")
    feed = known.of(event, key)
    if event.platform != feed.platform.name:
        raise Rejected(
            "wrong_platform", detail=f"sent as {event.platform}, the store is {feed.platform.name}"
        )
    if not is_key_of(key, event.key):
        raise Rejected("wrong_key", detail="the message key is not of store|kind|entity")
    return event, feed


def mark_of(headers: Headers, partition: int) -> tuple[ReplayMark, Kind]:
    """Which event a replay's message repeats, and of which kind.

    Raises:
        Rejected: `not_a_replay`.
    """
    try:
        mark = ReplayMark.of(headers)
    except ValueError as error:
        raise Rejected("not_a_replay", detail=str(error)[:200]) from None
    kind = next((kind for kind in Kind if kind.topic == mark.topic), None)
    if kind is None:
        raise Rejected("not_a_replay", detail="it repeats no event of shop.*")
    if mark.partition != partition:
        # Its entity's memory is another worker's, and its offset says nothing here.
        raise Rejected("not_a_replay", detail=f"an event of partition {mark.partition} in {partition}")
    return mark, kind


def store_of(headers: Headers, known: Mapping[str, Feed]) -> str:
    """The store a message says it is of, if the settings have it: for the account and the dead letter."""
    for name, value in headers:
        if name == "pipeline-store":
            store = (value or b"").decode(errors="replace")
            return store if store in known else UNKNOWN
    return UNKNOWN


def dead_letter(
    message: deadletters.Content,
    rejected: Rejected,
    place: EventPosition,
    *,
    account: str,
    at_ms: int,
    max_bytes: int,
) -> DeadLetter:
    """The dead letter of a message (pipeline/kafka/deadletters.py)."""
    store = next((text or b"" for name, text in message.headers if name == "pipeline-store"), b"")
    return deadletters.dead_letter(
        message,
        max_bytes=max_bytes,
        reason=rejected.reason,
        field=rejected.field,
        detail=rejected.detail,
        store=store[:200].decode(errors="replace"),
        account=account,
        stage="translate",
        topic=place.topic,
        partition=place.partition,
        offset=place.offset,
        at_ms=at_ms,
    )
