"""What Shopify's GraphQL refuses in answers of status 200."""

from __future__ import annotations

from typing import Any

from pipeline.shops.examination import at, said


def errors_of(value: Any, *path: str) -> str:
    """What an answer with status 200 refuses, in its own words, shortened; "" for nothing."""
    listed = [*_listed(at(value, "errors")), *_listed(at(value, "data", *path, "userErrors"))]
    words = [said(at(one, "extensions", "code")) or said(at(one, "message")) for one in listed]
    return "; ".join(word for word in words if word)[:300]


def _listed(value: Any) -> list[Any]:
    return value[:5] if isinstance(value, list) else []
