"""WooCommerce's REST API: where it is, and what lets requests in."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from pipeline.shops.api import ApiRequest, Moment, RequestLimit, ShopApi
from pipeline.shops.examination import plain_api
from pipeline.shops.woocommerce.settings import WooCommerceSettings

ROOT = "/wp-json/wc/v3"


def written(method: str, path: str, **fields: Any) -> ApiRequest:
    """A request with a body."""
    body = json.dumps(fields).encode()
    return ApiRequest(ROOT + path, method, {"content-type": "application/json"}, body)


def is_ready(settings: WooCommerceSettings) -> bool:
    """Whether the API can be asked."""
    return settings.consumer_key is not None and settings.consumer_secret is not None


def _base_url(settings: WooCommerceSettings) -> str:
    return (settings.api_url or f"https://{settings.domain.partition('/')[0]}").rstrip("/")


def _authorise(settings: WooCommerceSettings, _: ApiRequest, moment: Moment) -> Mapping[str, str]:  # noqa: ARG001 - as `ShopApi` has it
    """Basic; caches are asked to stay out of it."""
    if settings.consumer_key is None or settings.consumer_secret is None:
        return {}
    pair = f"{settings.consumer_key.get_secret_value()}:{settings.consumer_secret.get_secret_value()}"
    return {
        "authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
        "cache-control": "no-cache",
    }


API: ShopApi[WooCommerceSettings] = plain_api(
    _base_url, _authorise, RequestLimit(requests=2, seconds=1.0, parallel=2, pause=30.0)
)
