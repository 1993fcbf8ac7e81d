"""What Connectif should hold: canonical records on the `connectif.*` topics, and a receipt for each.

The message key is `account|kind|id` and a part of its own (pipeline/kafka/keys.py); the partition is chosen
by the account alone (`partition_of`), so one worker owns an account's budget and its records keep their
order.
"""

from __future__ import annotations

import enum
import zlib
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.events import Lane


class RecordKind(enum.StrEnum):
    """The four kinds of element Connectif takes."""

    CONTACT = "contact"
    PRODUCT = "product"
    PURCHASE = "purchase"
    COUPON = "coupon"

    @property
    def topic(self) -> str:
        """The Kafka topic that holds this kind's records."""
        return f"connectif.{self.value}s"


class Origin(enum.StrEnum):
    """Who said it: decides which of two statements about one contact or product is believed."""

    CUSTOMER = "customer"  # the customer's own event
    ORDER = "order"  # seen in passing, in an order
    CATALOGUE = "catalogue"  # the product's own event


class Op(enum.StrEnum):
    """What Connectif must do with the record."""

    UPSERT = "upsert"  # create or overwrite with all that the record holds
    PATCH = "patch"  # change only the fields given, and only if Connectif knows the element
    HIDE = "hide"  # a product no longer sold: outofstock and blacklisted, only if Connectif knows it
    RETRACT = "retract"  # DELETE
    ERASE = (
        "erase"  # a person is erased: a contact is deleted, and what is remembered of the record is forgotten
    )


#: What JSON writers and the tables can hold; no shop's number is beyond it.
Int = Annotated[int, Field(ge=-(2**63), lt=2**64)]


class Frozen(BaseModel):
    """Immutable, and strict about names: a typing error in a field is an error, not silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Frozen):
    """The raw event a record comes from; with the record's key it names one version of it."""

    topic: str
    partition: Int
    offset: Int


Subscription = Literal["subscribed", "unsubscribed"]
Availability = Literal["instock", "outofstock"]


class Contact(Frozen):
    """A person. A field of None is not sent: it never clears what Connectif holds."""

    email: str = Field(description="lower case; empty only where external_id identifies the person")
    external_id: str | None = None
    name: str | None = None
    surname: str | None = None
    birthdate: str | None = Field(default=None, description="yyyy-mm-dd")
    mobile_phone: str | None = Field(default=None, description="E.164")
    newsletter: Subscription | None = None
    newsletter_ms: Int | None = Field(
        default=None, description="when the person said it, epoch ms; given with newsletter"
    )
    custom: dict[str, str] = Field(default_factory=dict, description="custom contact fields, by their id")


class Product(Frozen):
    """A catalogue entry, or a stub of one where only orders named it (`Origin.ORDER`).

    `name`, `url` and `unit_price` are required to create one; only `Op.PATCH` and `Op.HIDE` leave them out.
    """

    product_id: str
    name: str | None = None
    url: str | None = None
    unit_price: Decimal | None = None
    unit_price_original: Decimal | None = None
    discounted_amount: Decimal | None = None
    discounted_percentage: Decimal | None = None
    availability: Availability | None = None
    image_url: str | None = None
    description: str | None = None
    brand: str | None = None
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    # No shop fills it, but it is in every record: without it, translate would emit all products once more.
    related: tuple[str, ...] = ()
    published_at: str | None = Field(default=None, description="ISO 8601, UTC")
    is_blacklisted: bool | None = None
    rating: Decimal | None = None
    rating_count: Int | None = None


class Line(Frozen):
    """What was bought of one product; lines of one product are merged."""

    product_id: str
    name: str
    url: str
    unit_price: Decimal = Field(description="what one unit cost after the line's own discounts")
    unit_price_original: Decimal | None = Field(default=None, description="before them")
    quantity: int = Field(ge=1, lt=2**64)
    price: Decimal = Field(description="the line's total")
    image_url: str | None = None
    brand: str | None = None
    categories: tuple[str, ...] = ()


class Purchase(Frozen):
    """A sold order. Exactly one of the two contact references is set."""

    purchase_id: str
    contact_email: str | None = None
    contact_external_id: str | None = None
    cart_id: str
    purchase_date: str = Field(description="ISO 8601, UTC; when the order was placed")
    total_price: Decimal
    total_quantity: Int
    payment_method: str | None = None
    lines: tuple[Line, ...] = ()


class Coupon(Frozen):
    """One code of a coupon set."""

    coupon_set_id: str
    code: str


class RecordBase(Frozen):
    """What all records share.

    `version` is the shop's clock in epoch milliseconds, of what an order says of its buyer the moment it was
    placed; `source` the raw event; `notes` every departure from the shop's body (something left out, rounded,
    guessed), one reason each.
    """

    account: str
    store: str
    id: str
    version: Int
    source: Source
    origin: Origin
    op: Op = Op.UPSERT
    lane: Lane = Lane.LIVE
    received_ms: Int
    notes: tuple[str, ...] = ()
    owner: str = Field(
        default="",
        description="`kind|id` of the store's customer, order or product whose record this is: two owners "
        "may name one id; neither takes back what is the other's by now",
    )
    resend: bool = Field(
        default=False,
        description="true: what looks the same as Connectif was told before is sent all the same: it may "
        "have lost it",
    )


class ContactRecord(RecordBase):
    """`id` is the e-mail address, lower case, or the external id where there is none."""

    kind: Literal[RecordKind.CONTACT] = RecordKind.CONTACT
    body: Contact
    heard: bool = Field(
        default=False, description="true: Connectif itself said it: it is remembered, and not sent"
    )


class ProductRecord(RecordBase):
    """`id` is the product's id at the shop."""

    kind: Literal[RecordKind.PRODUCT] = RecordKind.PRODUCT
    body: Product


class PurchaseRecord(RecordBase):
    """`id` is the purchase id; `body` is None where the purchase is retracted, or its buyer erased."""

    kind: Literal[RecordKind.PURCHASE] = RecordKind.PURCHASE
    body: Purchase | None
    trigger: bool = Field(
        default=True, description="false: it was sent under another id before, so its workflows have run"
    )
    run_workflows: bool = Field(
        default=False, description="true: it may start workflows though its lane is the backfill's"
    )


class CouponRecord(RecordBase):
    """`id` is `set/code`."""

    kind: Literal[RecordKind.COUPON] = RecordKind.COUPON
    body: Coupon


Record = Annotated[ContactRecord | ProductRecord | PurchaseRecord | CouponRecord, Field(discriminator="kind")]


class CouponUse(Frozen):
    """A discount code that a sold order used, on `coupons.used`; or that it does not use any more.

    At least once: the newest `version` of an account, store, purchase and code counts.
    """

    account: str
    store: str
    purchase_id: str
    code: str = Field(description="as the shop wrote it; shops compare codes without regard to case")
    used: bool = Field(description="false: the order is cancelled, refunded, deleted, or lost the code")
    purchase_date: str | None = Field(
        default=None, description="ISO 8601, UTC; when the order was placed; given while it is used"
    )
    version: Int = Field(description="the shop's clock in epoch milliseconds")
    source: Source
    received_ms: Int


class Outcome(enum.StrEnum):
    """How a record ended. Every accepted record ends in exactly one of these."""

    DELIVERED = "delivered"  # Connectif confirmed it, or holds it already (409)
    UNCHANGED = "unchanged"  # the same was sent before: no call was made
    SUPERSEDED = "superseded"  # a newer version replaced it before it was sent
    DEAD = "dead"  # refused for good; it lies in dead letters with the answer


class Receipt(Frozen):
    """The end of one version of one record, on `connectif.receipts`.

    At least once: after a crash the same receipt can appear twice; `record` names the version.
    """

    account: str
    store: str
    kind: RecordKind
    id: str
    version: Int
    source: Source = Field(description="the raw event the record came from")
    record: Source = Field(description="the record's own position in its connectif.* topic")
    outcome: Outcome
    reason: str = Field(default="", description="created, already, imported, ... or why it is dead")
    detail: str = Field(default="", description="Connectif's answer, shortened; no personal data")
    status: Int | None = Field(default=None, description="HTTP status of the deciding answer")
    calls: Int = Field(default=0, description="calls of the budget spent on this record alone")
    fingerprint: str = Field(default="", description="of what was sent")
    repaired: tuple[str, ...] = Field(
        default=(), description="kind|id of what Connectif had lost and was made again from this purchase"
    )
    lane: Lane
    notes: tuple[str, ...] = Field(
        default=(), description="the record's, and what was left out in sending it"
    )
    withdrawn_ms: Int | None = Field(
        default=None,
        description="when the person withdrew in Connectif, epoch ms; with the note "
        "consent_withdrawn_in_connectif `subscribed` was not sent, else what was sent is newer",
    )
    unsubscribing_ms: Int | None = Field(
        default=None,
        description="an unsubscription was sent by a call that began then, epoch ms, and ended by at_ms",
    )
    received_ms: Int
    at_ms: Int


def record_key(account: str, kind: RecordKind, record_id: str) -> bytes:
    """What a record's message key begins with, and its key in the deliver stage's tables."""
    return f"{account}|{kind}|{record_id}".encode()


def partition_of(account: str, partitions: int) -> int:
    """The partition of `connectif.*` that holds all records of an account."""
    return zlib.crc32(account.encode()) % partitions
