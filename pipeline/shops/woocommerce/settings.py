"""The settings that only WooCommerce's stores have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline import config_values
from pipeline.config_values import Secret
from pipeline.shops.base import StoreOf
from pipeline.shops.settings import StoreSettings


class WoocommerceSettings(StoreSettings):
    """One WooCommerce store."""

    api_url: Annotated[str, AfterValidator(config_values.web_address)] | None = Field(
        default=None,
        description="address of the API, without its paths; left out, https:// and the host of `domain`",
        examples=["https://shop.example"],
    )
    consumer_key: Secret | None = Field(
        default=None,
        description="key of the REST API, with read permission; read and write to make webhooks",
        examples=[{"env": "WOO_ACME_ES_KEY"}],
    )
    consumer_secret: Secret | None = Field(
        default=None, description="its secret", examples=[{"env": "WOO_ACME_ES_SECRET"}]
    )

    def complaint(self, authorised_domains: Sequence[str]) -> str | None:
        """As `StoreSettings.complaint`: key and secret belong together."""
        if (self.consumer_key is None) != (self.consumer_secret is None):
            return "consumer_secret: consumer_key and consumer_secret belong together, and one is missing"
        return super().complaint(authorised_domains)


WoocommerceStore = StoreOf[WoocommerceSettings]
