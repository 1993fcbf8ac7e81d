"""The catalogue: what a product may hold, and the rule of authorised domains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.sandbox.connectif.model.domains import AuthorisedDomains
from pipeline.sandbox.connectif.model.field_types import (
    BOOLEAN,
    DATE_TIME,
    INTEGER,
    NUMBER,
    PERCENT,
    RATING,
    TEXT,
    TEXTS,
    URL,
    URL_OR_EMPTY,
    FieldType,
    one_of,
)
from pipeline.sandbox.connectif.model.ids import MakeId
from pipeline.sandbox.connectif.model.storage import ElementStorage, StoredElement

#: What products and the lines of purchases have in common.
COMMON: dict[str, FieldType] = {
    "name": TEXT,
    "productDetailUrl": URL,
    "unitPrice": NUMBER,
    "unitPriceOriginal": NUMBER,
    "unitPriceWithoutVAT": NUMBER,
    "discountedAmount": NUMBER,
    "discountedPercentage": PERCENT,
    "imageUrl": URL_OR_EMPTY,
    "thumbnailUrl": URL_OR_EMPTY,
    "description": TEXT,
    "brand": TEXT,
    "categories": TEXTS,
    "tags": TEXTS,
    "publishedAt": DATE_TIME,
    "rating": RATING,
    "ratingCount": INTEGER,
    "reviewCount": INTEGER,
    "customField1": TEXT,
    "customField2": TEXT,
    "customField3": TEXT,
}
PRODUCT: dict[str, FieldType] = {
    **COMMON,
    "availability": one_of("instock", "outofstock"),
    "relatedExternalProductIds": TEXTS,
    "inStockUnits": INTEGER,
    "isBlacklisted": BOOLEAN,
    "priority": INTEGER,
}
_DEFAULTS = {"availability": "instock", "isBlacklisted": False, "priority": 0}


class StoredProducts:
    """The products of one account, by the shop's ids."""

    def __init__(self, make_id: MakeId, domains: AuthorisedDomains) -> None:
        self.storage = ElementStorage(make_id)
        self.domains = domains

    def patch(self, product_id: str, changes: Mapping[str, Any], now: float) -> tuple[StoredElement, bool]:
        """Create or change a product; says which. None as a value clears a field."""
        element = self.storage.find(product_id)
        body = {"productId": product_id, **_DEFAULTS} if element is None else element.body
        for name, value in changes.items():
            if value is None:
                body.pop(name, None)
            else:
                body[name] = value
        return self.storage.put(product_id, body, now), element is None
