"""Shopify's Admin API (GraphQL): where it is, and the two kinds of tokens that let requests in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from pipeline.shops.api import ApiRequest, Moment, RequestLimit, ShopApi
from pipeline.shops.examination import at, plain_api, said
from pipeline.shops.shopify.settings import ShopifySettings

VERSION = "2026-07"
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


def query(text: str, **variables: Any) -> ApiRequest:
    """The request that asks this."""
    body = json.dumps({"query": text, "variables": variables}).encode()
    return ApiRequest(
        f"/admin/api/{VERSION}/graphql.json", "POST", {"content-type": "application/json"}, body
    )


def errors_of(value: Any, *path: str) -> str:
    """What an answer with status 200 refuses, in its own words, shortened; "" for nothing."""
    listed = [*_listed(at(value, "errors")), *_listed(at(value, "data", *path, "userErrors"))]
    words = [said(at(one, "extensions", "code")) or said(at(one, "message")) for one in listed]
    return "; ".join(word for word in words if word)[:300]


def _listed(value: Any) -> list[Any]:
    return value[:5] if isinstance(value, list) else []


def is_ready(settings: ShopifySettings) -> bool:
    """Whether the API can be asked."""
    return settings.api_url is not None and (settings.access_token or settings.client_secret) is not None


def _base_url(settings: ShopifySettings) -> str:
    return (settings.api_url or "").rstrip("/")


def _authorise(settings: ShopifySettings, _: ApiRequest, moment: Moment) -> Mapping[str, str]:
    fixed = settings.access_token
    return {"X-Shopify-Access-Token": moment.token if fixed is None else fixed.get_secret_value()}


def _token(settings: ShopifySettings) -> ApiRequest | None:
    """The request for a token of a day; None where the store has one that does not expire."""
    if settings.access_token is not None or settings.client_secret is None:
        return None
    form = {
        "grant_type": "client_credentials",
        "client_id": settings.client_id or "",
        "client_secret": settings.client_secret.get_secret_value(),
    }
    address = f"{_base_url(settings)}/admin/oauth/access_token"
    return ApiRequest(address, "POST", _FORM, urlencode(form).encode())


API: ShopApi[ShopifySettings] = plain_api(
    _base_url, _authorise, RequestLimit(requests=4, seconds=1.0, parallel=2, pause=10.0), _token
)
