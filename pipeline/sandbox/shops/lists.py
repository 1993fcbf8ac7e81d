"""The rows that a simulated shop lists page by page, and what is wrong with its lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Row = dict[str, Any]
Rows = Mapping[str, Mapping[str, Row]]


class ListSettings(BaseModel):
    """How a shop lists its rows, and which traps its lists have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    platform: Literal["woocommerce", "shopify", "prestashop", "magento", "vtex", "generic"]
    most: int = Field(default=100, ge=1, le=250, description="rows of a page, at most; more is refused")
    old: bool = Field(default=False, description="WooCommerce: does not know orderby=modified")
    total_off: int = Field(default=0, description="WooCommerce: by how much its totals lie")
    hidden: frozenset[str] = Field(
        default=frozenset(), description="ids that are counted and not shown: the key may not read them"
    )
    points: float = Field(default=2_000.0, gt=0, description="Shopify: of the bucket")
    restore: float = Field(default=100.0, gt=0, description="Shopify: points a second")
    dearest: int = Field(default=1_000, ge=1, description="Shopify: points of one query, at most")
    denied: frozenset[str] = Field(default=frozenset(), description="Shopify: lists without a right")


class ListAnswer(BaseModel):
    """What is answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: int = 200
    body: Any = None
    headers: dict[str, str] = Field(default_factory=dict)
