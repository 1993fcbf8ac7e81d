"""The kinds of pages; alone, so that the command can name them without loading what reads pages."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """Of a page."""

    CONFIRMATION = "confirmation"
    PRODUCT = "product"
    CART = "cart"
    OTHER = "other"
