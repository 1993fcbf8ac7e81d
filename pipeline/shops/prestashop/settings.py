"""The settings that only PrestaShop's stores have."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline import config_values
from pipeline.config_values import Secret
from pipeline.shops.base import StoreOf
from pipeline.shops.settings import StoreSettings

_Number = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,9}$")]
_Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*$")]


class PrestashopSettings(StoreSettings):
    """One PrestaShop store."""

    webservice_key: Secret | None = Field(
        default=None,
        description="key of the shop's webservice, with the right to view what is fetched",
        examples=[{"env": "PRESTASHOP_ACME_ES_KEY"}],
    )
    api_url: Annotated[str, AfterValidator(config_values.web_address)] | None = Field(
        default=None,
        description="address of the API, without its paths; left out, https:// and the host of `domain`",
        examples=["https://shop.example"],
    )
    shop_id: _Number | None = Field(
        default=None,
        description="id of the shop in an installation of several; what belongs to another one is ignored",
        examples=["1"],
    )
    language_id: _Number | None = Field(
        default=None,
        description="id of the language products are told in; left out, the first that has a text",
        examples=["1"],
    )
    languages: dict[_Number, _Language] | None = Field(
        default=None,
        description="language of each id that bodies say, for a store that feeds several accounts",
        examples=[{"1": "es", "2": "pt"}],
    )
    awaiting_states: tuple[str, ...] = Field(
        default=("1", "10", "12", "13"),
        description="ids of the order states that put a sale in question without undoing it: awaiting a "
        "cheque, a transfer, goods, or cash on delivery",
    )
    friendly_url: Annotated[str, Field(pattern=r"^(?:[A-Za-z0-9._/-]|\{id\}|\{rewrite\}){1,100}$")] = Field(
        default="{id}-{rewrite}.html",
        description="form of a product page's address, as the shop's SEO settings have it",
    )
    tax_rate: Annotated[Decimal, Field(ge=0, le=100)] | None = Field(
        default=None,
        description="percentage that is added to catalogue prices, which the API gives as they were entered; "
        "left out, nothing is",
        examples=[21],
    )

    def language(self, number: str | None) -> str | None:
        """The language of an id; None where the store does not say it."""
        return (self.languages or {}).get(number or "")

    def complaint(self, authorised_domains: Sequence[str]) -> str | None:
        """As `StoreSettings.complaint`: without the webservice nothing is understood."""
        if self.webservice_key is None:
            return "webservice_key: missing; webhooks only name what the shop's webservice is then asked for"
        return super().complaint(authorised_domains)


PrestashopStore = StoreOf[PrestashopSettings]
