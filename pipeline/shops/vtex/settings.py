"""The settings that only VTEX's stores have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline import config_values
from pipeline.config_values import Secret
from pipeline.shops.base import StoreOf
from pipeline.shops.settings import StoreSettings


class VtexSettings(StoreSettings):
    """One VTEX store."""

    vtex_account: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$")] = Field(
        description="the account's name at VTEX, as its hook says it in `Origin.Account`",
        examples=["acmestore"],
    )
    app_key: Secret = Field(
        description="key of an application of your own: a hook is one key's, and a new one replaces it",
        examples=[{"env": "VTEX_APP_KEY"}],
    )
    app_token: Secret = Field(description="its token", examples=[{"env": "VTEX_APP_TOKEN"}])
    api_url: Annotated[str, AfterValidator(config_values.web_address)] | None = Field(
        default=None,
        description="where its API answers; left out, https://<vtex_account>.vtexcommercestable.com.br",
        examples=["https://acmestore.vtexcommercestable.com.br"],
    )
    orders: Literal["hook", "feed"] = Field(
        default="hook",
        description="what tells of orders: the hook alone, or also the feed, which the sync worker reads",
    )
    secret_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,60}$")] = Field(
        default="X-Webhook-Secret", description="header of the hook's configuration that holds the secret"
    )
    money_divisor: int = Field(
        default=100, ge=1, le=10_000, description="what the amounts of orders are divided by"
    )
    accept_marketplace_orders: bool = Field(
        default=False, description="whether orders that a marketplace sold, and this store ships, count"
    )
    create_clients: bool = Field(
        default=False,
        description="whether who subscribes in Connectif, and is no client of the shop, is made one",
    )
    sales_channel: Annotated[str, Field(pattern=r"^[0-9]{1,6}$")] = Field(
        default="1", description="trade policy whose prices the catalogue shows"
    )
    requests_per_minute: int = Field(
        default=600,
        ge=1,
        le=6_000,
        description="to its API; VTEX stands 6,000 for all its integrations together",
    )

    def complaint(self, authorised_domains: Sequence[str]) -> str | None:
        """As `StoreSettings.complaint`: the domain must be the shop's own, not VTEX's technical one."""
        host = self.domain.partition("/")[0].lower()
        if is_technical(host) and host not in {url.lower().partition("://")[2] for url in authorised_domains}:
            return f"domain: {host} is a technical address of VTEX; name the one where buyers see products"
        return None


_TECHNICAL = re.compile(r"(?:^|\.)(?:vtexcommercestable\.com(?:\.br)?|vtexlocal\.com\.br|myvtex\.com)$")


def is_technical(host: str) -> bool:
    """Whether a host is VTEX's, not the shop's."""
    return _TECHNICAL.search(host) is not None


VtexStore = StoreOf[VtexSettings]
