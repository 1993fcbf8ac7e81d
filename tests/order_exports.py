"""The order export of a Shopify admin, as the shop of a test would have it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Any

HEADINGS = (
    *("Name", "Email", "Financial Status", "Paid at", "Fulfillment Status", "Currency", "Subtotal", "Total"),
    *("Created at", "Lineitem quantity", "Lineitem name", "Notes", "Cancelled at", "Refunded Amount", "Id"),
)


def shopify_export(orders: Iterable[dict[str, Any]]) -> str:
    """A line for each line of an order; all but the first of an order hold its name and the line alone."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADINGS)
    for order in orders:
        placed = datetime.fromisoformat(order["created_at"]).strftime("%Y-%m-%d %H:%M:%S %z")
        whole = (
            *(
                order["name"],
                order["email"],
                order["financial_status"],
                placed,
                "fulfilled",
                order["currency"],
            ),
            *(
                order["total_price"],
                order["current_total_price"],
                placed,
                1,
                "Shirt",
                'a "note"\nof two lines',
            ),
            *("", "0.00", order["id"]),
        )
        writer.writerow(whole)
        writer.writerow([order["name"], order["email"], *[""] * 7, 2, "Shirt, blue", *[""] * 4])
    return out.getvalue()
