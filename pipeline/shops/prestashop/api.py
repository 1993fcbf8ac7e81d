"""PrestaShop's webservice: which documents an announcement needs, and how requests are authorised."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.events import Kind, RawEvent
from pipeline.shops.api import ApiRequest, Documents, Moment, RequestLimit, ShopApi
from pipeline.shops.php import readable_id
from pipeline.shops.platform import TopicMeaning
from pipeline.shops.prestashop.documents import one_of, path_at
from pipeline.shops.prestashop.settings import PrestashopSettings, PrestashopStore
from pipeline.shops.prestashop.topics import TOPICS
from pipeline.shops.values import text

_JSON = "output_format=JSON"
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
    del store
    row = TOPICS.get(event.topic)
    if row is None or row.meaning is not TopicMeaning.NOTIFICATION or not event.entity.isdigit():
        return ()
    wanted = _wanted(event, documents)
    return [path for path in wanted if path not in documents]


def _wanted(event: RawEvent, documents: Documents) -> Iterator[str]:
    resource = f"{event.kind}s"
    yield f"{path_of(resource, event.entity)}?{_JSON}"
    found = one_of(path_at(documents, path_of(resource, event.entity)), str(event.kind))
    if found is None:
        return
    if event.kind is Kind.PRODUCT:
        yield _listed("stock_availables", "id_product", event.entity)
        yield _listed("specific_prices", "id_product", event.entity)
    if event.kind is Kind.ORDER:
        yield from _of_order(found, event.entity, documents)


def _of_order(order: Mapping[str, Any], number: str, documents: Documents) -> Iterator[str]:
    for field, resource in _OF_ORDER:
        if own := readable_id(order.get(field)):
            yield f"{path_of(resource, own)}?{_JSON}"
    yield _listed("order_slip", "id_order", number)
    if (text(order.get("total_discounts"), 40) or "0").strip("0."):
        yield _listed("order_cart_rules", "id_order", number)
    address = readable_id(order.get("id_address_invoice"))
    found = None if address is None else one_of(path_at(documents, path_of("addresses", address)), "address")
    if found is not None and (country := readable_id(found.get("id_country"))):
        yield f"{path_of('countries', country)}?{_JSON}"


def _listed(resource: str, field: str, number: str) -> str:
    return f"{list_path(resource)}?filter[{field}]=[{number}]&display=full&{_JSON}"


def base_url(settings: PrestashopSettings) -> str:
    """The address that paths are put behind."""
    if settings.api_url is not None:
        return settings.api_url.rstrip("/")
    return f"https://{settings.domain.partition('/')[0]}"


def authorise(settings: PrestashopSettings, request: ApiRequest, moment: Moment) -> Mapping[str, str]:
    """The key is a user name without a password."""
    del request, moment
    key = "" if settings.webservice_key is None else settings.webservice_key.get_secret_value()
    return {"authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


def limit(settings: PrestashopSettings) -> RequestLimit:
    """Shops share small hosts; most of an order's documents are asked one after the other."""
    del settings
    return RequestLimit(requests=4, seconds=1.0, parallel=2, pause=60.0)


def fetched_topic(event: RawEvent) -> str:
    """The event that follows is of what was announced."""
    return str(event.kind)


API: ShopApi[PrestashopSettings] = ShopApi(
    base_url=base_url,
    authorise=authorise,
    limit=limit,
    needs=needs,
    fetched_topic=fetched_topic,
    scopes=(
        "orders",
        "order_slip",
        "order_cart_rules",
        "customers",
        "addresses",
        "countries",
        "currencies",
        "products",
        "stock_availables",
        "specific_prices",
    ),
    withheld=("passwd", "secure_key", "reset_password_token", "ip_registration_newsletter"),
)
