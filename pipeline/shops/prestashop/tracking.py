"""What the pages of PrestaShop's shops tell Connectif's web client."""

from __future__ import annotations

import re

from pipeline.shops.tracking import WebTracking

TRACKING = WebTracking(
    purchase_id="id",
    said="Connectif's PrestaShop module sends the order's id, not its reference",
    id_forms={"number": re.compile(r"[A-Z]{9}")},
)
