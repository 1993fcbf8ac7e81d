"""The settings of a store that any platform may have; a platform adds its own in a subclass of its folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import time
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from pipeline import config_values
from pipeline.config_section import Section
from pipeline.config_values import CallbackToken, Name, Secret
from pipeline.events import Kind

#: In a route's condition: bodies that do not say.
NONE_SAID = "none"


def _tags(value: object) -> object:
    """One value, or a list of them, in lower case and with `-` between the parts of a language."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list | tuple):
        return listed
    return tuple(one.strip().lower().replace("_", "-") if isinstance(one, str) else one for one in listed)


def _texts(value: object) -> object:
    return (value,) if isinstance(value, str | int) else value


class RouteSettings(Section):
    """An account that gets part of a store's events: what says all that is named here."""

    account: Name = Field(description="name of the account", examples=["acme-es"])
    language: Annotated[
        tuple[Annotated[str, Field(pattern=r"^([a-z]{2,3}(-[a-z0-9]{2,8})*|none)$")], ...],
        BeforeValidator(_tags),
    ] = Field(
        default=(),
        description="of the body, one or several: `es` is also `es-MX`, unless a route of the store names "
        "that; `none` for bodies that say none",
        examples=["fr"],
    )
    shop: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_texts)] = Field(
        default=(),
        description="of the body, where one feed has several shops: its id or domain; `none` as above",
        examples=["2"],
    )
    currency: Annotated[
        tuple[Annotated[str, Field(pattern="^([A-Z]{3}|none)$")], ...], BeforeValidator(_texts)
    ] = Field(default=(), description="of the body; `none` as above", examples=["EUR"])
    callback_tokens: tuple[CallbackToken, ...] = Field(
        default=(),
        max_length=2,
        description="as those of a store, for the account: which of the store's a callback comes from, the "
        "token in its address says. In one of an account's routes",
        examples=[[{"env": "CALLBACK_ACME_ES"}]],
    )


class ReconcileSettings(Section):
    """Compares the store's orders with Connectif every day, as `pipeline reconcile` does."""

    at: Annotated[time, BeforeValidator(config_values.time_of_day)] = Field(
        description="from when on, by the store's clocks (timezone)", examples=["04:30"]
    )
    days: int = Field(default=7, ge=1, le=400, description="how many days before today are compared")
    shop: Literal["api", "events"] | Annotated[Path, AfterValidator(config_values.some_path)] | None = Field(
        default=None,
        description="the shop's list of orders, a file that is written anew each day before that time; api: "
        "what its API lists; events: the orders that events came of; left out, api where the store has "
        "credentials for it, else events",
        examples=["orders_export.csv"],
    )
    connectif_export: Literal["api"] | None = Field(
        default=None,
        description="where what Connectif has is read besides the receipts: api asks for its export of "
        "activities",
        examples=["api"],
    )
    verify: bool = Field(
        default=False,
        description="whether Connectif is asked for each purchase, in the calls that others leave",
    )
    repair: bool = Field(
        default=False,
        description="whether what is missing is sent again, where its events are kept, or read from the "
        "shop's API, where the list is the API's",
    )
    reports: Annotated[Path, AfterValidator(config_values.some_path)] | None = Field(
        default=None,
        description="directory of the reports, kept for 90 days; left out, reconcile/reports in data_dir",
        examples=["/var/reports"],
    )
    columns: dict[Literal["id", "number", "date", "total", "status"], str] = Field(
        default_factory=dict,
        description="headings in the shop's list that are not the usual ones",
        examples=[{"id": "Order reference"}],
    )
    export_columns: dict[Literal["id", "date", "total"], str] = Field(
        default_factory=dict,
        description="headings in Connectif's export that are not the usual ones",
        examples=[{"id": "Purchase"}],
    )
    date_format: str | None = Field(
        default=None, description="of the list's dates; left out, ISO 8601", examples=["%d/%m/%Y %H:%M"]
    )
    decimal: Literal[".", ","] | None = Field(
        default=None,
        description="decimal separator of the list; left out, told from each amount",
        examples=[","],
    )


class PullSettings(Section):
    """Reads the store's contacts, products and orders from its API; for stores with credentials for it."""

    daily: bool = Field(
        default=True,
        description="whether what changed, the whole catalogue and the orders of a day are read every day",
    )
    at: Annotated[time, BeforeValidator(config_values.time_of_day)] = Field(
        default=time(3, 30), description="from when on, by the store's clocks (timezone)", examples=["03:30"]
    )
    kinds: tuple[Kind, ...] = Field(
        default=(Kind.CUSTOMER, Kind.PRODUCT, Kind.ORDER), min_length=1, description="what is read"
    )


class StoreSettings(Section):
    """One shop feed: how it is trusted, and what its bodies mean (each question: docs/decisions.md)."""

    platform: str = Field(description="what the shop runs on")
    account: Name | None = Field(
        default=None, description="name of the account that it feeds", examples=["acme-es"]
    )
    routes: tuple[RouteSettings, ...] = Field(
        default=(),
        description="instead of `account`: several accounts, each for a language, shop or currency. What "
        "fits none of them is a dead letter, `no_account`",
    )
    domain: Annotated[str, AfterValidator(config_values.shop_address)] = Field(
        description="where buyers see products, without https://", examples=["acme.example"]
    )
    secrets: tuple[Secret, ...] = Field(
        min_length=1,
        max_length=2,
        description="what the shop signs with; two at once while you rotate: the new one, then the old one",
        examples=[[{"env": "SHOP_ACME_ES"}]],
    )
    callback_tokens: tuple[CallbackToken, ...] = Field(
        default=(),
        max_length=2,
        description="what the addresses of Connectif's newsletter callbacks hold (docs/newsletter.md); two "
        "at once while you rotate: the new one, then the old one. Left out, there are no callbacks",
        examples=[[{"env": "CALLBACK_ACME_ES"}]],
    )
    timezone: Annotated[str, AfterValidator(config_values.known_zone)] = Field(
        default="UTC", description="read for dates without an offset"
    )
    purchase_id: Literal["id", "number", "name"] = Field(
        default="id", description="what a purchase is known by; must be what your web tracking sends"
    )
    product_id: Literal["product", "variant", "sku"] = Field(
        default="product",
        description="what a product is known by, in the catalogue and in the lines; without a SKU, its id",
    )
    id_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,20}$")] = Field(
        default="",
        description="put before the ids of orders and products, for stores that share an account: without it "
        "those that could give the same id to two are refused. Web tracking must send it too",
    )
    tax: Literal["as_shown", "included", "excluded"] = Field(
        default="as_shown", description="whether prices are sent with tax"
    )
    sold_statuses: frozenset[str] | None = Field(
        default=None, description="of orders that are sold; left out, the platform's own", examples=[["paid"]]
    )
    on_order_deleted: Literal["retract", "keep"] = Field(
        default="retract", description="what becomes of the purchase of an order deleted in the shop"
    )
    on_partial_refund: Literal["replace", "keep"] = Field(
        default="replace",
        description="what becomes of the purchase of an order refunded in part; with all units or all money "
        "back, it is taken back",
    )
    on_product_deleted: Literal["hide", "delete"] = Field(
        default="hide", description="what becomes of a deleted product; deleted, its history goes with it"
    )
    on_customer_deleted: Literal["keep", "delete"] = Field(
        default="keep", description="what becomes of a deleted customer's contact"
    )
    guests_without_email: Literal["park", "external_id"] = Field(
        default="park", description="what becomes of an order without an e-mail address"
    )
    contacts_from_unsold_orders: bool = Field(
        default=False, description="whether an order that is not sold makes a contact"
    )
    placeholder_product: str | None = Field(
        default=None,
        description="product id for orders without lines; left out, such an order is a dead letter",
        examples=["unknown"],
    )
    product_url: Annotated[str, AfterValidator(config_values.page_address)] | None = Field(
        default=None,
        description="page of a product known only from orders, with {domain}, {id} and {sku} filled in; "
        "left out, the platform's own form",
        examples=["https://{domain}/p/{id}"],
    )

    allow_private: bool = Field(
        default=False,
        description="whether its API's address may lead into a private network though its name is one of the "
        "internet",
    )
    reconcile: ReconcileSettings | None = Field(
        default=None, description="compare the store's orders with Connectif every day"
    )
    sync: PullSettings = Field(
        default=PullSettings(), description="read the store's contacts, products and orders from its API"
    )

    @model_validator(mode="after")
    def _feeds_an_account(self) -> Self:
        if (self.account is None) == (not self.routes):
            raise ValueError("name the `account` that it feeds, or `routes` to several, not both")
        if self.callback_tokens and len(self.accounts) > 1:
            raise ValueError("`callback_tokens`: name those of each account in its route")
        known = Counter(
            token
            for tokens in self.callbacks.values()
            for token in {one.get_secret_value() for one in tokens}
        )
        if any(count > 1 for count in known.values()):
            raise ValueError("`callback_tokens`: two accounts have the same one, so that it tells neither")
        return self

    @property
    def callbacks(self) -> dict[str, tuple[SecretStr, ...]]:
        """The tokens of each account whose newsletter callbacks are taken."""
        found: dict[str, tuple[SecretStr, ...]] = {}
        if self.callback_tokens:
            found[self.accounts[0]] = self.callback_tokens
        for route in self.routes:
            if route.callback_tokens:
                found[route.account] = (*found.get(route.account, ()), *route.callback_tokens)
        return found

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts that it feeds, each once."""
        if self.account is not None:
            return (self.account,)
        return tuple(dict.fromkeys(route.account for route in self.routes))

    def complaint(self, authorised_domains: Sequence[str]) -> str | None:  # noqa: ARG002 - platforms use it
        """Why the store cannot be served with these settings, beginning with the wrong one's name.

        Args:
            authorised_domains: of the store's account, as Connectif has them.
        """
        return None
