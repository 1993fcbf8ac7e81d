"""Every shop platform this program understands, by the name used in URLs and settings. A new one is a row."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.shops.generic import GENERIC
from pipeline.shops.magento import MAGENTO
from pipeline.shops.platform import AnyPlatform
from pipeline.shops.prestashop import PRESTASHOP
from pipeline.shops.shopify import SHOPIFY
from pipeline.shops.vtex import VTEX
from pipeline.shops.woocommerce import WOOCOMMERCE

PLATFORMS: Mapping[str, AnyPlatform] = {
    platform.name: platform
    for platform in (
        SHOPIFY,
        WOOCOMMERCE,
        PRESTASHOP,
        MAGENTO,
        VTEX,
        GENERIC,
    )
}
