"""What is asked of VTEX about a notification, and where the answers stand in the fetched event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pipeline.events import Kind, RawEvent
from pipeline.shops.api import FOUND, ApiRequest, Document, Documents, Moment, RequestLimit
from pipeline.shops.base import Rejected
from pipeline.shops.values import parse_json_object, text
from pipeline.shops.vtex.fields import is_alias, mapping, objects, readable
from pipeline.shops.vtex.settings import VtexSettings, VtexStore
from pipeline.shops.vtex.topics import CATALOGUE, CLIENT, FEED, HOOK

#: Articles of one product whose stock and price are asked; the others are as the first ones.
MAX_ARTICLES = 20
_ORDERS = "/api/oms/pvt/orders/"
_CLIENTS = "/api/dataentities/CL/"
_CATALOGUE = "/api/catalog_system/pvt/sku/"
_STOCK, _PRICES = "/api/logistics/pvt/inventory/skus/", "/api/pricing/prices/"


def needs(event: RawEvent, documents: Documents, store: VtexStore) -> Sequence[str]:
    """The paths still to be asked; see `ShopApi.needs`."""
    if event.topic.startswith((HOOK, FEED)):
        return list(_order(event.entity, documents))
    if event.topic == CLIENT:
        return _missing([client_path(event.entity)], documents)
    if event.topic == CATALOGUE:
        return list(_product(event, documents, store))
    return []


def order_path(order_id: str) -> str:
    """Of an order."""
    return _ORDERS + quote(order_id, safe="")


def messages_path(order_id: str) -> str:
    """Of the mails that were sent about an order: they name the address beside its alias."""
    return f"{order_path(order_id)}/conversation-message"


def client_path(document_id: str) -> str:
    """Of a client's document: strongly consistent, unlike the search."""
    return f"{_CLIENTS}documents/{quote(document_id, safe='')}?_fields=_all"


def clients_path(user_id: str) -> str:
    """Of the documents of a user."""
    return f"{_CLIENTS}search?userId={quote(user_id, safe='')}&_fields=_all"


def articles_path(product_id: str) -> str:
    """Of the list of a product's articles (VTEX calls them SKUs)."""
    return f"{_CATALOGUE}stockkeepingunitByProductId/{quote(product_id, safe='')}"


def article_path(sku_id: str) -> str:
    """Of an article with all of its product."""
    return f"{_CATALOGUE}stockkeepingunitbyid/{quote(sku_id, safe='')}"


def stock_path(sku_id: str) -> str:
    """Of an article's stock."""
    return _STOCK + quote(sku_id, safe="")


def price_path(sku_id: str) -> str:
    """Of an article's prices, in decimals."""
    return _PRICES + quote(sku_id, safe="")


def found(documents: Mapping[str, Document], path: str) -> Any:
    """What a document says; None where it was not asked for, or does not exist."""
    document = documents.get(path)
    return document.body if document is not None and document.status == FOUND else None


def _missing(paths: Sequence[str], documents: Documents) -> list[str]:
    return [path for path in paths if path not in documents]


def _order(order_id: str, documents: Documents) -> Iterator[str]:
    """The order; where its address is an alias, the client, and if that does not say it, the mails."""
    path = order_path(order_id)
    if path not in documents:
        yield path
        return
    order = found(documents, path)
    if not isinstance(order, dict):
        return
    profile = mapping(order, "clientProfileData")
    alias = text(profile.get("email"), 300)
    if alias is None or not is_alias(alias):
        return
    user = text(profile.get("userProfileId"), 100)
    if user is not None and clients_path(user) not in documents:
        yield clients_path(user)
        return
    if user is None or client_address(found(documents, clients_path(user))) is None:
        yield from _missing([messages_path(order_id)], documents)


def client_address(rows: object) -> str | None:
    """The address in the documents of one user, of the one that was changed last."""
    listed = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    by_change = sorted(listed, key=lambda row: text(row.get("updatedIn"), 40) or "", reverse=True)
    return next((address for row in by_change if (address := readable(row.get("email")))), None)


def message_address(messages: object, alias: str) -> str | None:
    """The address that stands beside an alias in one of the mails."""
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, dict):
            continue
        for person in (*objects(message, "to"), mapping(message, "from")):
            if text(person.get("emailAlias"), 300) == alias and (address := readable(person.get("email"))):
                return address
    return None


def _product(event: RawEvent, documents: Documents, store: VtexStore) -> Iterator[str]:
    """The article that is named, which has all of its product; its fellows; the stock and price of each."""
    named = _named_article(event)
    by_product = store.settings.product_id == "product"
    first = [] if named is None else [article_path(named)]
    missing = _missing([*first, articles_path(event.entity)] if by_product else first, documents)
    if missing:
        yield from missing
        return
    known = bool(first) and found(documents, first[0]) is not None
    active = active_articles(event.entity, documents)
    if not by_product:
        active = [named] if named is not None and known else []
    elif active and not known:  # the named one is gone
        yield from _missing([article_path(active[0])], documents)
    for sku in active:
        yield from _missing([stock_path(sku), price_path(sku)], documents)


def _named_article(event: RawEvent) -> str | None:
    try:
        return text(parse_json_object(event.body).get("IdSku"), 60)
    except Rejected:
        return None


def active_articles(product_id: str, documents: Documents) -> list[str]:
    """The articles of a product that are on sale: whether they are decides, not whether the product is."""
    rows = found(documents, articles_path(product_id))
    listed = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    ids = (text(row.get("Id"), 60) for row in listed if row.get("IsActive") is True)
    return [sku for sku in ids if sku is not None][:MAX_ARTICLES]


# The requests.


def base_url(settings: VtexSettings) -> str:
    """The account's address."""
    return (settings.api_url or f"https://{settings.vtex_account}.vtexcommercestable.com.br").rstrip("/")


def authorise(settings: VtexSettings, request: ApiRequest, moment: Moment) -> Mapping[str, str]:  # noqa: ARG001 - as `ShopApi` has it
    """The two headers of an application key."""
    return {
        "X-VTEX-API-AppKey": settings.app_key.get_secret_value(),
        "X-VTEX-API-AppToken": settings.app_token.get_secret_value(),
    }


def limit(settings: VtexSettings) -> RequestLimit:
    """The share of VTEX's minute that the settings give; after 429 nothing for a minute, as VTEX asks."""
    return RequestLimit(settings.requests_per_minute, 60.0, parallel=8, pause=60.0)


def fetched_topic(event: RawEvent) -> str:
    """By the kind of the entity."""
    return {Kind.ORDER: "order", Kind.CUSTOMER: "client", Kind.PRODUCT: "product"}[event.kind]
