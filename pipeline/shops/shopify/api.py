"""Shopify's GraphQL Admin API: where it is, how it lets us in, and what it says in answers of status 200.

Webhooks hold all that is needed: nothing is fetched because of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson

from pipeline.config_values import secret_text
from pipeline.shops.api import ApiRequest, Heard, Meaning, Moment, RequestLimit, ShopApi
from pipeline.shops.shopify.fields import mapping, number
from pipeline.shops.shopify.settings import ShopifySettings

#: Of four a year; each is kept for a year at least.
VERSION = "2026-07"
PATH = f"/admin/api/{VERSION}/graphql.json"
TOKENS = "/admin/oauth/access_token"
#: Of Shopify's own faults, not of the request.
_PASSING = frozenset({"INTERNAL_SERVER_ERROR", "TIMEOUT", "SERVICE_UNAVAILABLE"})
#: Seconds where a limit was reached and the shop does not say for how long, and the most it is waited for.
_PAUSE, _LONGEST = 5.0, 60.0
_DOCUMENT = Heard(Meaning.DOCUMENT)


def base_url(settings: ShopifySettings) -> str:
    """The address that paths are put behind."""
    return (settings.api_url or f"https://{settings.domain.partition('/')[0]}").rstrip("/")


def authorise(settings: ShopifySettings, request: ApiRequest, moment: Moment) -> Mapping[str, str]:  # noqa: ARG001 - as `ShopApi` has it
    """The token: the newest, or the fixed one."""
    token = moment.token or secret_text(settings.access_token)
    return {"x-shopify-access-token": token, "content-type": "application/json"}


def token(settings: ShopifySettings) -> ApiRequest | None:
    """The request for a token of a day; None where the store has a fixed one, or none."""
    if settings.client_id is None:
        return None
    form = {
        "grant_type": "client_credentials",
        "client_id": settings.client_id,
        "client_secret": secret_text(settings.client_secret),
    }
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    return ApiRequest(TOKENS, "POST", headers, urlencode(form).encode())


def limit(settings: ShopifySettings) -> RequestLimit:  # noqa: ARG001 - as `ShopApi` has it
    """What counts are points, which answers tell; this only keeps small requests apart."""
    return RequestLimit(requests=10, seconds=1.0, parallel=2, pause=_PAUSE)


def graphql(query: str, variables: Mapping[str, Any], note: str = "") -> ApiRequest:
    """A request of GraphQL."""
    body = orjson.dumps({"query": query, "variables": variables})
    return ApiRequest(PATH, "POST", body=body, note=note)


def heard(value: Any) -> Heard:
    """What an answer says: errors, and whether the next request would find too few points."""
    said = mapping(value)
    errors = said.get("errors")
    if not errors:
        return Heard(Meaning.DOCUMENT, _until_affordable(said))
    if not isinstance(errors, list):
        return Heard(Meaning.REFUSED)
    codes = {str(mapping(mapping(one).get("extensions")).get("code", "")).upper() for one in errors}
    if "THROTTLED" in codes:
        return Heard(Meaning.TOO_MANY, _until_affordable(said) or _PAUSE)
    if codes and codes <= _PASSING:
        return Heard(Meaning.FAILED)
    # A query that is too dear is for its reader, who asks for less; a missing right is of one kind only.
    return _DOCUMENT if "MAX_COST_EXCEEDED" in codes else Heard(Meaning.REFUSED)


def _until_affordable(said: Mapping[str, Any]) -> float:
    """Seconds until a request as dear as this one finds its points."""
    cost = mapping(mapping(said.get("extensions")).get("cost"))
    status = mapping(cost.get("throttleStatus"))
    asked, there = number(cost.get("requestedQueryCost")), number(status.get("currentlyAvailable"))
    rate = number(status.get("restoreRate"))
    if asked is None or there is None or rate is None or rate <= 0 or there >= asked:
        return 0.0
    return min(_LONGEST, math.ceil(float((asked - there) / rate * 10)) / 10)


API: ShopApi[ShopifySettings] = ShopApi(
    base_url=base_url,
    authorise=authorise,
    limit=limit,
    token=token,
    scopes=("read_orders", "read_customers", "read_products", "read_all_orders for more than 60 days"),
    heard=heard,
)
