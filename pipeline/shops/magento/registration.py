"""Adobe Commerce's event subscriptions, which the shop's own API lists and makes.

Where the events are posted to is kept at Adobe, behind other credentials. Shops of Magento Open Source have
modules instead, none of which can be asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.shops.api import ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.examination import said
from pipeline.shops.magento.settings import MagentoSettings
from pipeline.shops.magento.signatures import is_public_key
from pipeline.shops.magento.topics import TOPICS
from pipeline.shops.registration import Registered, RegisteredPage, ShopRegistration, rows_of

_FIELDS = ("entity_id", "increment_id", "sku", "product_id", "store_id", "updated_at")
_AT_ADOBE = (
    "Adobe Developer Console > the project > the registration: its webhook address is this store's, and its "
    "status is Active; a disabled one is enabled there by hand"
)


def _eventing(settings: MagentoSettings, what: str) -> str:
    return f"{'/V1' if settings.in_cloud else '/rest/all/V1'}/eventing/{what}"


def is_of_adobe(settings: MagentoSettings) -> bool:
    """Whether Adobe sends the store's events."""
    return any(is_public_key(secret.get_secret_value()) for secret in settings.secrets)


def wanted(settings: MagentoSettings) -> Sequence[str]:
    """The events by Adobe's names."""
    return TOPICS.wanted_by(settings)


def listing(settings: MagentoSettings) -> ApiRequest | None:
    """All subscriptions; None where a module sends the events."""
    return ApiRequest(_eventing(settings, "getEventSubscriptions")) if is_of_adobe(settings) else None


def read(settings: MagentoSettings, value: Any) -> RegisteredPage:  # noqa: ARG001 - as `ShopRegistration` has it
    """The subscriptions.

    Raises:
        Rejected: `not_webhooks`.
    """
    if not isinstance(value, list):
        raise Rejected("not_webhooks", "getEventSubscriptions", "no list")
    return RegisteredPage(
        [Registered(said(row.get("name")), said(row.get("name")), "", _fault(row)) for row in rows_of(value)]
    )


def _fault(row: Mapping[str, Any]) -> str:
    fields = {said(one.get("name")) for one in rows_of(row.get("fields"))}
    if fields and not fields & {"*", "entity_id", "id", "product_id", "sku"}:
        return "its fields lack entity_id, so that nothing says what it is about"
    return "it leaves events out (rules)" if row.get("rules") else ""


def create(settings: MagentoSettings, topic: str, address: str) -> ApiRequest:  # noqa: ARG001 - see there
    """A subscription; fields that an event lacks are left out of it by the shop."""
    event = {
        "name": topic,
        "parent": "",
        "fields": [{"name": name} for name in _FIELDS],
        "rules": [],
        "destination": "default",
        "priority": False,
    }
    return _written(settings, "POST", "eventSubscribe", event)


def mend(settings: MagentoSettings, webhook: Registered, address: str) -> Sequence[ApiRequest]:  # noqa: ARG001 - see there
    """The fields, which are added to those that are there."""
    event = {"name": webhook.topic, "fields": [{"name": name} for name in _FIELDS], "rules": []}
    return [_written(settings, "PUT", f"eventSubscribe/{webhook.topic}", event)]


def _written(settings: MagentoSettings, method: str, what: str, event: Mapping[str, Any]) -> ApiRequest:
    body = json.dumps({"event": event, "force": False}).encode()
    return ApiRequest(_eventing(settings, what), method, {"content-type": "application/json"}, body)


def by_hand(settings: MagentoSettings) -> Sequence[str]:
    """What is kept at Adobe, or in a module."""
    if is_of_adobe(settings):
        return (_AT_ADOBE,)
    return ()


REGISTRATION: ShopRegistration[MagentoSettings] = ShopRegistration(
    listing=listing,
    read=read,
    wanted=wanted,
    create=create,
    mend=mend,
    right="Magento_AdobeCommerceEventsClient::event_subscriptions, and ::event_subscribe to repair",
    by_hand=by_hand,
)
