"""What the pages of VTEX's shops tell Connectif's web client."""

from __future__ import annotations

import re

from pipeline.shops.tracking import WebTracking

TRACKING = WebTracking(
    id_forms={
        "id": re.compile(r"(?:[A-Z]{2,4}-)?v?[0-9]{6,16}[a-z]{2,6}-[0-9]{2}|[0-9]{10,16}-[0-9]{2}"),
    },
    marks=re.compile(
        r"\.vtexassets\.com|\.vtexcommercestable\.com|\.vteximg\.com|\bvtex\.render-server|\bvtexjs\b"
        r"|\bio\.vtex\.com|\bvtex\.events\.addData\b"
    ),
)
