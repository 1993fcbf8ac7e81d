"""A shop platform: all that the rest of the program knows of it, declared in one object of its folder."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, TypeVar, get_args

from pydantic import SecretStr

from pipeline.events import Kind, Lane, RawEvent
from pipeline.shops.api import FETCHED, ShopApi
from pipeline.shops.base import Arrival, StoreOf, Translation, WebhookRequest
from pipeline.shops.callbacks import OURS
from pipeline.shops.consent import ShopConsent
from pipeline.shops.examination import ShopExamination
from pipeline.shops.feed import ShopFeed
from pipeline.shops.probe import ShopProbe
from pipeline.shops.pull import ShopPull
from pipeline.shops.registration import ShopRegistration
from pipeline.shops.settings import StoreSettings
from pipeline.shops.tracking import WebTracking
from pipeline.shops.values import body_hash

SettingsT = TypeVar("SettingsT", bound=StoreSettings)


class TopicMeaning(enum.StrEnum):
    """What a webhook topic says of its entity."""

    STATE = "state"  # the body is the entity as it is now
    DELETION = "deletion"  # the entity is gone
    CONSENT = "consent"  # what a person said of newsletters, on a clock of its own
    NOTIFICATION = "notification"  # names an entity only; its document is fetched, and follows as an event
    PRIVACY = "privacy"  # a request to erase or to show a person's data; for an operator to answer
    IGNORED = "ignored"  # nothing follows from it


#: Topics of these meanings make no records; each says why.
WITHOUT_RECORDS = frozenset({TopicMeaning.NOTIFICATION, TopicMeaning.PRIVACY, TopicMeaning.IGNORED})


@dataclass(frozen=True, slots=True)
class WebhookTopic:
    """One kind of webhook a platform sends.

    Attributes:
        name: as `Arrival.topic` has it; with `*` at the end, whatever begins so and has no row of its own.
        kind: of the entity it is about.
        meaning: what it says of the entity.
        menu: what the shop's own menu calls it, where a merchant is asked to make it; "" where not.
        setting: the only setting that needs it; "" where it is always needed.
        said_by: another topic, which is asked for and says the same: this one is read where it comes.
        reason: of a topic that makes no records: the metric's label.
    """

    name: str
    kind: Kind
    meaning: TopicMeaning = TopicMeaning.STATE
    menu: str = ""
    setting: str = ""
    said_by: str = ""
    reason: str = ""


TopicT = TypeVar("TopicT", bound=WebhookTopic)


class TopicTable(Generic[TopicT]):
    """A platform's topics, in the order of its documentation.

    Args:
        rows: the topics, each name once.
    """

    def __init__(self, rows: Sequence[TopicT]) -> None:
        self.rows = tuple(rows)
        self._exact = {row.name: row for row in rows if not row.name.endswith("*")}
        open_ended = sorted((row for row in rows if row.name.endswith("*")), key=lambda row: -len(row.name))
        self._beginnings = [(row.name[:-1], row) for row in open_ended]
        self._deletions = {row.name for row in rows if row.meaning is TopicMeaning.DELETION}

    def get(self, name: str) -> TopicT | None:
        """The row of a topic; None where there is none."""
        found = self._exact.get(name)
        if found is not None:
            return found
        return next((row for beginning, row in self._beginnings if name.startswith(beginning)), None)

    def is_deletion(self, name: str) -> bool:
        """Whether the topic says that the entity is gone."""
        return name in self._deletions

    def asked_for(self) -> list[TopicT]:
        """The webhooks that a merchant is asked to make in the shop."""
        return [row for row in self.rows if row.menu]

    def wanted_by(self, settings: StoreSettings) -> list[str]:
        """The names of the webhooks that a store of these settings needs."""
        deleted = settings.on_customer_deleted == "delete"
        return [row.name for row in self.asked_for() if not row.setting or deleted]


class Ability(enum.StrEnum):
    """What can be done with a platform's shops."""

    RECEIVE = "receive"  # take its webhooks
    FETCH = "fetch"  # ask its API for what a webhook only names
    PULL = "pull"  # read orders, customers and products from its API
    WRITE_BACK = "write back"  # write unsubscriptions back to the shop
    REGISTER = "register"  # make the webhooks in the shop


class IdForm(enum.StrEnum):
    """What the ids of a platform's orders, customers and products look like."""

    TEXT = "text"  # anything
    NUMBER = "number"  # digits
    UNIQUE_NUMBER = "unique number"  # digits that no other shop of the platform has


#: Where something stands in a body: the fields on the way to it.
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PersonFields:
    """Where bodies of orders and customers name the person they are about.

    Attributes:
        addresses: the person's e-mail address.
        customer: in an order, the id of the customer who made it; 0 and "" are guests.
        orders: in a request to erase somebody, the ids of their orders.
        roots: where these fields begin: in the body itself, or in the document that its envelope holds.
        anywhere: whether an address that stands elsewhere in an order or customer is the person's, too: for
            shops whose documents name them in many ways, and nobody else.
    """

    addresses: tuple[Path, ...] = (
        ("email",),
        ("contact_email",),
        ("email_address",),
        ("customer_email",),
        ("subscriber_email",),
        ("customer", "email"),
        ("billing", "email"),
        ("billing_address", "email"),
    )
    customer: tuple[Path, ...] = (("customer", "id"), ("customer_id",))
    orders: tuple[Path, ...] = ()
    roots: tuple[Path, ...] = ((),)
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class Platform(Generic[SettingsT]):
    """One platform. Its functions are pure: no clock, no network, no settings but those passed in.

    Attributes:
        name: in URLs and settings.
        title: in texts for people.
        settings: the model of its stores' settings: `StoreSettings`, or a subclass with those it alone has.
        topics: every webhook topic that is known, each with its meaning.
        webhooks_menu: where the shop's own menu makes webhooks.
        signed_with: what the webhooks are signed with, and where the merchant finds it.
        product_page: the page of a product known by its id alone, with `{domain}`, `{id}` and `{sku}` in it.
        verify: whether one of the secrets signed the request: in constant time, and False for whatever it
            cannot read. It has the whole request: signatures may be of more than the body, and tokens expire.
        arrival: what a genuine request is about. It never fails: what cannot be read is stored under a hash.
            On the gateway's hot path: the whole body is parsed only where it must be.
        translate: what a stored event means; raises `Rejected` where its body cannot be used, and nothing
            else whatever the body.
        greeting: what to answer to a request without an event, such as the hello of a new webhook: a text, ""
            for any 200, None where it is no greeting. It may be unsigned, and nothing is kept. Left out,
            there are none.
        to_open: of a greeting: an address of the platform's maker that a person must open to confirm the new
            webhook; the gateway logs it. Left out, there are none.
        split: the documents of a request that may hold several, each as a request of its own, to which
            `arrival` is put; it never fails. Left out, a request is a document.
        methods: of its requests; all but POST only greet.
        abilities: what can be done with its shops.
        order_numbers: fields of an order's body with the number that people know it by: names, or paths with
            dots.
        person: where bodies name the person they are about.
        api: its shops' API, for documents that notifications only name; None where none is needed.
        pull: how its shops' API is read page by page; None where it is not.
        feed: the list of what happened that it keeps to be asked for; None where it has none.
        consent: how newsletter consent is written at its shops; None where it cannot be.
        registration: how its shops' API keeps webhooks; None where a person makes them.
        examination: what its shops' API tells of a store's set-up; None where it tells nothing.
        probe: how webhooks are made to try the way; None where they cannot be.
        tracking: what its shops' pages tell Connectif's web client.
        schemas: of its bodies, where their form is ours to say: pydantic types by the name of a file of
            `schemas/`.
        ids: of its entities: stores whose ids can meet must not share an account.
        message_id: the sender's own id in an `Arrival.delivery`, where that is more than it: another delivery
            under a used id counts, and is noted.
    """

    name: str
    title: str
    settings: type[SettingsT]
    topics: TopicTable[Any]
    webhooks_menu: str
    signed_with: str
    product_page: str
    verify: Callable[[Sequence[bytes], WebhookRequest, SettingsT], bool]
    arrival: Callable[[WebhookRequest], Arrival]
    translate: Callable[[RawEvent, StoreOf[SettingsT]], Translation]
    greeting: Callable[[WebhookRequest], str | None] | None = None
    to_open: Callable[[WebhookRequest], str | None] | None = None
    split: Callable[[WebhookRequest], Sequence[WebhookRequest]] | None = None
    methods: frozenset[str] = frozenset({"POST"})
    abilities: frozenset[Ability] = frozenset({Ability.RECEIVE})
    order_numbers: tuple[str, ...] = ()
    person: PersonFields = PersonFields()
    api: ShopApi[SettingsT] | None = None
    pull: ShopPull[SettingsT] | None = None
    feed: ShopFeed[SettingsT] | None = None
    consent: ShopConsent[SettingsT] | None = None
    registration: ShopRegistration[SettingsT] | None = None
    examination: ShopExamination[SettingsT] | None = None
    probe: ShopProbe[SettingsT] | None = None
    tracking: WebTracking = field(default_factory=WebTracking)
    schemas: Mapping[str, Any] = field(default_factory=dict)
    ids: IdForm = IdForm.TEXT
    message_id: Callable[[str], str] | None = None

    def store(
        self,
        name: str,
        settings: SettingsT,
        *,
        currency: str | None = None,
        purchases_since: date | None = None,
        coupon_field: str | None = None,
        languages: tuple[str, ...] = (),
    ) -> StoreOf[SettingsT]:
        """A store of this platform, as `translate` sees it; all but name and settings are its account's."""
        return StoreOf(
            name,
            settings,
            currency,
            purchases_since,
            coupon_field,
            product_page=settings.product_url or self.product_page,
            languages=languages,
        )

    def asks(self, settings: SettingsT) -> bool:
        """Whether the API of a store with these settings is asked for anything, or statements are to be."""
        if settings.callbacks:
            return True
        if self.api is None:
            return False
        return Ability.FETCH in self.abilities or self.pulled(settings) is not None

    def pulled(self, settings: SettingsT) -> ShopPull[SettingsT] | None:
        """How the API of a store with these settings is read; None where it is not."""
        return self.pull if self.pull is not None and self.pull.ready(settings) else None

    def lists_orders(self, settings: SettingsT) -> bool:
        """Whether the shop of a store with these settings can be asked for its orders, page by page."""
        pull = self.pulled(settings)
        return pull is not None and Kind.ORDER in pull.passes

    @property
    def own_settings(self) -> frozenset[str]:
        """Names of the settings that not every platform's stores have."""
        return frozenset(self.settings.model_fields) - frozenset(StoreSettings.model_fields)

    @property
    def secret_settings(self) -> frozenset[str]:
        """Names of the settings that are secrets, or lists of them."""
        fields = self.settings.model_fields.items()
        return frozenset(name for name, field in fields if _holds_secrets(field.annotation))


def _holds_secrets(annotation: object) -> bool:
    return annotation is SecretStr or any(map(_holds_secrets, get_args(annotation)))


#: A platform whose settings are not looked into.
AnyPlatform = Platform[Any]


#: Longest topic, delivery and header that is kept: no platform's come near, and the headers are not signed: a
#: sender that has a signed body can put anything into them.
TEXT_LIMIT = 500


def delivery_by_content(topic: str, row: WebhookTopic | None, request: WebhookRequest) -> str:
    """The delivery of a request that names none: two of one topic and body are one.

    A whole document says when it changed, so that the same again is a repeat. A notification does not: two
    may be the same to the byte and each be news; the moment tells them apart.
    """
    news = row is not None and row.meaning is TopicMeaning.NOTIFICATION
    moment = b"%d\n" % request.received_ms if news else b""
    return body_hash(topic.encode(errors="replace") + b"\n" + moment + request.body)


def raw_event(store: str, platform: AnyPlatform, request: WebhookRequest, lane: Lane = Lane.LIVE) -> RawEvent:
    """What is kept of a genuine request to `store`: of one document, where a platform has `split`.

    The shop cannot have said it later than it arrived: a clock ahead, or a forged header, would make an event
    win over all that follows.
    """
    arrival = platform.arrival(request)
    delivery, kept = arrival.delivery, arrival.headers
    topic = arrival.topic[:TEXT_LIMIT]
    if topic.startswith(
        (FETCHED, *OURS)
    ):  # a topic may be a header that nobody signed: no sender speaks for the API or Connectif
        topic = f"webhook:{topic}"
    if len(delivery) > TEXT_LIMIT:
        delivery = body_hash(delivery.encode())
    if len("".join(kept.values())) > TEXT_LIMIT:
        kept = {name: value[:TEXT_LIMIT] for name, value in kept.items()}
    return RawEvent(
        store=store,
        platform=platform.name,
        kind=arrival.kind,
        entity=arrival.entity,
        topic=topic,
        delivery=delivery,
        received_ms=request.received_ms,
        body=request.body,
        triggered_ms=min(arrival.triggered_ms, request.received_ms),
        lane=lane,
        headers=dict(kept),
    )
