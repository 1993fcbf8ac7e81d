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
from pipeline.shops.api import ApiRequest, Heard, Meaning, Moment, Points, RequestLimit, ShopApi
from pipeline.shops.shopify.fields import mapping, number
from pipeline.shops.shopify.settings import ShopifySettings
from pipeline.shops.values import body_hash

#: Of four a year; each is kept for a year at least.
VERSION = "2026-07"
PATH = f"/admin/api/{VERSION}/graphql.json"
TOKENS = "/admin/oauth/access_token"
#: Of Shopify's own faults, not of the request.
_PASSING = frozenset({"INTERNAL_SERVER_ERROR", "TIMEOUT", "SERVICE_UNAVAILABLE"})
#: Seconds where a limit was reached and the shop does not say for how long, and the most it is waited for.
_PAUSE, _LONGEST = 5.0, 60.0
#: More points, or a bucket that takes longer to fill, in seconds, are not believed.
_MOST_POINTS, _LONGEST_FILL = 10_000_000, 3_600
#: Variables that say how much is asked for.
_COUNTS = ("first", "nested", "counted")


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
    """What an answer says: errors, and how many points it took and left."""
    said = mapping(value)
    errors, points = said.get("errors"), points_of(said)
    if not errors:
        return Heard(Meaning.DOCUMENT, points=points)
    if not isinstance(errors, list):
        return Heard(Meaning.REFUSED)
    codes = {str(mapping(mapping(one).get("extensions")).get("code", "")).upper() for one in errors}
    if "THROTTLED" in codes and not _is_never_affordable(said):
        return Heard(Meaning.TOO_MANY, _until_affordable(points), points)
    if codes and codes <= _PASSING:
        return Heard(Meaning.FAILED)
    # A query that is too dear is for its reader, who asks for less; a missing right is of one kind only.
    dear = codes & {"MAX_COST_EXCEEDED", "THROTTLED"}
    return Heard(Meaning.DOCUMENT, points=points) if dear else Heard(Meaning.REFUSED)


def points_of(said: Mapping[str, Any]) -> Points | None:
    """What an answer says of the points; None where nothing that can be believed."""
    cost = mapping(mapping(said.get("extensions")).get("cost"))
    status = mapping(cost.get("throttleStatus"))
    asked, there = number(cost.get("requestedQueryCost")), number(status.get("currentlyAvailable"))
    rate, most = number(status.get("restoreRate")), number(status.get("maximumAvailable"))
    if asked is None or there is None or rate is None or most is None:
        return None
    plausible = 0 <= asked <= most <= _MOST_POINTS and abs(there) <= most and 0 < most <= rate * _LONGEST_FILL
    return Points(float(asked), float(there), float(rate), float(most)) if plausible else None


def _is_never_affordable(said: Mapping[str, Any]) -> bool:
    """Whether a query needs more points than there can be."""
    cost = mapping(mapping(said.get("extensions")).get("cost"))
    asked = number(cost.get("requestedQueryCost"))
    most = number(mapping(cost.get("throttleStatus")).get("maximumAvailable"))
    return asked is not None and most is not None and 0 < most < asked


def _until_affordable(points: Points | None) -> float:
    """Seconds until a request that was refused finds its points."""
    if points is None or points.there >= points.asked:
        return _PAUSE
    return min(_LONGEST, math.ceil((points.asked - points.there) / points.rate * 10) / 10)


def form(request: ApiRequest) -> str:
    """Queries of one text cost as much for as many rows, whichever rows these are."""
    try:
        said = orjson.loads(request.body)
        variables = {name: said["variables"].get(name) for name in _COUNTS}
    except (ValueError, KeyError, AttributeError):
        return ""
    return body_hash(orjson.dumps([said["query"], variables]))


API: ShopApi[ShopifySettings] = ShopApi(
    base_url=base_url,
    authorise=authorise,
    limit=limit,
    token=token,
    scopes=("read_orders", "read_customers", "read_products", "read_all_orders for more than 60 days"),
    heard=heard,
    form=form,
)
