"""What every shop platform must answer: is this delivery genuine, what is it about, what does it mean."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Protocol

from pipeline.config import StoreSettings
from pipeline.events import Kind, Lane, RawEvent
from pipeline.records import Contact, Op, Origin, Product, Purchase, RecordKind

#: The clock of the entity itself (`updated_at`); `CONSENT_CLOCK` orders what a person said of newsletters.
ENTITY_CLOCK = "entity"
CONSENT_CLOCK = "consent"


class Rejected(Exception):  # noqa: N818 - a verdict, not a failure of ours
    """A body that cannot become records; it goes to dead letters.

    Args:
        reason: one of a bounded set of snake_case words (`invalid_json`, `no_email`, `missing_field`,
            `invalid_money`, `invalid_date`, `currency_mismatch`, ...): a metric label.
        field: the body's field, as a dotted path.
        detail: a sentence for the operator, without personal data.
    """

    def __init__(self, reason: str, field: str = "", detail: str = "") -> None:
        super().__init__(f"{reason} ({field}): {detail}" if field else f"{reason}: {detail}")
        self.reason = reason
        self.field = field
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the gateway must know of a verified delivery to store it: `RawEvent` without our own clock."""

    kind: Kind
    entity: str
    topic: str
    delivery: str
    triggered_ms: int = 0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoreContext:
    """The store an event belongs to; all but its name and settings are its account's."""

    name: str
    settings: StoreSettings
    currency: str | None = None
    purchases_since: date | None = None
    coupon_field: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A record as the body alone gives it; the translate stage adds account, source and lane.

    `id` is None where the body does not say it (deletions name only the shop's id): the stage takes every id
    of that kind that it emitted for this entity, one draft each, and makes the smallest body that holds it.
    `if_emitted` drafts are dropped where this entity never emitted such a record.
    `coupons` are the discount codes a purchase was made with: Connectif is not told them with it.
    `owner` is the `kind|id` whose record it is, where that is not the event's entity: an order's contact is
    its customer's. `said_ms` is the moment a draft speaks of where that is not the translation's version: an
    order describes its buyer as of its placement.
    """

    kind: RecordKind
    id: str | None
    origin: Origin
    body: Contact | Product | Purchase | None
    op: Op = Op.UPSERT
    notes: tuple[str, ...] = ()
    if_emitted: bool = False
    coupons: tuple[str, ...] = ()
    owner: str = ""
    said_ms: int = 0


@dataclass(frozen=True, slots=True)
class Translation:
    """The meaning of one event: the entity's version and what Connectif should hold because of it.

    Attributes:
        version: the shop's clock for the entity, epoch milliseconds; 0 where the event has no part in that
            clock (a refund beside its order): then it is neither compared nor remembered.
        drafts: contacts and products before the purchase that needs them.
        ignored: where drafts are empty or all dropped: why nothing follows (a metric label).
        clock: the clock `version` was read from. Versions are compared and remembered per entity and clock,
            never across: a newer `updated_at` of a customer does not make a late consent statement stale,
            nor the other way round.
    """

    version: int
    drafts: tuple[Draft, ...] = ()
    ignored: str = "nothing_to_tell"
    clock: str = ENTITY_CLOCK


def noted(translation: Translation, notes: Sequence[str]) -> Translation:
    """The translation with notes that concern its whole body on each of its drafts."""
    if not notes:
        return translation
    drafts = tuple(
        replace(draft, notes=tuple(dict.fromkeys((*draft.notes, *notes)))) for draft in translation.drafts
    )
    return replace(translation, drafts=drafts)


class ShopAdapter(Protocol):
    """One platform. Stateless and pure: no clock, no network, no settings but those passed in."""

    @property
    def platform(self) -> str:
        """The name used in URLs and settings."""

    def verify(self, secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes) -> bool:
        """Whether one of the secrets signed these raw bytes; constant time. Header names in lower case."""

    def is_ping(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether this is the platform's unsigned hello, which gets a 200 and publishes nothing."""

    def arrival(self, headers: Mapping[str, str], body: bytes) -> Arrival:
        """What a verified delivery is about. Never fails: what it cannot read, it stores under a hash.

        On the hot path of the gateway: avoids parsing the whole body where it safely can.
        """

    def translate(self, event: RawEvent, store: StoreContext) -> Translation:
        """What the event means.

        Raises:
            Rejected: the body cannot be used; nothing else is ever raised, whatever the body.
        """


#: Records that one event may make, and lines, variants and variations that are read: orders have hundreds.
MAX_RECORDS = 5_000


def require_few(entries: Sequence[object], field: str) -> None:
    """That no more are listed than an event may make records of; said before any of them is read.

    Raises:
        Rejected: `too_many_records`.
    """
    if len(entries) > MAX_RECORDS:
        raise Rejected("too_many_records", field, f"{len(entries):,} of them, more than {MAX_RECORDS:,}")


#: Longest topic, delivery and header that is kept: no platform's come near, and whoever holds a signed body
#: can put anything into the headers, which nobody signs.
TEXT_LIMIT = 500


def raw_event(  # noqa: PLR0917 - positional: once per webhook
    store: str,
    adapter: ShopAdapter,
    headers: Mapping[str, str],
    body: bytes,
    received_ms: int,
    lane: Lane = Lane.LIVE,
) -> RawEvent:
    """What is kept of a verified delivery to `store`; header names in lower case.

    The shop cannot have said it later than it arrived: a clock ahead, or a forged header, would make an event
    win over all that follows.
    """
    arrival = adapter.arrival(headers, body)
    delivery, kept = arrival.delivery, arrival.headers
    if len(delivery) > TEXT_LIMIT:
        delivery = hashlib.blake2b(delivery.encode(), digest_size=16).hexdigest()
    if len("".join(kept.values())) > TEXT_LIMIT:
        kept = {name: value[:TEXT_LIMIT] for name, value in kept.items()}
    return RawEvent(
        store=store,
        platform=adapter.platform,
        kind=arrival.kind,
        entity=arrival.entity,
        topic=arrival.topic[:TEXT_LIMIT],
        delivery=delivery,
        received_ms=received_ms,
        body=body,
        triggered_ms=min(arrival.triggered_ms, received_ms),
        lane=lane,
        headers=kept,
    )
