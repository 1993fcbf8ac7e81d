"""The settings that only Shopify's stores have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline import config_values
from pipeline.config_values import Secret
from pipeline.shops.base import StoreOf
from pipeline.shops.settings import StoreSettings

#: Where Shopify keeps every shop, whatever domain buyers see.
_KEPT_AT = ".myshopify.com"


class ShopifySettings(StoreSettings):
    """One Shopify store."""

    accept_test_orders: bool = Field(
        default=False, description="whether test orders and test notifications count"
    )
    consent_from_orders: bool = Field(
        default=False,
        description="whether the box ticked at checkout subscribes; only for shops without double opt-in",
    )

    api_url: Annotated[str, AfterValidator(config_values.web_address)] | None = Field(
        default=None,
        description="address of the Admin API, without its paths: the shop's own at myshopify.com; needed by "
        "what asks the API",
        examples=["https://acme-es.myshopify.com"],
    )
    access_token: Secret | None = Field(
        default=None,
        description="access token of an app made in the shop's admin, which does not expire",
        examples=[{"env": "SHOPIFY_ACME_ES_TOKEN"}],
    )
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")] | None = Field(
        default=None,
        description="instead: client id of an app of the Dev Dashboard, whose tokens last a day",
        examples=["0a1b2c3d4e5f"],
    )
    client_secret: Secret | None = Field(
        default=None,
        description="its client secret, which also signs the webhooks that the app makes: put it into "
        "`secrets`, too",
        examples=[{"env": "SHOPIFY_ACME_ES_CLIENT_SECRET"}],
    )
    webhooks_by: Literal["hand", "app"] = Field(
        default="hand",
        description="who makes the webhooks: a person in the shop's admin, or the app of the credentials, by "
        "`pipeline check --repair`; each sees only its own",
    )

    def complaint(self, authorised_domains: Sequence[str]) -> str | None:
        """As `StoreSettings.complaint`: the domain must be the one where buyers see products."""
        if (self.client_id is None) != (self.client_secret is None):
            return "client_secret: client_id and client_secret belong together, and one is missing"
        host = self.domain.partition("/")[0].lower()
        if not host.endswith(_KEPT_AT):
            return None
        if host in {url.lower().partition("://")[2] for url in authorised_domains}:
            return None
        return (
            f"domain: {host} is where Shopify keeps the shop, not where buyers see products; name the shop's "
            f"own domain, or, where it has no other, put https://{host} into the account's authorised_domains"
        )


ShopifyStore = StoreOf[ShopifySettings]
