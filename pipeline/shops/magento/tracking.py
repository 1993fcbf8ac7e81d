"""What the pages of Magento's shops tell Connectif's web client."""

from __future__ import annotations

import re

from pipeline.shops.tracking import WebTracking

TRACKING = WebTracking(
    purchase_id="number",
    said="Connectif's Magento module sends the increment_id, which is `number`",
    id_forms={"number": re.compile(r"0{2,}[0-9]{3,}|[0-9]{9}")},
    lines="Connectif's Magento module names the variant in a purchase's lines, and the parent on its page",
)
