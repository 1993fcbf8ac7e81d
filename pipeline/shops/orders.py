"""What the orders of all shops have in common: lines, buyer and totals -> contact, products and purchase.

A platform reads its body into `Item`, `Buyer` and `OrderSummary`, with money in the shop's own currency and
tax as the store's settings ask for it; `order_drafts` does the rest. Pure throughout.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from pipeline.records import Contact, Line, Op, Origin, Product, Purchase, RecordKind, Subscription
from pipeline.shops import values
from pipeline.shops.base import UNSAID, Audience, Draft, Look, Rejected, StoreContext, audience
from pipeline.shops.basket import Item, merge_items, tidy
from pipeline.shops.settings import StoreSettings

#: No code is longer, and no order has more of them.
_MAX_CODE, _MAX_CODES = 255, 100


class Buyer(NamedTuple):
    """The person behind an order or a customer event, as the body has it: nothing is checked yet.

    `phones` are (number, ISO country of its address) pairs, best first. `customer_id` is None for guests.
    `look` stands for `newsletter` where the shop keeps no time of it: as if it were the first. Language,
    shop and currency say where the person belongs (`base.Audience`), as far as the body does.
    """

    email: str | None
    customer_id: str | None = None
    name: str | None = None
    surname: str | None = None
    phones: tuple[tuple[str, str | None], ...] = ()
    newsletter: Subscription | None = None
    newsletter_ms: int | None = None
    notes: tuple[str, ...] = ()
    look: Look | None = None
    language: str | None = None
    shop: str | None = None
    currency: str | None = None
    birthdate: str | None = None


class OrderSummary(NamedTuple):
    """The order's own figures. `total` is what the shop says it is now, never recomputed from lines.

    The last three say where the order belongs (`base.Audience`), and its buyer with it.
    """

    purchase_id: str
    placed: datetime
    total: Decimal
    cart_id: str | None = None
    payment_method: str | None = None
    coupons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    language: str | None = None
    shop: str | None = None
    currency: str | None = None


def require_currency(
    currency: object, store: StoreContext, field: str = "currency", notes: list[str] | None = None
) -> str:
    """The order's currency, which must be the account's where that is set.

    An order that names none passes where the account has none either: "" then, and `currency_missing` is
    added to `notes` where these are given.

    Raises:
        Rejected: `missing_field`, `currency_mismatch`.
    """
    if not isinstance(currency, str) or not currency:
        if store.currency is not None:
            raise Rejected("missing_field", field, "the order does not say its currency")
        if notes is not None:
            notes.append("currency_missing")
        return ""
    code = currency.strip().upper()
    if store.currency is not None and code != store.currency:
        said = code if len(code) == len(store.currency) else "another currency"
        raise Rejected("currency_mismatch", field, f"{said}, but the account holds {store.currency}")
    return code


def stub_drafts(lines: Iterable[Line], belongs: Audience = UNSAID) -> tuple[Draft, ...]:
    """The products as far as an order knows them, kept out of recommendations until their own event comes.

    Their price is the one before discounts: else each order with a coupon would change the product.
    """
    return tuple(
        Draft(
            RecordKind.PRODUCT,
            line.product_id,
            Origin.ORDER,
            Product(
                product_id=line.product_id,
                name=line.name,
                url=line.url,
                unit_price=line.unit_price if line.unit_price_original is None else line.unit_price_original,
                brand=line.brand,
                image_url=line.image_url,
                categories=line.categories,
                is_blacklisted=True,
            ),
            audience=belongs,
        )
        for line in lines
    )


def contact_draft(
    buyer: Buyer,
    settings: StoreSettings,
    origin: Origin,
    *,
    said_ms: int = 0,
    belongs: Audience | None = None,
) -> Draft:
    """The person as a contact: by e-mail, or by the shop's customer id where the settings allow that.

    `said_ms` is given with an order's statement: it describes the person as of its placement; `belongs` with
    what the order says of where it belongs.

    The customer id is sent only under that setting: it is unique in Connectif, so a customer who changed
    the e-mail would be refused.

    Raises:
        Rejected: `no_email`, `invalid_email`.
    """
    by_id = settings.guests_without_email == "external_id"
    external_id = buyer.customer_id if by_id else None
    if buyer.email is not None:
        identity = address = values.email(buyer.email)
    elif external_id is not None:
        identity, address = external_id, ""
    else:
        raise Rejected("no_email", "email", "no contact can hold this without an e-mail address")
    phone, notes = first_phone(buyer.phones)
    newsletter, newsletter_ms = buyer.newsletter, buyer.newsletter_ms
    if buyer.look is not None and buyer.look.subscribed:
        newsletter, newsletter_ms = "subscribed", buyer.look.since_ms
    body = Contact(
        email=address,
        external_id=external_id,
        name=buyer.name,
        surname=buyer.surname,
        birthdate=buyer.birthdate,
        mobile_phone=phone,
        newsletter=newsletter,
        newsletter_ms=newsletter_ms,
    )
    owner = "" if buyer.customer_id is None else f"customer|{buyer.customer_id}"
    notes = buyer.notes + notes
    return Draft(
        RecordKind.CONTACT,
        identity,
        origin,
        body,
        notes=notes,
        owner=owner,
        said_ms=said_ms,
        look=buyer.look,
        audience=belongs or audience(buyer.language, buyer.shop, buyer.currency),
    )


def given_name(first: str | None, middle: str | None = None) -> str | None:
    """The first name with the middle name. "Guest" is what shops write if none was given."""
    if first is not None and first.casefold() == "guest":
        first = None
    return f"{first} {middle}" if first and middle else first or middle


def first_phone(candidates: Iterable[tuple[str, str | None]]) -> tuple[str | None, tuple[str, ...]]:
    """The first number that is valid, in E.164; a note if a number was dropped."""
    dropped: tuple[str, ...] = ()
    for number, country in candidates:
        phone = values.phone(number, country)
        if phone is not None:
            return phone, dropped
        dropped = ("phone_invalid",)
    return None, dropped


def coupon_codes(entries: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The discount codes in a list of objects with a `code`, each once, as the shop wrote them.

    Returns:
        The codes, and a note where one cannot be read: an order is not lost for its discount.
    """
    found: dict[str, str] = {}
    unread = not isinstance(entries, list)
    for entry in entries if isinstance(entries, list) else ():
        given = entry.get("code") if isinstance(entry, dict) else None
        code = values.text(given, _MAX_CODE + 1)
        if code is None or len(code) > _MAX_CODE or len(found) == _MAX_CODES:
            unread = True
        else:
            found.setdefault(code.casefold(), code)
    return tuple(found.values()), ("coupon_unreadable",) if unread else ()


def order_drafts(
    sale: OrderSummary, buyer: Buyer, items: Iterable[Item], store: StoreContext
) -> tuple[Draft, ...]:
    """The records of a sold order: its contact, its products, then the purchase.

    Raises:
        Rejected: `no_email`, `invalid_email`, `no_products`, `invalid_money`.
    """
    said_ms = values.epoch_ms(sale.placed)
    belongs = audience(sale.language or buyer.language, sale.shop or buyer.shop, sale.currency)
    contact = contact_draft(buyer, store.settings, Origin.ORDER, said_ms=said_ms, belongs=belongs)
    contact = _with_coupons(contact, sale, store)
    basket = merge_items(items, sale.total, store)
    total = tidy(sale.total)
    notes = sale.notes + basket.notes + (("amount_rounded",) if total != sale.total else ())
    by_email = buyer.email is not None
    purchase = Purchase(
        purchase_id=sale.purchase_id,
        contact_email=contact.id if by_email else None,
        contact_external_id=None if by_email else contact.id,
        cart_id=sale.cart_id or sale.purchase_id,
        purchase_date=values.iso(sale.placed),
        total_price=total,
        total_quantity=basket.units,
        payment_method=sale.payment_method,
        lines=basket.lines,
    )
    sold = Draft(
        RecordKind.PURCHASE,
        sale.purchase_id,
        Origin.ORDER,
        purchase,
        notes=tuple(dict.fromkeys(notes)),
        coupons=sale.coupons,
        audience=belongs,
    )
    return (contact, *stub_drafts(basket.lines, belongs), sold)


def _with_coupons(contact: Draft, sale: OrderSummary, store: StoreContext) -> Draft:
    """The contact with the codes of this order in the account's field for them, where there is one."""
    if store.coupon_field is None or not sale.coupons or not isinstance(contact.body, Contact):
        return contact
    custom = {store.coupon_field: ", ".join(sale.coupons)}
    return contact._replace(body=contact.body.model_copy(update={"custom": custom}))


def retract_draft(purchase_id: str | None, notes: tuple[str, ...] = ()) -> Draft:
    """The purchase is to be deleted, if it was ever sent; None: under the id it was sent with."""
    return Draft(
        RecordKind.PURCHASE, purchase_id, Origin.ORDER, None, Op.RETRACT, notes=notes, if_emitted=True
    )
