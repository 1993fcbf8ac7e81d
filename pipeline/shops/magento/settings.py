"""The settings that only Magento's stores have."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline import config_values
from pipeline.config_values import Secret
from pipeline.shops.base import StoreOf
from pipeline.shops.magento.signatures import is_public_key, readable_key
from pipeline.shops.settings import StoreSettings

_OAUTH = ("consumer_key", "consumer_secret", "access_token_secret")
_JOURNAL = ("events_client_id", "events_client_secret", "events_organisation")
_IMS = ("ims_client_id", "ims_client_secret", "ims_organisation")
_Number = Annotated[str, Field(pattern=r"^[0-9]{1,10}$")]
_Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*$")]
#: Path and scheme are ours to write.
_Part = Annotated[str, Field(pattern=r"^[A-Za-z0-9._@-]{1,100}$")]


class MagentoSettings(StoreSettings):
    """One store of Magento Open Source, Adobe Commerce or Commerce as a Cloud Service."""

    purchase_id: Literal["id", "number", "name"] = Field(
        default="number",
        description="what a purchase is known by; must be what your web tracking sends",
    )
    api_url: Annotated[str, AfterValidator(config_values.web_address)] | None = Field(
        default=None,
        description="address of the API, without its paths; left out, https:// and the host of `domain`",
        examples=["https://shop.example"],
    )
    access_token: Secret | None = Field(
        default=None,
        description="access token of an integration in the shop; not for the cloud service",
        examples=[{"env": "MAGENTO_ACME_ES_TOKEN"}],
    )
    consumer_key: Secret | None = Field(
        default=None,
        description="of the integration, where the shop takes OAuth 1.0a only, with the two that follow",
        examples=[{"env": "MAGENTO_ACME_ES_CONSUMER_KEY"}],
    )
    consumer_secret: Secret | None = Field(
        default=None,
        description="of the integration; see consumer_key",
        examples=[{"env": "MAGENTO_ACME_ES_CONSUMER_SECRET"}],
    )
    access_token_secret: Secret | None = Field(
        default=None,
        description="of the integration; see consumer_key",
        examples=[{"env": "MAGENTO_ACME_ES_TOKEN_SECRET"}],
    )
    ims_client_id: _Part | None = Field(
        default=None,
        description="client id of the Adobe project whose tokens open Commerce as a Cloud Service",
        examples=["0a1b2c3d4e5f"],
    )
    ims_client_secret: Secret | None = Field(
        default=None,
        description="its client secret",
        examples=[{"env": "ADOBE_ACME_ES_SECRET"}],
    )
    ims_organisation: _Part | None = Field(
        default=None, description="its organisation", examples=["0A1B2C3D@AdobeOrg"]
    )
    events_client_id: _Part | None = Field(
        default=None,
        description="client id of the Adobe project that registered the events: Adobe's keys sign other "
        "shops' events, too, so needed with them",
        examples=["0a1b2c3d4e5f"],
    )
    journal_url: Annotated[str, AfterValidator(config_values.web_address)] | None = Field(
        default=None,
        description="address of the registration's journal at Adobe; where it is set, the events are read "
        "there, whether webhooks come or not; needs events_client_id and the two that follow",
        examples=["https://events-va6.adobe.io/events-fast/organizations/1/integrations/2/0a1b2c3d"],
    )
    events_client_secret: Secret | None = Field(
        default=None,
        description="client secret of the project that registered the events",
        examples=[{"env": "ADOBE_EVENTS_ACME_ES_SECRET"}],
    )
    events_organisation: _Part | None = Field(
        default=None, description="its organisation", examples=["0A1B2C3D@AdobeOrg"]
    )
    store_code: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,31}$")] = Field(
        default="all", description="code of the store view whose names and prices products are read with"
    )
    store_ids: frozenset[str] | None = Field(
        default=None,
        description="ids of the store views that belong to this store; orders of others are ignored",
        examples=[["1", "2"]],
    )
    website_ids: frozenset[str] | None = Field(
        default=None,
        description="ids of the websites that belong to this store; people and products of others are "
        "ignored",
        examples=[["1"]],
    )
    languages: dict[_Number, _Language] | None = Field(
        default=None,
        description="language of each id that bodies say, for a store that feeds several accounts",
        examples=[{"1": "es", "2": "pt"}],
    )
    media_url: Annotated[str, AfterValidator(config_values.page_address)] | None = Field(
        default=None,
        description="where pictures are, before /catalog/product; left out, /media of `domain`",
        examples=["https://{domain}/media"],
    )
    url_suffix: Annotated[str, Field(pattern=r"^[A-Za-z0-9./_-]{0,20}$")] = Field(
        default=".html", description="what the addresses of product pages end in"
    )
    tax_rate: Annotated[Decimal, Field(ge=0, le=100)] | None = Field(
        default=None,
        description="percentage that is added to catalogue prices, which the API gives as they were entered; "
        "left out, nothing is",
        examples=[21],
    )

    def language(self, view: str | None) -> str | None:
        """The language of a store view's id; None where the store does not say it."""
        return (self.languages or {}).get(view or "")

    @property
    def in_cloud(self) -> bool:
        """Whether it is a tenant of Commerce as a Cloud Service: other paths, and tokens that expire."""
        return self.ims_client_id is not None

    def complaint(self, authorised_domains: Sequence[str]) -> str | None:
        """As `StoreSettings.complaint`: what does not fit together of credentials and keys."""
        given = {name: getattr(self, name) is not None for name in ("access_token", *_OAUTH, *_IMS)}
        for group in (_OAUTH, _IMS):
            missing = [name for name in group if not given[name]]
            if missing and len(missing) < len(group):
                return f"{missing[0]}: missing, though {next(name for name in group if given[name])} is there"
        if given["ims_client_id"] == given["access_token"]:
            both = "both are there" if given["access_token"] else "neither is there"
            return f"access_token: an integration's access_token opens the API, or ims_client_id, and {both}"
        if self.in_cloud and self.api_url is None:
            return "api_url: missing; in the cloud service it is the tenant's own"
        return self._keys_complaint() or super().complaint(authorised_domains)

    def _keys_complaint(self) -> str | None:
        """The same of what Adobe's events are checked with, and read with from the journal."""
        keys = [key for key in (one.get_secret_value() for one in self.secrets) if is_public_key(key)]
        if any(readable_key(key) is None for key in keys):
            return "secrets: a public key is not an RSA key in PEM form"
        if keys and self.events_client_id is None:
            return (
                "events_client_id: missing; Adobe's keys sign the events of all its customers, and this id "
                "tells yours"
            )
        unread = [name for name in _JOURNAL if self.journal_url is not None and getattr(self, name) is None]
        if unread:
            return f"{unread[0]}: missing; the journal cannot be read without it"
        return None


MagentoStore = StoreOf[MagentoSettings]
