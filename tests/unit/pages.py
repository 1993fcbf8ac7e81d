"""Small pages, and what is found in them."""

from __future__ import annotations

import re
from typing import Any

from pipeline.check.page.inspect import Asked, inspect
from pipeline.check.page.kinds import Kind

CLIENT_ID = "00000000-0000-4000-8000-00000000c0de"
SCRIPT = f'<script async src="https://cdn.connectif.cloud/eu1/client-script/{CLIENT_ID}"></script>'
CONTACT = '<div class="cn_client_info"><i class="primary_key">ana@acme.example</i></div>'
DOMAINS = ("https://acme.example",)


def found(pattern: str, url: str) -> bool | None:
    """Without a bound: the patterns are ours."""
    try:
        return re.search(pattern, url) is not None
    except re.error:
        return None


def line(**values: str | None) -> str:
    """A line of a purchase; None leaves a property out."""
    known = {
        "quantity": "1",
        "price": "12.50",
        "product_id": "407",
        "name": "Wool hat",
        "unit_price": "12.50",
        "url": "https://acme.example/wool-hat",
    }
    return f'<div class="product_basket_item">{_spans(known, values)}</div>'


def purchase(*lines: str, **values: str | None) -> str:
    """A purchase of one line, or of those given."""
    known = {
        "purchase_id": "10457",
        "cart_id": "20991",
        "purchase_date": "2026-11-22T14:05:12+01:00",
        "total_quantity": "1",
        "total_price": "12.50",
    }
    return f'<div class="cn_purchase">{_spans(known, values)}{"".join(lines or (line(),))}</div>'


def _spans(known: dict[str, str], values: dict[str, str | None]) -> str:
    merged = {**known, **values}
    return "".join(f'<span class="{name}">{text}</span>' for name, text in merged.items() if text is not None)


def page(*parts: str, script: str = SCRIPT, contact: str = CONTACT) -> str:
    """A page with the script and a contact."""
    return f"<!doctype html><html><body>{script}{contact}{''.join(parts)}</body></html>"


def report(html: str | bytes, **asked: Any) -> dict[str, Any]:
    """Of a page; a confirmation unless that is said."""
    body = html.encode() if isinstance(html, str) else html
    return inspect(body, Asked(**{"kind": Kind.CONFIRMATION, "domains": DOMAINS, **asked}), found)


def said(html: str | bytes, *levels: str, **asked: Any) -> list[tuple[str, str, str]]:
    """Severity, place and code of what is found above a note, or of the levels named."""
    wanted = levels or ("error", "warning")
    return [
        (one["severity"], one["about"], one["code"])
        for one in report(html, **asked)["findings"]
        if one["severity"] in wanted
    ]
