"""The settings of an account of Connectif, and of the coupon sets that are kept filled in it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline import config_values
from pipeline.config_section import Section
from pipeline.config_values import CouponSetId, Name, Secret


class CouponSetSettings(Section):
    """A coupon set of Connectif that is kept filled from codes given to it in advance."""

    set_id: CouponSetId = Field(description="its id in Connectif", examples=["6072374b4d3ceb76e44d4323"])
    low: int = Field(ge=1, description="top it up when fewer codes are available", examples=[200])
    batch: int = Field(default=500, ge=1, description="codes of one top-up")
    every: float = Field(default=600.0, ge=10, description="seconds between checks; each costs a call")


class AccountSettings(Section):
    """One Connectif account: a store in one language and one currency, with its own budget."""

    api_key: Annotated[Secret, AfterValidator(config_values.key_of_connectif)] = Field(
        description='"id:secret", from Store settings > API and IP access > API Keys',
        examples=[{"env": "CONNECTIF_ACME_ES"}],
    )
    base_url: Annotated[str, AfterValidator(config_values.web_address)] = Field(
        default="https://api.connectif.cloud",
        description="of Connectif; http:// only for a sandbox on this machine or in a private network",
    )
    allow_private: bool = Field(
        default=False,
        description="whether base_url may lead into a private network though its name is one of the internet",
    )
    calls_per_minute: int = Field(default=100, ge=1, le=1_000_000_000, description="what the account may do")
    reserve_calls: int = Field(default=0, ge=0, description="of these a minute, left to others' scripts")
    window_seconds: float = Field(
        default=60.0, ge=0.001, description="the limit's minute; shorter on sandboxes"
    )
    authorised_domains: tuple[Annotated[str, AfterValidator(config_values.web_origin)], ...] = Field(
        default=(),
        description="as in Connectif, with https://: Store settings > Channels > Web > Advanced",
        examples=[["https://acme.example"]],
    )
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = Field(
        default=None,
        description="the account's; orders in another are dead letters. Left out, orders in any pass",
        examples=["EUR"],
    )
    purchases_since: date | None = Field(
        default=None,
        description="orders placed before this day make no purchase; left out, all do",
        examples=[date(2024, 1, 1)],
    )
    coupon_field: Annotated[str, Field(pattern=r"^[A-Za-z0-9]\w{0,99}$")] | None = Field(
        default=None,
        description="id of the contact field that gets the codes an order used; it must exist",
        examples=["last_coupon"],
    )
    coupons: dict[Name, CouponSetSettings] = Field(
        default_factory=dict, description="coupon sets to keep filled, by names of your choice"
    )

    @model_validator(mode="after")
    def _something_is_left(self) -> Self:
        if self.reserve_calls >= self.calls_per_minute:
            raise ValueError("reserve_calls must be less than calls_per_minute, or nothing could be sent")
        return self

    @model_validator(mode="after")
    def _sets_are_watched_once(self) -> Self:
        ids = [coupon_set.set_id for coupon_set in self.coupons.values()]
        if len(set(ids)) < len(ids):
            raise ValueError("two of the coupons have the same set_id")
        return self
