"""The settings that only Shopify's stores have."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

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

    def complaint(self, authorised_domains: Sequence[str]) -> str | None:
        """As `StoreSettings.complaint`: the domain must be the one where buyers see products."""
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
