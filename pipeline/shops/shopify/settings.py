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
        description="address of the API, without its paths; of Shopify where it keeps the shop; of others, "
        "left out, https:// and the host of `domain`",
        examples=["https://acme-es.myshopify.com"],
    )
    access_token: Secret | None = Field(
        default=None,
        description="of the API, of an app or integration of the shop's own, where it does not expire",
        examples=[{"env": "SHOPIFY_ACME_ES_TOKEN"}],
    )
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,100}$")] | None = Field(
        default=None,
        description="of an app of Shopify's Dev Dashboard, instead of access_token",
        examples=["0a1b2c3d4e5f"],
    )
    client_secret: Secret | None = Field(
        default=None, description="its secret", examples=[{"env": "SHOPIFY_ACME_ES_CLIENT_SECRET"}]
    )

    webhooks_by: Literal["hand", "app"] = Field(
        default="hand",
        description="who makes the webhooks: a person in the shop's admin, or the app of the credentials, by "
        "`pipeline check --repair`; each sees only its own",
    )

    @property
    def readable(self) -> bool:
        """Whether the API can be read."""
        return self.access_token is not None or self.client_id is not None

    def complaint(self, authorised_domains: Sequence[str]) -> str | None:
        """As `StoreSettings.complaint`: the domain buyers see, and credentials that go together."""
        host = self.domain.partition("/")[0].lower()
        kept = host.endswith(_KEPT_AT)
        if kept and host not in {url.lower().partition("://")[2] for url in authorised_domains}:
            return (
                f"domain: {host} is where Shopify keeps the shop, not where buyers see products; name the "
                "shop's own domain, or, where it has no other, put "
                f"https://{host} into the account's authorised_domains"
            )
        return self._incomplete() or super().complaint(authorised_domains)

    def _incomplete(self) -> str | None:
        """What is missing of the API's credentials."""
        if (self.client_id is None) != (self.client_secret is None):
            missing = "client_id" if self.client_id is None else "client_secret"
            return f"{missing}: missing, though its other half is there"
        if self.access_token is not None and self.client_id is not None:
            return "access_token: an app has it, or client_id and client_secret, and both are there"
        if self.readable and self.api_url is None:
            return "api_url: missing; the API is where Shopify keeps the shop (https://NAME.myshopify.com)"
        return None


ShopifyStore = StoreOf[ShopifySettings]
