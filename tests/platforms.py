"""What tests must know of each platform: a row each, as the program has one in pipeline/shops/registry.py."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import SecretStr

from pipeline.shops.base import WebhookRequest
from pipeline.shops.platform import AnyPlatform
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.settings import StoreSettings
from tests.shop_bodies import NOW_MS, ShopBodies, generic, magento, prestashop, shopify, vtex, woocommerce

#: (topic, body, secret, headers in lower case) -> these headers, with all that the platform adds to them.
Signer = Callable[[str, bytes, bytes, Mapping[str, str]], dict[str, str]]


@dataclass(frozen=True)
class PlatformInTests:
    """One platform, as its shops act.

    Attributes:
        signed: makes the headers of a genuine request; what signs it replaces what is given.
        delivery_header: which of them tells requests apart; "" where the body alone does.
        settings: what its stores cannot do without, beside what every store must have.
        with_topic: a document as it is sent under a topic: itself, or in an envelope that names the topic.
        signs_body: whether a signature covers the body; else a secret is only compared.
        at: the headers that say when a request is sent, in seconds since the epoch; left out, `NOW_MS`.
        signatures_header: the one that may hold several signatures, with blanks between; "" where none does.
        bodies: what its shops write; `tests/contract/test_platform_meanings.py` says what it must mean.
    """

    signed: Signer
    delivery_header: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    with_topic: Callable[[str, bytes], bytes] = lambda _, document: document
    signs_body: bool = True
    at: Callable[[float], Mapping[str, str]] = lambda _: {}
    signatures_header: str = ""
    bodies: ShopBodies = field(kw_only=True)


def base64_hmac(topic_header: str, signature_header: str) -> Signer:
    """For platforms that send base64(HMAC-SHA256(body)) and the topic as headers."""

    def signed(topic: str, body: bytes, secret: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        signature = base64.b64encode(hmac.digest(secret, body, "sha256")).decode()
        plain = {"content-type": "application/json", topic_header: topic}
        return {**plain, **headers, signature_header: signature}

    return signed


IN_TESTS: Mapping[str, PlatformInTests] = {
    "shopify": PlatformInTests(
        base64_hmac("x-shopify-topic", "x-shopify-hmac-sha256"),
        "x-shopify-webhook-id",
        bodies=shopify.BODIES,
    ),
    "vtex": PlatformInTests(
        vtex.signed,
        settings={
            "vtex_account": "exampleaccount",
            "app_key": SecretStr("key"),
            "app_token": SecretStr("token"),
        },
        with_topic=vtex.notification,
        signs_body=False,
        bodies=vtex.BODIES,
    ),
    "woocommerce": PlatformInTests(
        base64_hmac("x-wc-webhook-topic", "x-wc-webhook-signature"),
        "x-wc-webhook-delivery-id",
        bodies=woocommerce.BODIES,
    ),
    "generic": PlatformInTests(
        generic.signed,
        "webhook-id",
        with_topic=generic.in_envelope,
        at=generic.at,
        signatures_header="webhook-signature",
        bodies=generic.BODIES,
    ),
    "prestashop": PlatformInTests(
        prestashop.signed,
        settings={"webservice_key": "only-for-tests"},
        with_topic=prestashop.in_data,
        signs_body=False,
        bodies=prestashop.BODIES,
    ),
    "magento": PlatformInTests(
        magento.signed,
        "x-adobe-event-id",
        settings={"access_token": "only-for-tests"},
        with_topic=magento.in_data,
        bodies=magento.BODIES,
    ),
}


def settings_of(platform: str, **changes: object) -> StoreSettings:
    """Settings of a plain store of a platform, but for the changes."""
    plain = {
        "platform": platform,
        "account": "acme",
        "domain": "acme.example",
        "secrets": (SecretStr("key"),),
        **IN_TESTS[platform].settings,
    }
    settings: StoreSettings = PLATFORMS[platform].settings.model_validate(plain | changes)
    return settings


def verifies(
    platform: AnyPlatform, secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes
) -> bool:
    """Whether a plain store of the platform takes the request for genuine."""
    return platform.verify(secrets, WebhookRequest(headers, body, NOW_MS), settings_of(platform.name))


def genuine(
    platform: AnyPlatform, topic: str, document: bytes, secret: bytes, headers: Mapping[str, str]
) -> WebhookRequest:
    """A request as a shop of the platform sends it now."""
    shop = IN_TESTS[platform.name]
    body = shop.with_topic(topic, document)
    return WebhookRequest(shop.signed(topic, body, secret, headers), body, NOW_MS)


def greets(platform: AnyPlatform, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the platform takes the request for one without an event."""
    return platform.greeting is not None and platform.greeting(WebhookRequest(headers, body)) is not None
