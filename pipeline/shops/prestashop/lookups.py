"""What is asked of the shop's webservice about a notification, and where its answers stand.

A document is found by its resource and id, whatever else stood in the request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from pipeline.events import Kind, RawEvent
from pipeline.shops.api import Document, Documents
from pipeline.shops.base import Rejected, WebhookRequest
from pipeline.shops.php import NOTHING, entries, readable_id
from pipeline.shops.platform import TopicMeaning
from pipeline.shops.prestashop.fields import flag, inner, is_of_other_shop, listed
from pipeline.shops.prestashop.hints import Hint
from pipeline.shops.prestashop.settings import ALL_SHOPS, PrestashopSettings, PrestashopStore
from pipeline.shops.prestashop.topics import NEWSLETTER, TOPICS
from pipeline.shops.prestashop.webhooks import hint_in
from pipeline.shops.values import text

ORDERS, CUSTOMERS, PRODUCTS = "orders", "customers", "products"
CURRENCIES, ADDRESSES, COUNTRIES, STATES = "currencies", "addresses", "countries", "order_states"
SLIPS, CART_RULES, RULES = "order_slip", "order_cart_rules", "cart_rules"
STOCK, COMBINATIONS, CATEGORIES = "stock_availables", "combinations", "categories"
#: Discounts of one order whose codes are asked for, and categories of one product.
MAX_RULES, MAX_CATEGORIES = 5, 30
_FOUND = 200


def needs(event: RawEvent, documents: Documents, store: PrestashopStore) -> Sequence[str]:
    """The paths still to be asked; see `ShopApi.needs`."""
    row = TOPICS.get(event.topic)
    if row is None or row.meaning is not TopicMeaning.NOTIFICATION or row.kind is not event.kind:
        return ()
    hint = hint_of_event(event)
    if is_elsewhere(event.kind, hint, store.settings):
        return ()
    ask = _Ask(store.settings, hint.shop)
    if event.topic == NEWSLETTER and hint.email is not None and not event.entity.isdigit():
        wanted: Iterable[str] = (ask.those(CUSTOMERS, "email", hint.email),)
    elif not event.entity.isdigit():
        return ()
    elif event.kind is Kind.ORDER:
        wanted = _order(event.entity, documents, ask, store)
    elif event.kind is Kind.CUSTOMER:
        wanted = (ask.one(CUSTOMERS, event.entity),)
    else:
        wanted = _product(event.entity, documents, ask, store.settings)
    return [path for path in dict.fromkeys(wanted) if path not in documents]


def hint_of_event(event: RawEvent) -> Hint:
    """What the notification names; its topic was read from its headers, too."""
    return hint_in(WebhookRequest({"x-prestashop-topic": event.topic}, event.body))


def is_elsewhere(kind: Kind, hint: Hint, settings: PrestashopSettings) -> bool:
    """Whether a call is about another shop of the installation; a product may be sold in several."""
    return kind is not Kind.PRODUCT and is_of_other_shop(hint.shop, settings)


class _Ask:
    """Writes paths: JSON, and the shop of an installation where the settings name one."""

    def __init__(self, settings: PrestashopSettings, shop: str | None) -> None:
        wanted = settings.shop_id
        self._everywhere = {} if wanted is None else {"id_shop": ALL_SHOPS}
        own = shop or ALL_SHOPS if wanted == ALL_SHOPS else wanted
        self._here = {} if own is None else {"id_shop": own}

    def one(self, resource: str, number: str, *, here: bool = False) -> str:
        """One object; `here` for what differs from shop to shop."""
        return f"/api/{resource}/{number}?{self._query({}, here=here)}"

    def those(self, resource: str, field: str, value: str, *, here: bool = False) -> str:
        """All objects whose field has the value; several values have `|` between."""
        return (
            f"/api/{resource}?{self._query({f'filter[{field}]': f'[{value}]', 'display': 'full'}, here=here)}"
        )

    def _query(self, first: Mapping[str, str], *, here: bool) -> str:
        shop = self._here if here else self._everywhere
        return urlencode({**first, "output_format": "JSON", **shop}, quote_via=quote)


def _order(number: str, documents: Documents, ask: _Ask, store: PrestashopStore) -> Iterator[str]:
    """The order; if it is sold, its buyer, currency, refunds and discounts; if not, what its state is."""
    yield ask.one(ORDERS, number)
    order = found(documents, ORDERS, number)
    if order is None:
        return
    settings = store.settings
    sold = is_sold(order, settings)
    state = readable_id(order.get("current_state"))
    if not sold and state is not None:
        yield ask.one(STATES, state)
    if sold or settings.contacts_from_unsold_orders:
        yield from _buyer(order, documents, ask)
    if not sold:
        return
    if currency := readable_id(order.get("id_currency")):
        yield ask.one(CURRENCIES, currency)
    yield ask.those(SLIPS, "id_order", number)
    if any(_is_some(order.get(name)) for name in ("total_discounts", "total_discounts_tax_incl")):
        yield ask.those(CART_RULES, "id_order", number)
        for rule in (those(documents, CART_RULES) or ())[:MAX_RULES]:
            if own := readable_id(rule.get("id_cart_rule")):
                yield ask.one(RULES, own)


def is_sold(order: Mapping[str, Any], settings: PrestashopSettings) -> bool:
    """By the flag that PrestaShop keeps beside the state, or by the store's own list of states' ids."""
    if settings.sold_statuses is not None:
        return readable_id(order.get("current_state")) in settings.sold_statuses
    return flag(order.get("valid")) is True


def _is_some(value: object) -> bool:
    """Whether an amount is more than nothing."""
    if value in NOTHING or not isinstance(value, str | int | float):
        return False
    return bool(str(value).strip(" 0.,"))


def _buyer(order: Mapping[str, Any], documents: Documents, ask: _Ask) -> Iterator[str]:
    if customer := readable_id(order.get("id_customer")):
        yield ask.one(CUSTOMERS, customer)
    address = address_id(order)
    if address is None:
        return
    yield ask.one(ADDRESSES, address)
    said = found(documents, ADDRESSES, address)
    country = None if said is None else readable_id(said.get("id_country"))
    if said is not None and country is not None and any(not one.startswith("+") for one in numbers(said)):
        yield ask.one(COUNTRIES, country)


def address_id(order: Mapping[str, Any]) -> str | None:
    """The address whose phone is the buyer's: that for the bill, else that for the goods."""
    return readable_id(order.get("id_address_invoice")) or readable_id(order.get("id_address_delivery"))


def numbers(address: Mapping[str, Any]) -> list[str]:
    """The phone numbers of an address, the mobile one first."""
    given = (text(address.get(name), 60) for name in ("phone_mobile", "phone"))
    return [number for number in given if number is not None]


def _product(number: str, documents: Documents, ask: _Ask, settings: PrestashopSettings) -> Iterator[str]:
    """The product, its stock, the names of its categories; its combinations where ids or prices need them."""
    yield ask.one(PRODUCTS, number, here=True)
    product = found(documents, PRODUCTS, number)
    if product is None or flag(product.get("active")) is False:
        return
    yield ask.those(STOCK, "id_product", number, here=True)
    if needs_combinations(product, settings):
        yield ask.those(COMBINATIONS, "id_product", number, here=True)
    if categories := category_ids(product):
        yield ask.those(CATEGORIES, "id", "|".join(categories), here=True)


def needs_combinations(product: Mapping[str, Any], settings: PrestashopSettings) -> bool:
    """Whether what is told of a product rests on its combinations."""
    has_some = bool(listed(product.get("associations"), COMBINATIONS))
    return has_some and (settings.product_id != "product" or not _is_some(product.get("price")))


def category_ids(product: Mapping[str, Any]) -> list[str]:
    """Of the categories that a product is in."""
    given = (readable_id(one.get("id")) for one in listed(product.get("associations"), CATEGORIES))
    return list(dict.fromkeys(number for number in given if number is not None))[:MAX_CATEGORIES]


# The answers.


def found(documents: Documents, resource: str, number: str | None) -> dict[str, Any] | None:
    """An object; None where it was not asked for, or does not exist.

    Raises:
        Rejected: `shop_api_error`.
    """
    for document in _of(documents, f"/api/{resource}/{number}"):
        said = inner(_unwrapped(document))
        one = said[0] if isinstance(said, list) and said else said
        if isinstance(one, dict):
            only = next(iter(one.values())) if len(one) == 1 else None
            return only if isinstance(only, dict) else one
    return None


def those(documents: Documents, resource: str) -> list[dict[str, Any]] | None:
    """The objects of a list, which PrestaShop writes as `[]` where there is none; None if not asked for.

    Raises:
        Rejected: `shop_api_error`.
    """
    for document in _of(documents, f"/api/{resource}"):
        said = inner(_unwrapped(document))
        if isinstance(said, dict) and len(said) == 1:
            [said] = said.values()
        return [one for one in entries(inner(said)) or () if isinstance(one, dict)]
    return None


def _of(documents: Documents, path: str) -> list[Document]:
    return [one for one in documents.values() if one.status == _FOUND and one.path.partition("?")[0] == path]


def _unwrapped(document: Document) -> object:
    body = document.body
    if isinstance(body, dict) and body.get("errors"):
        raise Rejected(
            "shop_api_error", "errors", "the shop sent an error of its webservice instead of a document"
        )
    return body
