"""Every shop platform this program understands, by the name used in URLs and settings."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.shops.base import ShopAdapter
from pipeline.shops.shopify import SHOPIFY
from pipeline.shops.woocommerce import WOOCOMMERCE

ADAPTERS: Mapping[str, ShopAdapter] = {adapter.platform: adapter for adapter in (SHOPIFY, WOOCOMMERCE)}
