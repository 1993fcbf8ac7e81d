"""The settings that only PrestaShop's stores have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline import config_values
from pipeline.config_values import Secret
from pipeline.shops.base import StoreOf
from pipeline.shops.settings import StoreSettings

#: In `shop_id`: events of all shops of the installation belong to the store.
ALL_SHOPS = "all"
_PLACES = frozenset({"domain", "id", "rewrite", "lang", "category", "image", "product", "combination"})
_PLACE = re.compile(r"\{([^{}]*)\}")


def _known_places(value: str) -> str:
    """A pattern whose braces hold nothing but what is filled in."""
    unknown = [name for name in _PLACE.findall(value) if name not in _PLACES]
    if unknown:
        raise ValueError(f"{{{unknown[0]}}} is nothing that can be filled in")
    return value


_Pattern = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_known_places)]
_HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,60}$")]


class PrestashopSettings(StoreSettings):
    """One store of PrestaShop 1.7, 8 or 9."""

    api_key: Secret | None = Field(
        default=None,
        description="webservice key of the shop, with the right to read what docs/shops/prestashop.md lists",
        examples=[{"env": "PRESTASHOP_ACME_KEY"}],
    )
    api_url: Annotated[str, AfterValidator(config_values.web_address)] | None = Field(
        default=None,
        description="address of the shop before /api; left out, https:// and `domain`",
        examples=["https://acme.example/shop"],
    )
    api_key_in_query: bool = Field(
        default=False,
        description="whether the key is sent as ws_key= in the address, for hosts that take the header away; "
        "such hosts keep it in their logs",
    )
    api_requests_per_minute: int = Field(
        default=120, ge=1, le=6_000, description="to the webservice, which reads each object by itself"
    )
    api_parallel: int = Field(
        default=1, ge=1, le=8, description="requests to the webservice that may be under way at once"
    )
    secret_header: _HeaderName = Field(
        default="X-Webhook-Secret", description="header in which a module repeats the secret"
    )
    signature_header: _HeaderName = Field(
        default="X-Prestashop-Signature",
        description="header with the HMAC-SHA256 of the body in hex, for modules that sign; where it is "
        "there it must be right",
    )
    shop_id: Annotated[str, Field(pattern=r"^([1-9][0-9]{0,5}|all)$")] | None = Field(
        default=None,
        description="id of this shop in an installation with several: what is of others is ignored; `all` "
        "where the store has the events of all of them",
        examples=["2"],
    )
    languages: dict[Annotated[str, Field(pattern=r"^[1-9][0-9]{0,5}$")], str] = Field(
        default_factory=dict,
        description="tags of the shop's languages by their ids in PrestaShop; products are read in the first "
        "one",
        examples=[{"1": "es", "2": "fr"}],
    )
    page_url: _Pattern = Field(
        default="https://{domain}/{id}-{rewrite}.html",
        description="pages of products, as Shop Parameters > Traffic & SEO has them, with {domain}, {id}, "
        "{rewrite} (friendly URL), {category} (that of its category) and {lang} filled in",
    )
    image_url: _Pattern = Field(
        default="https://{domain}/{image}-large_default/{rewrite}.jpg",
        description="pictures of products, with {domain}, {image} (its id) and {rewrite} filled in",
    )
    combination_id: _Pattern = Field(
        default="{product}-{combination}",
        description='what a combination is known by with product_id = "variant": ids of combinations are not '
        "ids of products",
    )
    tax_rate: Annotated[Decimal, Field(ge=0, le=100)] | None = Field(
        default=None,
        description="percentage that is added to catalogue prices, which the webservice gives without tax; "
        "left out, nothing is",
        examples=[21],
    )

    def complaint(self, authorised_domains: Sequence[str]) -> str | None:
        """As `StoreSettings.complaint`: a module's call names an order, and only the webservice has it."""
        if self.api_key is None:
            return (
                "api_key: missing; modules only name what happened, and the shop's webservice says the rest"
            )
        return super().complaint(authorised_domains)


PrestashopStore = StoreOf[PrestashopSettings]
