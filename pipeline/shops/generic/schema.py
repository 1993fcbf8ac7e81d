"""What a custom shop sends, as its developers are told: `schemas/shop-event.json` is made from these models.

They describe; they do not check. The readers beside them take more than this, and refuse what a record cannot
rest on, each with its reason.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, WithJsonSchema

Id = Annotated[str, Field(min_length=1, max_length=200)] | int
Money = (
    Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,4})?$")] | Annotated[float, Field(ge=0, le=1e12)]
)
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])]
#: ISO 8601 with an offset: local times are refused.
Moment = Annotated[
    AwareDatetime,
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": "([Zz]|[+-][0-9]{2}:?[0-9]{2})$",
            "examples": ["2024-05-06T10:15:00+02:00"],
        }
    ),
]
WebAddress = Annotated[str, Field(pattern="^https?://")]
PaymentStatus = Literal[
    "pending",
    "authorized",
    "partially_paid",
    "paid",
    "partially_refunded",
    "refunded",
    "voided",
    "failed",
    "expired",
    "unpaid",
]


class Part(BaseModel):
    """Fields that are not named here may be sent, and are ignored."""

    model_config = ConfigDict(extra="allow", defer_build=True)


class Consent(Part):
    """What a person decided about newsletters by e-mail."""

    state: Literal["subscribed", "unsubscribed", "not_subscribed", "pending", "unknown"] = Field(
        description="`subscribed` once the shop may send: with double opt-in, after the confirmation. A "
        "withdrawal is `unsubscribed`; all others say nothing"
    )
    updated_at: Moment | None = Field(
        default=None, description="when the person decided; a subscription without it counts for nothing"
    )
    source: str | None = Field(
        default=None, description="where; `connectif` for what Connectif told the shop"
    )


class MarketingConsent(Part):
    """By the way of writing to the person; only `email` is read."""

    email: Consent | None = None


class Person(Part):
    """A buyer or a customer."""

    id: Id | None = Field(default=None, description="the customer's; null for guests")
    email: str | None = Field(default=None, description="without one no contact can be made")
    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None
    phone: str | None = Field(
        default=None, description="international (`+34612345678`), or national with `country`"
    )
    country: str | None = Field(
        default=None, description="two letters, ISO 3166; of the phone", examples=["ES"]
    )
    locale: str | None = Field(
        default=None, description="language, with or without a country", examples=["es-ES"]
    )
    marketing_consent: MarketingConsent | None = None


class Line(Part):
    """One line of an order."""

    line_id: Id | None = Field(
        default=None, description="what refunds call it; one that comes twice counts once"
    )
    product_id: Id | None = Field(
        default=None, description="`id` of the product; null for what is none (a tip)"
    )
    variant_id: Id | None = None
    sku: str | None = None
    name: str = Field(description="plain text")
    quantity: Annotated[float, Field(ge=0, le=1e9)] = Field(
        description="as ordered; what was returned stands in `refunds`"
    )
    unit_price: Money | None = Field(default=None, description="of one, before the line's own discounts")
    total: Money | None = Field(
        default=None, description="of the line, after them; else `quantity` * `unit_price`"
    )
    tax: Money | None = Field(
        default=None, description="the line's, for stores with `tax = included` or `excluded`"
    )
    currency: Currency | None = Field(default=None, description="must be the order's")
    product_url: WebAddress | None = None
    image_url: WebAddress | None = None
    brand: str | None = None
    categories: list[str] = Field(default_factory=list, description="paths with `/`")


class RefundLine(Part):
    """What was returned of one line."""

    line_id: Id
    quantity: Annotated[float, Field(ge=0, le=1e9)]


class Refund(Part):
    """One payment back; `lines` only where goods came back."""

    id: Id | None = None
    amount: Money
    created_at: Moment | None = None
    lines: list[RefundLine] = Field(default_factory=list)


class Coupon(Part):
    """A discount code."""

    code: str


class Order(Part):
    """The whole order as it is now."""

    id: Id
    number: Id | None = Field(
        default=None, description="as people know it; needed with `purchase_id = number`"
    )
    currency: Currency = Field(description="of all its amounts")
    created_at: Moment = Field(description="when it was placed")
    updated_at: Moment = Field(
        description="when it changed last: the newest one counts, in whatever order they come"
    )
    status: str | None = Field(default=None, description="your own; `cancelled` takes the purchase back")
    payment_status: PaymentStatus = Field(
        description="`paid` and `partially_refunded` are sold (setting `sold_statuses`)"
    )
    payment_method: str | None = None
    total: Money = Field(
        description="what it cost when it was placed: with tax, postage, and what gift cards paid"
    )
    total_refunded: Money | None = Field(
        default=None, description="of it, paid back so far; else the sum of `refunds`"
    )
    total_tax: Money | None = Field(default=None, description="not read")
    total_discount: Money | None = Field(default=None, description="not read")
    total_shipping: Money | None = Field(default=None, description="not read")
    prices_include_tax: bool | None = None
    coupons: list[Coupon | str] = Field(default_factory=list)
    test: bool = Field(default=False, description="a test order makes no purchase")
    cart_id: str | None = Field(default=None, description="the cart's, as web tracking knows it")
    locale: str | None = Field(default=None, description="language it was placed in; else the customer's")
    customer: Person
    line_items: list[Line]
    refunds: list[Refund] = Field(default_factory=list)


class Customer(Person):
    """The whole customer as it is now."""

    id: Id
    birthday: str | None = Field(default=None, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}")
    created_at: Moment | None = None
    updated_at: Moment = Field(description="when anything of it changed, consent included")


class ConsentStatement(Consent):
    """A person's decision by itself."""

    id: Id | None = Field(default=None, description="the customer's; left out for somebody who is none")
    email: str
    updated_at: Moment = Field(description="when the person decided: the newest one counts")


class Variant(Part):
    """A size or a colour."""

    id: Id
    sku: str | None = None
    name: str | None = Field(default=None, description="with the product's name; else that alone")
    price: Money | None = Field(default=None, description="else the product's")
    compare_at_price: Money | None = None
    stock: float | None = None
    available: bool | None = None
    url: WebAddress | None = None
    image_url: WebAddress | None = None


class Texts(Part):
    """A product's texts in another language; what is left out is the product's own."""

    name: str | None = None
    url: WebAddress | None = None
    description: str | None = None
    categories: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    image_url: WebAddress | None = None


class Product(Part):
    """The whole product as it is now."""

    id: Id
    sku: str | None = None
    name: str = Field(description="plain text")
    url: WebAddress = Field(description="its page")
    image_url: WebAddress | None = None
    price: Money | None = Field(
        default=None, description="as the shop shows it; without any it is not created"
    )
    compare_at_price: Money | None = Field(default=None, description="before a reduction")
    currency: Currency | None = None
    stock: float | None = Field(default=None, description="null where it is not tracked")
    available: bool | None = Field(default=None, description="whether it can be bought; else `stock` says it")
    published: bool = Field(default=True, description="false hides it")
    categories: list[str] = Field(default_factory=list, description="paths with `/`")
    brand: str | None = None
    tags: list[str] = Field(default_factory=list)
    description: str | None = Field(default=None, description="text or HTML")
    created_at: Moment | None = None
    updated_at: Moment = Field(description="when anything of it changed, stock included")
    variants: list[Variant] = Field(default_factory=list)
    locale: str | None = Field(
        default=None, description="of its texts; without it the product is every account's"
    )
    translations: dict[str, Texts] = Field(
        default_factory=dict, description="by language, for stores that feed an account for each"
    )


class Gone(Part):
    """An entity that was deleted."""

    id: Id
    updated_at: Moment | None = Field(default=None, description="when; else the envelope's `timestamp`")


class Envelope(Part):
    """What all requests have in common."""

    timestamp: Moment = Field(description="when it happened, not when it is sent")
    source: str | None = Field(
        default=None, description="which of your shops; what `shop` of a store's routes is compared with"
    )


class OrderEvent(Envelope):
    """An order was placed, changed or cancelled."""

    type: Literal["order.created", "order.updated", "order.cancelled"]
    data: Order


class CustomerEvent(Envelope):
    """A customer is new or changed."""

    type: Literal["customer.created", "customer.updated"]
    data: Customer


class ConsentEvent(Envelope):
    """Somebody decided about newsletters."""

    type: Literal["customer.consent_updated"]
    data: ConsentStatement


class ProductEvent(Envelope):
    """A product is new or changed."""

    type: Literal["product.created", "product.updated"]
    data: Product


class DeletionEvent(Envelope):
    """An order, a customer or a product is gone."""

    type: Literal["order.deleted", "customer.deleted", "product.deleted"]
    data: Gone


ShopEvent = Annotated[
    OrderEvent | CustomerEvent | ConsentEvent | ProductEvent | DeletionEvent, Field(discriminator="type")
]
#: By the name of its file.
SCHEMAS: dict[str, Any] = {"shop-event.json": ShopEvent}
