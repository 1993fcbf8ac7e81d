"""The settings that only stores of custom shops have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline import config_values
from pipeline.config_values import Secret
from pipeline.shops.base import StoreOf
from pipeline.shops.generic.signatures import is_malformed
from pipeline.shops.settings import StoreSettings


class GenericSettings(StoreSettings):
    """A custom shop's feed."""

    signature_tolerance: int = Field(
        default=300,
        ge=1,
        le=86_400,
        description="seconds by which a request's `webhook-timestamp` may differ from our clock; what is "
        "older or newer is refused",
    )
    accept_test_orders: bool = Field(
        default=False, description="whether test orders and test notifications count"
    )
    api_url: Annotated[str, AfterValidator(config_values.web_address)] | None = Field(
        default=None,
        description="address of the API, before /orders, /customers, /products and /consent; left out, it "
        "is not asked",
        examples=["https://shop.example/connectif/v1"],
    )
    api_token: Secret | None = Field(
        default=None,
        description="token that opens the API; another one than the webhooks' secret",
        examples=[{"env": "SHOP_ACME_ES_TOKEN"}],
    )
    api_requests_per_minute: int = Field(
        default=120, ge=1, le=6_000, description="requests to the API, at most"
    )

    @property
    def readable(self) -> bool:
        """Whether the shop's lists can be read."""
        return self.api_url is not None and self.api_token is not None

    def complaint(self, authorised_domains: Sequence[str]) -> str | None:  # noqa: ARG002 - as the base has it
        """A secret that says it is base64 must be; address and token go together."""
        if any(is_malformed(secret.get_secret_value()) for secret in self.secrets):
            return "secrets: one begins with whsec_, and what follows is not base64"
        if (self.api_url is None) != (self.api_token is None):
            missing = "api_url" if self.api_url is None else "api_token"
            return f"{missing}: missing, though the other of api_url and api_token is there"
        return None


#: A custom shop, as its readers see it.
GenericStore = StoreOf[GenericSettings]
