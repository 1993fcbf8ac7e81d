"""The settings that only WooCommerce's stores have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline import config_values
from pipeline.config_values import Secret
from pipeline.shops.base import StoreOf
from pipeline.shops.settings import StoreSettings

_Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]


class WooCommerceSettings(StoreSettings):
    """One WooCommerce store."""

    api_url: Annotated[str, AfterValidator(config_values.web_address)] | None = Field(
        default=None,
        description="address of WordPress, without /wp-json; left out, https:// and `domain`",
        examples=["https://shop.example"],
    )
    consumer_key: Secret | None = Field(
        default=None,
        description="key of the API: a pair of WooCommerce's that may read, or a Magento integration's with "
        "OAuth 1.0a",
        examples=[{"env": "WOO_ACME_ES_KEY"}],
    )
    consumer_secret: Secret | None = Field(
        default=None, description="the secret of consumer_key", examples=[{"env": "WOO_ACME_ES_KEY_SECRET"}]
    )
    key_in_address: bool = Field(
        default=False,
        description="whether the key is sent in the address, for hosts that take the header away; they keep "
        "it in their logs",
    )
    consent_field: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")] | None = Field(
        default=None,
        description="field (user meta) in which the shop's newsletter plugin keeps consent; left out, none "
        "is read or written",
        examples=["mailchimp_woocommerce_is_subscribed"],
    )
    consent_values: tuple[_Word, _Word] = Field(
        default=("1", "unsubscribed"), description="what the field holds of who subscribes, and who does not"
    )
    api_requests_per_minute: int = Field(
        default=120, ge=1, le=6_000, description="requests to the API, at most; a small host stands few"
    )

    @property
    def readable(self) -> bool:
        """Whether the API can be read."""
        return self.consumer_key is not None

    def complaint(self, authorised_domains: Sequence[str]) -> str | None:
        """As `StoreSettings.complaint`: key and secret go together."""
        if (self.consumer_key is None) != (self.consumer_secret is None):
            missing = "consumer_key" if self.consumer_key is None else "consumer_secret"
            return f"{missing}: missing, though its other half is there"
        return super().complaint(authorised_domains)


WooCommerceStore = StoreOf[WooCommerceSettings]
