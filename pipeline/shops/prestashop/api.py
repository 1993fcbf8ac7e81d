"""PrestaShop's webservice: which documents an announcement needs, and how requests are authorised."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from pipeline.config_values import secret_text
from pipeline.events import Kind, RawEvent
from pipeline.shops.api import ApiRequest, Documents, Moment, RequestLimit, ShopApi
from pipeline.shops.base import Rejected
from pipeline.shops.php import readable_id
from pipeline.shops.platform import TopicMeaning
from pipeline.shops.prestashop.documents import flag, list_of, one_of, path_at
from pipeline.shops.prestashop.hooks import NEWSLETTER
from pipeline.shops.prestashop.settings import PrestashopSettings, PrestashopStore
from pipeline.shops.prestashop.topics import TOPICS
from pipeline.shops.prestashop.webhooks import WITHHELD, address_in
from pipeline.shops.values import parse_json_object, text

JSON = "output_format=JSON"
#: Discounts of one order whose codes are asked for.
MAX_RULES = 5
_DIFFERENT = ("/api/products", "/api/stock_availables", "/api/specific_prices")
#: What an order needs beside itself: its document's field, and where the document is.
_OF_ORDER = (
    ("id_customer", "customers"),
    ("id_currency", "currencies"),
    ("id_address_invoice", "addresses"),
)


def path_of(resource: str, number: str) -> str:
    """Where a document is."""
    return f"/api/{resource}/{number}"


def list_path(resource: str) -> str:
    """Where a list is."""
    return f"/api/{resource}"


def needs(event: RawEvent, documents: Documents, store: PrestashopStore) -> Sequence[str]:
    """The document that was announced; of an order also those it is not understood without."""
    row = TOPICS.get(event.topic)
    if row is None or row.meaning is not TopicMeaning.NOTIFICATION:
        return ()
    wanted = _wanted(event, documents, store.settings) if event.entity.isdigit() else _rows_of_address(event)
    asked = (path + of_shop(path, store.settings) for path in wanted)
    return [path for path in asked if path not in documents]


def document_path(kind: Kind, number: str, settings: PrestashopSettings) -> str:
    """What is asked for the document of an entity."""
    path = f"{path_of(f'{kind}s', number)}?{JSON}"
    return path + of_shop(path, settings)


def of_shop(path: str, settings: PrestashopSettings) -> str:
    """What names the shop, in an installation of several: else the webservice knows its main shop's only.

    Products, their stock and prices differ from shop to shop; whose an order is its document says.
    """
    several = settings.shop_id is not None or any(route.shop for route in settings.routes)
    differs = path.startswith(_DIFFERENT)
    return f"&id_shop={settings.shop_id if differs and settings.shop_id else 'all'}" if several else ""


def _rows_of_address(event: RawEvent) -> Iterator[str]:
    """The customers of the address that the newsletter's form named."""
    if event.topic != NEWSLETTER:
        return
    try:
        address = address_in(parse_json_object(event.body))
    except Rejected:
        return
    if address is not None:
        yield _listed("customers", "email", quote(address, safe="@"))


def _wanted(event: RawEvent, documents: Documents, settings: PrestashopSettings) -> Iterator[str]:
    own = path_of(f"{event.kind}s", event.entity)
    yield f"{own}?{JSON}"
    found = one_of(path_at(documents, own), str(event.kind))
    if found is None:
        return
    if event.kind is Kind.PRODUCT:
        yield _listed("stock_availables", "id_product", event.entity)
        yield _listed("specific_prices", "id_product", event.entity)
    if event.kind is Kind.ORDER:
        yield from _of_order(found, event.entity, documents)
        state = readable_id(found.get("current_state"))
        if settings.sold_statuses is None and flag(found.get("valid")) is False and state is not None:
            yield f"{path_of('order_states', state)}?{JSON}"


def _of_order(order: Mapping[str, Any], number: str, documents: Documents) -> Iterator[str]:
    for field, resource in _OF_ORDER:
        if own := readable_id(order.get(field)):
            yield f"{path_of(resource, own)}?{JSON}"
    yield _listed("order_slip", "id_order", number)
    if (text(order.get("total_discounts"), 40) or "0").strip("0."):
        yield _listed("order_cart_rules", "id_order", number)
        rules = list_of(path_at(documents, list_path("order_cart_rules")), "order_cart_rules")
        for rule in rules[:MAX_RULES]:
            if own := readable_id(rule.get("id_cart_rule")):
                yield f"{path_of('cart_rules', own)}?{JSON}"
    address = readable_id(order.get("id_address_invoice"))
    found = None if address is None else one_of(path_at(documents, path_of("addresses", address)), "address")
    if found is not None and (country := readable_id(found.get("id_country"))):
        yield f"{path_of('countries', country)}?{JSON}"


def _listed(resource: str, field: str, number: str) -> str:
    return f"{list_path(resource)}?filter[{field}]=[{number}]&display=full&{JSON}"


def base_url(settings: PrestashopSettings) -> str:
    """The address that paths are put behind."""
    if settings.api_url is not None:
        return settings.api_url.rstrip("/")
    return f"https://{settings.domain.partition('/')[0]}"


def authorise(settings: PrestashopSettings, request: ApiRequest, moment: Moment) -> Mapping[str, str]:
    """The key is a user name without a password."""
    del request, moment
    if settings.key_in_address:
        return {}
    return {"authorization": "Basic " + base64.b64encode(f"{_key(settings)}:".encode()).decode()}


def query(settings: PrestashopSettings) -> str:
    """The key in the address, for hosts that take the header away; it is stored nowhere."""
    return urlencode({"ws_key": _key(settings)}) if settings.key_in_address else ""


def _key(settings: PrestashopSettings) -> str:
    return secret_text(settings.webservice_key)


def limit(settings: PrestashopSettings) -> RequestLimit:
    """Shops share small hosts; most of an order's documents are asked one after the other."""
    return RequestLimit(settings.webservice_requests_per_minute, 60.0, settings.parallel_requests, pause=60.0)


def fetched_topic(event: RawEvent) -> str:
    """The event that follows is of what was announced."""
    return str(event.kind)


API: ShopApi[PrestashopSettings] = ShopApi(
    base_url=base_url,
    authorise=authorise,
    limit=limit,
    needs=needs,
    fetched_topic=fetched_topic,
    query=query,
    scopes=(
        "orders",
        "order_slip",
        "order_cart_rules",
        "order_states",
        "cart_rules",
        "customers",
        "addresses",
        "countries",
        "currencies",
        "products",
        "stock_availables",
        "specific_prices",
    ),
    withheld=WITHHELD,
)
