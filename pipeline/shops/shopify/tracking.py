"""What the pages of Shopify's shops tell Connectif's web client."""

from __future__ import annotations

import re

from pipeline.shops.tracking import WebTracking

TRACKING = WebTracking(
    id_forms={"name": re.compile(r"#.{1,50}")},
    marks=re.compile(r"cdn\.shopify\.com|\bShopify\.shop\b|\.myshopify\.com"),
)
