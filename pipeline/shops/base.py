"""The arguments and results of a platform's functions: requests, arrivals, translations, rejections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from pipeline.events import Kind
from pipeline.records import Contact, Op, Origin, Product, Purchase, RecordKind
from pipeline.shops.settings import StoreSettings

#: The settings of one platform's stores.
SettingsT_co = TypeVar("SettingsT_co", bound=StoreSettings, covariant=True)

#: The clock of the entity itself (`updated_at`); `CONSENT_CLOCK` orders what a person said of newsletters.
ENTITY_CLOCK = "entity"
CONSENT_CLOCK = "consent"
#: Of a sender whose headers say nothing worth keeping.
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Rejected(Exception):  # noqa: N818 - about a body, not a failure of ours
    """A body that cannot become records; it goes to dead letters.

    Args:
        reason: one of a bounded set of snake_case names (`invalid_json`, `no_email`, `missing_field`,
            `invalid_money`, `invalid_date`, `currency_mismatch`, ...): a metric label.
        field: the body's field, as a dotted path.
        detail: a sentence for the operator, without personal data.
    """

    def __init__(self, reason: str, field: str = "", detail: str = "") -> None:
        super().__init__(f"{reason} ({field}): {detail}" if field else f"{reason}: {detail}")
        self.reason = reason
        self.field = field
        self.detail = detail


class WebhookRequest(NamedTuple):
    """What a shop sent over HTTP.

    Attributes:
        headers: names in lower case.
        body: the bytes as they came: what most shops sign.
        received_ms: when it came, epoch milliseconds: for signatures and tokens that expire.
        query: what stood behind the path's `?`, as it came.
        method: `POST`, or another one of `Platform.methods`.
    """

    headers: Mapping[str, str]
    body: bytes
    received_ms: int = 0
    query: str = ""
    method: str = "POST"


class Arrival(NamedTuple):
    """What the gateway must know of a verified delivery to store it: `RawEvent` without our own clock."""

    kind: Kind
    entity: str
    topic: str
    delivery: str
    triggered_ms: int = 0
    headers: Mapping[str, str] = NO_HEADERS


@dataclass(frozen=True, slots=True)
class StoreOf(Generic[SettingsT_co]):
    """The store an event belongs to, as `Platform.store` makes it.

    Attributes:
        name: as the settings have it.
        settings: the store's, of its platform's own model.
        currency: of its account, as are the next two.
        purchases_since: orders placed before make no purchase.
        coupon_field: the contact field that gets an order's codes.
        product_page: the form of pages of products that only orders named: the store's, else its platform's.
        languages: of the account, where the store feeds several by language: of texts in several languages
            the first of these counts.
    """

    name: str
    settings: SettingsT_co
    currency: str | None = None
    purchases_since: date | None = None
    coupon_field: str | None = None
    product_page: str = field(kw_only=True)
    languages: tuple[str, ...] = ()


#: A store of any platform.
StoreContext = StoreOf[StoreSettings]


class Look(NamedTuple):
    """Whether somebody was subscribed when the shop was looked at, where it keeps no time of that.

    The stage compares it with the look before: only a change says when it was made.

    Attributes:
        subscribed: the shop's flag.
        since_ms: since when the flag counts where it was never seen otherwise, epoch ms: a subscription from
            the customer's creation. 0 for a refusal that is no withdrawal: it is silence.
        is_dated: whether that is the shop's own date of what the flag says: then it counts at every look.
    """

    subscribed: bool
    since_ms: int
    is_dated: bool = False


class Audience(NamedTuple):
    """Where a body says that it belongs; nothing where it does not say.

    Attributes:
        languages: tags in lower case (`es`, `es-mx`).
        shops: ids or domains of shops, where one feed has several.
        currencies: of its amounts.
    """

    languages: tuple[str, ...] = ()
    shops: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()


#: Of what does not say where it belongs.
UNSAID = Audience()
_MAX_TAG = 200


def audience(language: str | None = None, shop: str | None = None, currency: str | None = None) -> Audience:
    """Where a body belongs that says one of each at most, however it writes them: `es_ES` is `es-es`."""
    if not (language or shop or currency):
        return UNSAID
    tag = language.strip().lower().replace("_", "-")[:_MAX_TAG] if language else ""
    return Audience((tag,) if tag else (), (shop,) if shop else (), (currency,) if currency else ())


class Draft(NamedTuple):
    """A record as the body alone gives it; the translate stage adds account, source and lane.

    `id` is None where the body does not say it (deletions name only the shop's id): the stage takes every id
    of that kind that it emitted for this entity, one draft each, and makes the smallest body that holds it.
    `if_emitted` drafts are dropped where this entity never emitted such a record.
    `coupons` are the discount codes a purchase was made with; they are not part of the purchase in Connectif.
    `owner` is the `kind|id` whose record it is, where that is not the event's entity: an order's contact is
    its customer's. `said_ms` is the moment a draft speaks of where that is not the translation's version: an
    order describes its buyer as of its placement. `look` stands for the contact's newsletter. `audience` says
    where it belongs, for stores that feed several accounts. `heard`: Connectif itself said it, so it is
    remembered and not sent.
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
    look: Look | None = None
    audience: Audience = UNSAID
    heard: bool = False


class Translation(NamedTuple):
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


def in_shop(translation: Translation, shop: str | None) -> Translation:
    """The translation with the shop that its request named, on each draft that names none itself."""
    if not shop:
        return translation
    drafts = tuple(
        draft if draft.audience.shops else draft._replace(audience=draft.audience._replace(shops=(shop,)))
        for draft in translation.drafts
    )
    return translation._replace(drafts=drafts)


def noted(translation: Translation, notes: Sequence[str]) -> Translation:
    """The translation with notes that concern its whole body on each of its drafts."""
    if not notes:
        return translation
    drafts = tuple(
        draft._replace(notes=tuple(dict.fromkeys((*draft.notes, *notes)))) for draft in translation.drafts
    )
    return translation._replace(drafts=drafts)


#: Records that one event may make, and lines, variants and variations that are read: orders have hundreds.
MAX_RECORDS = 5_000


def require_few(entries: Sequence[object], field: str) -> None:
    """That no more are listed than an event may make records of; said before any of them is read.

    Raises:
        Rejected: `too_many_records`.
    """
    if len(entries) > MAX_RECORDS:
        raise Rejected("too_many_records", field, f"{len(entries):,} of them, more than {MAX_RECORDS:,}")
