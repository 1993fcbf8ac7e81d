"""Shopify: webhooks of the Admin API, bodies of API versions 2024-04 to 2026-04 and older REST shapes."""

from pipeline.shops.shopify.platform import SHOPIFY

__all__ = ["SHOPIFY"]
