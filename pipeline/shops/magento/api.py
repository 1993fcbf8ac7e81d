"""Magento's REST API: what a notification makes us ask, and the three ways a shop lets us in.

Open Source and Commerce take an integration's access token, as a bearer's where the shop allows that, else in
OAuth 1.0a. Commerce as a Cloud Service takes tokens of Adobe's identity service, which expire, and has no
`/rest/<store view>` in its paths.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote, urlencode

from pipeline.config_values import secret_text
from pipeline.events import Kind, RawEvent
from pipeline.shops.api import FOUND, ApiRequest, Document, Documents, Moment, RequestLimit, ShopApi
from pipeline.shops.base import Rejected
from pipeline.shops.magento.envelopes import opened
from pipeline.shops.magento.parts import Parts, parts_of
from pipeline.shops.magento.settings import MagentoSettings, MagentoStore
from pipeline.shops.magento.topics import TOPICS
from pipeline.shops.platform import TopicMeaning
from pipeline.shops.values import parse_json_object, text

#: Where all shops' data of a shop are read: orders and customers are the same in each store view.
ALL_VIEWS = "all"
#: Parts of a product that one request asks for, so that the address stays short.
_AT_ONCE = 50
_TOKENS = "https://ims-na1.adobelogin.com/ims/token/v3"
_SCOPE = (
    "openid,AdobeID,email,profile,additional_info.roles,additional_info.projectedProductContext,commerce.accs"
)


def needs(event: RawEvent, documents: Documents, store: MagentoStore) -> Sequence[str]:
    """The document that the event names; of a product whose price is that of its parts, these too."""
    row = TOPICS.get(event.topic)
    if row is None or row.meaning is not TopicMeaning.NOTIFICATION:
        return ()
    path = _named_by(event, store.settings)
    if path is None:
        return ()
    if path not in documents:
        return (path,)
    document = documents[path]
    if event.kind is not Kind.PRODUCT or document.status != FOUND:
        return ()
    parts = [_search_of(parts, store.settings) for found in listed(document) for parts in _asked_parts(found)]
    return [part for part in parts if part not in documents]


def listed(document: Document) -> list[dict[str, Any]]:
    """The documents of an answer: of a search all it found, else the one."""
    body = document.body
    if document.status != FOUND or not isinstance(body, dict):
        return []
    found = body.get("items") if "total_count" in body or "search_criteria" in body else [body]
    found = list(found.values()) if isinstance(found, dict) else found
    return [one for one in found or () if isinstance(one, dict)] if isinstance(found, list) else []


def _named_by(event: RawEvent, settings: MagentoSettings) -> str | None:
    """What must be asked about an event; None where it names nothing."""
    prefix, _, rest = event.entity.partition("-")
    if event.kind is Kind.ORDER:
        if event.entity.isdigit():
            return order_path(settings, event.entity)
        return _search(settings, ALL_VIEWS, "orders", "increment_id", [rest]) if prefix == "number" else None
    if event.kind is Kind.CUSTOMER:
        known = event.entity.isdigit()
        return customer_path(settings, event.entity) if known else None
    if sku := _sku(event):
        return product_path(settings, sku)
    if event.entity.isdigit():
        return _search(settings, settings.store_code, "products", "entity_id", [event.entity])
    return None


def order_path(settings: MagentoSettings, number: str) -> str:
    """Where an order's document is."""
    return f"{base_path(settings, ALL_VIEWS)}/orders/{number}"


def customer_path(settings: MagentoSettings, number: str) -> str:
    """Where a customer's document is."""
    return f"{base_path(settings, ALL_VIEWS)}/customers/{number}"


def product_path(settings: MagentoSettings, sku: str) -> str:
    """Where a product's document is."""
    return f"{base_path(settings, settings.store_code)}/products/{quote(sku, safe='')}"


def _sku(event: RawEvent) -> str | None:
    try:
        return text(opened(parse_json_object(event.body)).value.get("sku"), 200)
    except Rejected:
        return None


def _asked_parts(product: Mapping[str, Any]) -> Iterator[Parts]:
    """The parts that must be asked for, in portions."""
    parts = parts_of(product)
    for first in range(0, len(parts.ids), _AT_ONCE):
        yield Parts(parts.field, parts.ids[first : first + _AT_ONCE])


def _search_of(parts: Parts, settings: MagentoSettings) -> str:
    return _search(settings, settings.store_code, "products", parts.field, parts.ids)


def _search(settings: MagentoSettings, view: str, what: str, field: str, values: Sequence[str]) -> str:
    first = "searchCriteria[filterGroups][0][filters][0]"
    value = quote(",".join(values), safe=",")
    return (
        f"{base_path(settings, view)}/{what}?{first}[field]={field}&{first}[value]={value}"
        f"&{first}[conditionType]=in&searchCriteria[pageSize]={max(2, len(values))}"
    )


def base_path(settings: MagentoSettings, view: str) -> str:
    """What the paths of the API begin with; a store view decides which texts and prices are given."""
    return "/V1" if settings.in_cloud else f"/rest/{view}/V1"


def base_url(settings: MagentoSettings) -> str:
    """The address that paths are put behind."""
    if settings.api_url is not None:
        return settings.api_url.rstrip("/")
    return f"https://{settings.domain.partition('/')[0]}"


def authorise(settings: MagentoSettings, request: ApiRequest, moment: Moment) -> Mapping[str, str]:
    """The headers that let a request in."""
    if settings.in_cloud:
        return {
            "authorization": f"Bearer {moment.token}",
            "x-api-key": settings.ims_client_id or "",
            "x-gw-ims-org-id": settings.ims_organisation or "",
            "store": settings.store_code,
        }
    if settings.consumer_key is None:
        return {"authorization": f"Bearer {secret_text(settings.access_token)}"}
    return {"authorization": _oauth(settings, request, moment)}


def _oauth(settings: MagentoSettings, request: ApiRequest, moment: Moment) -> str:
    """The header of OAuth 1.0a with HMAC-SHA256; what stands in the query is signed with it."""
    from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, Client  # noqa: PLC0415 - start fast

    client = Client(
        secret_text(settings.consumer_key),
        client_secret=secret_text(settings.consumer_secret),
        resource_owner_key=secret_text(settings.access_token),
        resource_owner_secret=secret_text(settings.access_token_secret),
        signature_method=SIGNATURE_HMAC_SHA256,
        nonce=moment.nonce,
        timestamp=str(moment.seconds),
    )
    # Brackets must be encoded to be signed, and the shop signs what they mean.
    address = base_url(settings) + request.path.replace("[", "%5B").replace("]", "%5D").replace(",", "%2C")
    _, headers, _ = client.sign(address, http_method=cast("Any", request.method))
    return str(headers["Authorization"])


def token(settings: MagentoSettings) -> ApiRequest | None:
    """The request for a token of the cloud service; None where the shop's own does not expire."""
    if not settings.in_cloud:
        return None
    form = {
        "grant_type": "client_credentials",
        "client_id": settings.ims_client_id or "",
        "client_secret": secret_text(settings.ims_client_secret),
        "scope": _SCOPE,
    }
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    return ApiRequest(_TOKENS, "POST", headers, urlencode(form).encode())


def limit(settings: MagentoSettings) -> RequestLimit:
    """Shops on a host of their own have no limit and little strength; the cloud service answers 429."""
    if settings.in_cloud:
        return RequestLimit(requests=20, seconds=1.0, parallel=4, pause=5.0)
    return RequestLimit(requests=4, seconds=1.0, parallel=2, pause=30.0)


def fetched_topic(event: RawEvent) -> str:
    """The event that follows is of what the notification named."""
    return str(event.kind)


API: ShopApi[MagentoSettings] = ShopApi(
    base_url=base_url,
    authorise=authorise,
    limit=limit,
    needs=needs,
    fetched_topic=fetched_topic,
    token=token,
    scopes=(
        "Magento_Sales::actions_view",
        "Magento_Customer::customer",
        "Magento_Catalog::products",
        "Magento_CatalogInventory::cataloginventory",
    ),
    withheld=("protect_code", "remote_ip", "x_forwarded_for", "rp_token", "confirmation"),
)
