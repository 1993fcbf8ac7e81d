"""Kafka messages of `shop.*` -> events and the feeds they belong to; and what is written about the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from pipeline.config import Settings
from pipeline.events import Kind, RawEvent
from pipeline.shops.base import Rejected, ShopAdapter, StoreContext
from pipeline.translate.rules import Feed, Place

#: The store of what cannot be told to be any store's, in the account and in metrics.
UNKNOWN = "unknown"
#: Room that a dead letter's own headers need.
LETTER_OVERHEAD = 16_384
#: No clock of ours or of a shop's shows more milliseconds; the state keeps 64 bits.
MAX_MS = 2**53

#: As aiokafka gives them; Kafka allows a header without a value.
Headers = Sequence[tuple[str, bytes | None]]


class Message(Protocol):
    """A Kafka message; aiokafka's records are some."""

    @property
    def key(self) -> bytes | None:
        """As in Kafka."""

    @property
    def value(self) -> bytes | None:
        """As in Kafka."""

    @property
    def headers(self) -> Headers:
        """As in Kafka."""


class Letter(NamedTuple):
    """A dead letter."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def feeds(settings: Settings, adapters: Mapping[str, ShopAdapter]) -> dict[str, Feed]:
    """Every store of the settings."""
    return {
        name: Feed(
            context=StoreContext(
                name, store, account.currency, account.purchases_since, account.coupon_field
            ),
            adapter=adapters[store.platform],
            account=store.account,
            recent_deliveries=settings.translate.recent_deliveries,
            accounts=frozenset(settings.accounts),
        )
        for name, store in settings.stores.items()
        for account in (settings.accounts[store.account],)
    }


def read(
    key: bytes | None, value: bytes | None, headers: Headers, kind: Kind, known: Mapping[str, Feed]
) -> tuple[RawEvent, Feed]:
    """The event in a message of the topic of `kind`, and its store.

    Raises:
        Rejected: `not_an_event`, `wrong_topic`, `unknown_store`, `wrong_platform`, `wrong_key`.
    """
    try:
        event = RawEvent.from_kafka(value, headers)  # type: ignore[arg-type]  # None is refused below
    except (ValueError, AttributeError) as error:
        raise Rejected("not_an_event", detail=str(error)[:200]) from None
    if not (0 <= event.received_ms < MAX_MS and 0 <= event.triggered_ms < MAX_MS):
        raise Rejected("not_an_event", detail="it arrived at no possible time")
    if event.kind is not kind:
        raise Rejected("wrong_topic", detail=f"an event of kind {event.kind} in {kind.topic}")
    feed = known.get(event.store)
    if feed is None:
        raise Rejected("unknown_store", detail="the store is not in the settings")
    if event.platform != feed.adapter.platform:
        raise Rejected(
            "wrong_platform", detail=f"sent as {event.platform}, the store is {feed.adapter.platform}"
        )
    if key != event.key:
        raise Rejected("wrong_key", detail="the message key is not store|kind|entity")
    return event, feed


def store_of(headers: Headers, known: Mapping[str, Feed]) -> str:
    """The store a message says it is of, if the settings have it: for the account and the dead letter."""
    for name, value in headers:
        if name == "pipeline-store":
            store = (value or b"").decode(errors="replace")
            return store if store in known else UNKNOWN
    return UNKNOWN


def dead_letter(
    message: Message,
    rejected: Rejected,
    place: Place,
    *,
    account: str,
    at_ms: int,
    max_bytes: int,
) -> Letter:
    """The dead letter of a message (pipeline/deadletters.py).

    A message too large to be copied is left where it lies: the letter has its place, and nothing else of it.
    """
    key, value = message.key, message.value
    own = [(name, text or b"") for name, text in message.headers if not name.startswith("dead-")]
    store = next((text for name, text in own if name == "pipeline-store"), b"")[:200]
    detail = rejected.detail
    size = len(key or b"") + len(value or b"") + sum(len(name) + len(text) + 10 for name, text in own)
    if size + LETTER_OVERHEAD > max_bytes:
        detail = f"too large to be copied here, it lies at its place; {detail}"
        key, value, own = None, None, []
    letter = {
        "dead-reason": rejected.reason,
        "dead-field": rejected.field,
        "dead-detail": detail[:1_000],
        "dead-account": account,
        "dead-stage": "translate",
        "dead-topic": place.topic,
        "dead-partition": str(place.partition),
        "dead-offset": str(place.offset),
        "dead-at": str(at_ms),
    }
    ours = [(name, text.encode(errors="replace")) for name, text in letter.items()]
    return Letter(key, value, [*own, ("dead-store", store), *ours])
