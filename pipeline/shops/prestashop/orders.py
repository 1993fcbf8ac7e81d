"""PrestaShop orders -> contact, products and purchase, or the retraction of one.

Whether an order is sold its `valid` says: the numbers and names of states are the shop's own. The amounts are
in the order's currency, whose code is in another document, and nothing is converted: the shop's rate is of
the day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from pipeline.events import RawEvent
from pipeline.records import Origin
from pipeline.shops.api import Documents
from pipeline.shops.base import Draft, Rejected, Translation, require_few
from pipeline.shops.basket import Item, quantity
from pipeline.shops.currencies import rounded
from pipeline.shops.lenient import decoration
from pipeline.shops.orders import (
    Buyer,
    OrderSummary,
    contact_draft,
    coupon_codes,
    order_drafts,
    require_currency,
    retract_draft,
)
from pipeline.shops.php import NOTHING, each_once, identifier, readable_id
from pipeline.shops.prestashop.api import list_path, path_of
from pipeline.shops.prestashop.documents import (
    flag,
    list_of,
    moment,
    name_of,
    one_of,
    own_id,
    path_at,
    rows,
    version_of,
)
from pipeline.shops.prestashop.people import buyer_of, is_erased, is_of_other_shop
from pipeline.shops.prestashop.settings import PrestashopSettings, PrestashopStore
from pipeline.shops.values import epoch_ms, money, text

_ZERO = Decimal(0)
#: Shops add up amounts of six places.
_ROUNDING = Decimal("0.005")
#: PrestaShop's awaiting states, whatever their numbers are in a shop.
_AWAITING_MAILS = frozenset({"bankwire", "cheque", "cashondelivery", "outofstock"})
_AWAITING_MODULES = frozenset(
    {"ps_wirepayment", "ps_checkpayment", "ps_cashondelivery", "bankwire", "cheque"}
)
#: The state of an order whose rows are being written.
_NO_STATE = "0"


class Parts(NamedTuple):
    """The documents an order is understood with; None, or empty, where there are none."""

    person: dict[str, Any] | None
    currency: dict[str, Any] | None
    address: dict[str, Any] | None
    country: dict[str, Any] | None
    slips: list[dict[str, Any]]
    rules: list[dict[str, Any]]
    state: dict[str, Any] | None = None
    discounts: Mapping[str, dict[str, Any]] = MappingProxyType({})


def parts_of(order: Mapping[str, Any], documents: Documents) -> Parts:
    """The documents that belong to an order."""

    def found(
        field: str, resource: str, name: str, parent: Mapping[str, Any] = order
    ) -> dict[str, Any] | None:
        own = readable_id(parent.get(field))
        return None if own is None else one_of(path_at(documents, path_of(resource, own)), name)

    address = found("id_address_invoice", "addresses", "address")
    rules = list_of(path_at(documents, list_path("order_cart_rules")), "order_cart_rules")
    return Parts(
        person=found("id_customer", "customers", "customer"),
        currency=found("id_currency", "currencies", "currency"),
        address=address,
        country=found("id_country", "countries", "country", address or {}),
        slips=list_of(path_at(documents, list_path("order_slip")), "order_slips"),
        rules=rules,
        state=found("current_state", "order_states", "order_state"),
        discounts={
            number: discount
            for rule in rules
            if (number := readable_id(rule.get("id_cart_rule")))
            and (discount := found("id_cart_rule", "cart_rules", "cart_rule", rule)) is not None
        },
    )


def order(body: dict[str, Any], parts: Parts, event: RawEvent, store: PrestashopStore) -> Translation:
    """What the order's present state means: sold, undone, or nothing yet.

    Raises:
        Rejected: `missing_field`, `no_email`, `no_products`, `currency_mismatch`, `invalid_...`.
    """
    own = own_id(body)
    settings = store.settings
    notes: list[str] = []
    version = version_of(body, event, settings.timezone, notes)
    if is_of_other_shop(body, settings):
        return Translation(version, ignored="other_shop")
    state = readable_id(body.get("current_state")) or _NO_STATE
    is_sold = _is_sold(body, state, settings)
    listed = _listed(body)
    if not listed and (is_sold or state == _NO_STATE):
        # Announced while it is being written: its clock may be ahead of what follows.
        return Translation(0, ignored="half_written")
    buyer = buyer_of(parts.person, parts.address, parts.country)
    if not is_sold:
        return _unsold(state, parts.state, body, buyer, settings, version)
    if is_erased(buyer.email):
        return Translation(version, ignored="anonymised")
    currency = require_currency(_code(parts.currency), store, "id_currency", notes)
    total = rounded(_amount(body, ("total_paid_tax_incl", "total_paid")), currency, notes)
    returned = _returned(parts.slips, currency)
    if undone := _undone(body, listed, total, returned):
        return Translation(version, (retract_draft(None),), undone)
    units = Counter[str]()
    if returned.all and settings.on_partial_refund == "replace":
        total -= returned.all
        units = returned.units
        if not units:
            notes.append("refunded_lines_kept")  # a slip may say what was paid back, and not for which row
    placed = moment(body, "date_add", settings.timezone, notes)
    if placed is None:
        raise Rejected("missing_field", "date_add", "when it was placed is not said")
    coupons, coupon_notes = coupon_codes(_codes(parts))
    items = [
        item
        for row in each_once(listed, "id", notes)
        if (item := _item(row, units, currency, settings, notes)) is not None
    ]
    sale = OrderSummary(
        purchase_id=_purchase_id(own, body, settings),
        placed=placed,
        total=total,
        cart_id=readable_id(body.get("id_cart")),
        payment_method=decoration(body, "payment", notes) or decoration(body, "module", notes),
        coupons=coupons,
        notes=(*notes, *coupon_notes),
        shop=readable_id(body.get("id_shop")),
        language=settings.language(readable_id(body.get("id_lang"))),
        currency=_code(parts.currency),
    )
    return Translation(version, order_drafts(sale, buyer, items, store))


def deleted_order(event: RawEvent, store: PrestashopStore) -> Translation:
    """An order that the shop deleted."""
    if store.settings.on_order_deleted == "keep":
        return Translation(version=event.received_ms, ignored="order_kept")
    return Translation(event.received_ms, (retract_draft(None),), "deleted")


def _listed(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows, in whatever form they come.

    Raises:
        Rejected: `too_many_records`, `invalid_field`.
    """
    inside = body.get("associations")
    given = inside.get("order_rows") if isinstance(inside, dict) else inside
    if given not in NOTHING and not isinstance(given, dict | list):
        raise Rejected("invalid_field", "associations.order_rows", "no list of rows")
    found = rows(given, "order_row")
    require_few(found, "associations.order_rows")
    return found


def _is_sold(body: Mapping[str, Any], state: str, settings: PrestashopSettings) -> bool:
    """By the store's own list of states where there is one, else by `valid`.

    Raises:
        Rejected: `missing_field`, `invalid_field`.
    """
    if settings.sold_statuses is not None:
        return state in settings.sold_statuses
    given = body.get("valid")
    if given is None:
        raise Rejected("missing_field", "valid", "whether it is sold is not said")
    if given == "":
        return False
    said = flag(given)
    if said is None:
        raise Rejected("invalid_field", "valid", "neither yes nor no")
    return said


def _unsold(  # noqa: PLR0917 - what an order is made of
    state: str,
    described: Mapping[str, Any] | None,
    body: Mapping[str, Any],
    buyer: Buyer,
    settings: PrestashopSettings,
    version: int,
) -> Translation:
    """An order that is no purchase: it takes back what was sent, unless the sale is only in question."""
    contact: tuple[Draft, ...] = ()
    if settings.contacts_from_unsold_orders and not is_erased(buyer.email):
        try:
            placed = moment(body, "date_add", settings.timezone, [])
            said_ms = 0 if placed is None else epoch_ms(placed)
            contact = (contact_draft(buyer, settings, Origin.ORDER, said_ms=said_ms),)
        except Rejected:  # a purchase cannot do without; an order that was none can
            contact = ()
    if state in settings.awaiting_states or state == _NO_STATE or _is_awaiting(described):
        return Translation(version, contact, "not_sold")
    return Translation(version, (*contact, retract_draft(None)), "not_valid")


def _is_awaiting(state: Mapping[str, Any] | None) -> bool:
    """Whether a shop's state is one of PrestaShop's awaiting ones, by the mail it sends or its module."""
    if state is None or flag(state.get("paid")):
        return False
    mail, module = (text(state.get(name), 60) for name in ("template", "module_name"))
    return mail in _AWAITING_MAILS or module in _AWAITING_MODULES


def _codes(parts: Parts) -> list[dict[str, Any]]:
    """The codes of an order's discounts; one that needs no code is none, and a deleted one has its name."""
    known = [(rule, parts.discounts.get(readable_id(rule.get("id_cart_rule")) or "")) for rule in parts.rules]
    return [
        {"code": rule.get("name") if discount is None else discount["code"]}
        for rule, discount in known
        if discount is None or discount.get("code") not in NOTHING
    ]


def _code(currency: Mapping[str, Any] | None) -> str | None:
    found = None if currency is None else text(currency.get("iso_code"), 3)
    return None if found is None else found.upper()


def _amount(body: Mapping[str, Any], names: Sequence[str]) -> Decimal:
    """The first of these fields that is there.

    Raises:
        Rejected: `missing_field`, `invalid_money`.
    """
    for name in names:
        if body.get(name) is not None and body.get(name) != "":
            return money(body[name], name)
    raise Rejected("missing_field", names[0], "an order without its total")


class _Returned(NamedTuple):
    """What credit slips say was paid back: for goods, with postage, and units by the row they were of."""

    goods: Decimal
    all: Decimal
    units: Counter[str]


def _returned(slips: Sequence[Mapping[str, Any]], currency: str) -> _Returned:
    """The sum of the slips, tax included, each once, in whole units of the currency.

    Raises:
        Rejected: `missing_field`, `invalid_money`.
    """
    goods, postage, seen, units = _ZERO, _ZERO, set[str](), Counter[str]()
    for slip in slips:
        own = readable_id(slip.get("id"))
        if own is not None and own in seen:
            continue
        seen.update([own] if own else [])
        of_goods = _amount(slip, ("total_products_tax_incl", "amount"))
        of_postage = _told(slip, "total_shipping_tax_incl")
        if not of_goods and not of_postage:  # a slip of before these fields were there
            of_goods, of_postage = _told(slip, "amount"), _told(slip, "shipping_cost_amount")
        goods, postage = goods + of_goods, postage + of_postage
        inside = slip.get("associations")
        for one in (
            rows(inside.get("order_slip_details"), "order_slip_detail") if isinstance(inside, dict) else ()
        ):
            row = readable_id(one.get("id_order_detail"))
            if row is not None:
                units[row] += _units(one)
    return _Returned(rounded(goods, currency, []), rounded(goods + postage, currency, []), units)


def _told(slip: Mapping[str, Any], name: str) -> Decimal:
    return _ZERO if slip.get(name) in NOTHING else money(slip[name], name)


def _units(row: Mapping[str, Any]) -> int:
    """Whole units, as a number or a text, with decimals or without; 0 where that is not said."""
    try:
        return int(quantity(row.get("product_quantity"), "product_quantity"))
    except Rejected:
        return 0


def _undone(
    body: Mapping[str, Any], listed: Sequence[Mapping[str, Any]], total: Decimal, returned: _Returned
) -> str:
    """Why nothing of the sale remains; "" where something does. Slips forget vouchers, and exceed totals."""
    if not returned.all:
        return ""
    if returned.all >= total:
        return "refunded"
    if returned.units and all(_is_all_back(row, returned.units) for row in listed):
        return "all_lines_refunded"
    bought = body.get("total_products_wt")
    if bought not in NOTHING and _ZERO < money(bought, "total_products_wt") < returned.goods + _ROUNDING:
        return "all_lines_refunded"
    return ""


def _is_all_back(row: Mapping[str, Any], units: Counter[str]) -> bool:
    bought = _units(row)
    return bought > 0 and units[readable_id(row.get("id")) or ""] >= bought


def _is_below_zero(value: object) -> bool:
    return str(value).strip().startswith("-") and str(value).strip("-0. ") != ""


def _item(
    row: dict[str, Any],
    given_back: Counter[str],
    currency: str,
    settings: PrestashopSettings,
    notes: list[str],
) -> Item | None:
    """One row as the customer paid it, less what came back; vouchers are the whole order's.

    Raises:
        Rejected: `missing_field`, `invalid_money`, `invalid_quantity`, `invalid_id`.
    """
    taxed = settings.tax != "excluded"
    field = "unit_price_tax_incl" if taxed else "unit_price_tax_excl"
    if _is_below_zero(row.get("product_quantity")) or _is_below_zero(row.get(field)):
        notes.append("negative_line")
        return None
    unit = _amount(row, (field,))
    count = quantity(row.get("product_quantity"), "product_quantity")
    if not count:
        notes.append("line_without_quantity")
        return None
    count -= given_back[readable_id(row.get("id")) or ""]
    if count <= 0:
        notes.append("line_given_back")
        return None
    price = unit * count
    if taxed:  # what was charged; net prices are computed, and keep their places
        price = rounded(price, currency, notes)
    product = identifier(row.get("product_id"), "product_id")
    combination = readable_id(row.get("product_attribute_id"))
    sku = decoration(row, "product_reference", notes)
    told = product
    if settings.product_id == "sku":
        told = sku or product
    elif settings.product_id == "variant" and product and combination:
        told = f"{product}-{combination}"
    return Item(
        product_id=told,
        name=name_of(row.get("product_name"), "product_name", notes),
        quantity=count,
        price=price,
        price_original=price,
        sku=sku,
        page_id=product if settings.product_id != "product" else None,
    )


def _purchase_id(own: str, body: Mapping[str, Any], settings: PrestashopSettings) -> str:
    """The id web tracking sends; both other settings mean the reference, which split orders share.

    Raises:
        Rejected: `missing_field`.
    """
    if settings.purchase_id == "id":
        return own
    reference = text(body.get("reference"), 200)
    if reference is None:
        raise Rejected("missing_field", "reference", "no reference, and purchase_id asks for it")
    return reference
