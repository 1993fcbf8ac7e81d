"""The contact and products in a purchase: enough to make them again if Connectif has lost them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.deliver.state.key import Key
from pipeline.records import RecordKind

_FROM_LINE = ("name", "url", "brand", "image_url", "categories")


def contact_of(purchase: Mapping[str, Any]) -> tuple[Key, bool]:
    """The purchase's contact, and whether it is identified by e-mail."""
    email = purchase.get("contact_email")
    if email:
        return Key(RecordKind.CONTACT, email), True
    return Key(RecordKind.CONTACT, purchase["contact_external_id"]), False


def products_of(purchase: Mapping[str, Any]) -> dict[Key, Mapping[str, Any]]:
    """The purchase's products, each with its line."""
    return {Key(RecordKind.PRODUCT, line["product_id"]): line for line in purchase["lines"]}


def stub_of(line: Mapping[str, Any]) -> dict[str, Any]:
    """A product made from a line: kept out of recommendations until its own event comes.

    Its price is the one before discounts, as in the stubs that orders send ahead.
    """
    fields = {name: line[name] for name in _FROM_LINE if line.get(name)}
    fields["unit_price"] = line.get("unit_price_original") or line["unit_price"]
    fields["is_blacklisted"] = True
    return fields
