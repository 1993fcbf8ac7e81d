"""What the web client would send of a page."""

from __future__ import annotations

from typing import Any

from pipeline.check.page.properties import LINE
from pipeline.check.page.rules.contacts import primary_key
from pipeline.check.page.tags import Tag, Tags


def sent(tags: Tags) -> dict[str, Any]:
    """By the names of its requests; what it drops is not in it."""
    carts = [order(tag) for tag in tags.carts if not tag.lost]
    contact: dict[str, str] = {}
    for name, text in tags.contact or ():
        if name and name != "primary_key":
            contact.setdefault(name, text)
    events = [
        *({"search": tag.text("search_text")} for tag in tags.searches if not tag.lost),
        *({"newsletter-subscribe": tag.text("email")} for tag in tags.newsletters if not tag.lost),
        *({name.removeprefix("cn_"): ""} for name in ("cn_login", "cn_register") if tags.counts[name]),
    ]
    return {
        "purchases": [order(tag) for tag in tags.purchases if not tag.lost],
        "cart": carts[0] if carts else None,
        "visited": [product(tag) for tag in tags.visited if not tag.lost],
        "searched": [product(tag) for tag in tags.searched if not tag.lost],
        "primaryKey": primary_key(tags),
        "contact": contact,
        "events": events,
        "page": {name.removeprefix("cn_page_"): words for name, words in tags.page_words.items() if words},
    }


def order(tag: Tag) -> dict[str, Any]:
    """A purchase or cart with the lines that are kept."""
    return {**_values(tag), "lines": [product(line) for line in tag.lines if not line.lost]}


def product(tag: Tag) -> dict[str, Any]:
    """A product, or a line."""
    several = {tag.table[name].sent: texts for name, texts in tag.several.items() if texts}
    return {**_values(tag), **several}


def _values(tag: Tag) -> dict[str, Any]:
    """A line shows what it lacks, too."""
    wanted = {"quantity", "price"} if tag.table is LINE else set()
    return {
        tag.table[name].sent: value.read
        for name, value in tag.values.items()
        if value.read is not None or name in wanted
    }


def table(tags: Tags) -> list[dict[str, Any]]:
    """Every value: its place, its text in the page, and what the client reads."""
    rows: list[dict[str, Any]] = []
    for tag in (
        *tags.purchases,
        *tags.carts,
        *tags.visited,
        *tags.searched,
        *tags.searches,
        *tags.newsletters,
    ):
        for part in (tag, *tag.lines):
            rows += (
                {"about": f"{part.about}.{name}", "text": value.text, "read": value.read}
                for name, value in part.values.items()
                if value.text is not None or part.table[name].required
            )
            rows += (
                {"about": f"{part.about}.{name}", "text": ", ".join(texts), "read": ", ".join(texts)}
                for name, texts in part.several.items()
                if texts
            )
    rows += (
        {"about": f"client_info.{name}", "text": text, "read": text} for name, text in tags.contact or ()
    )
    return rows
