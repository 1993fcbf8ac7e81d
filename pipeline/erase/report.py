"""Requests and their proofs, for people and for scripts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from pipeline.console import Console
from pipeline.erase.found import Found
from pipeline.erase.requests import Request


def tree(request: Request, now_ms: int) -> dict[str, Any]:
    """A request as JSON values: with the proof, and nothing of a person."""
    asked, progress = request.asked, request.progress
    source = None if asked.source is None else asked.source.model_dump()
    return {
        "id": asked.id,
        "store": asked.store,
        "wanted": asked.wanted.value,
        "source": source,
        "reference": asked.reference,
        "by": asked.by,
        "asked": moment(asked.asked_ms),
        "due": moment(asked.due_ms),
        "status": progress.status.value,
        "overdue": request.is_overdue(now_ms),
        "why": progress.why,
        "tries": progress.tries,
        "done": moment(progress.done_ms) if progress.done_ms else None,
        "removed": progress.removed,
        "still_named": progress.checked,
        "workers": list(progress.workers),
        "lost_earlier": list(progress.lost_earlier),
        "not_reached": list(progress.not_reached),
    }


def moment(at_ms: int) -> str:
    """A moment in UTC, to the second."""
    return datetime.fromtimestamp(at_ms // 1_000, UTC).isoformat().replace("+00:00", "Z")


def listing(requests: list[Request], now_ms: int) -> Table:
    """A table of requests."""
    made = Table(box=None, header_style="dim")
    for heading in ("id", "store", "wanted", "asked", "due", "status", "why"):
        made.add_column(heading, overflow="fold")
    for request in requests:
        asked, progress = request.asked, request.progress
        status = "overdue" if request.is_overdue(now_ms) else progress.status.value
        made.add_row(
            asked.id,
            asked.store,
            asked.wanted.value,
            moment(asked.asked_ms),
            moment(asked.due_ms)[:10],
            status,
            progress.why,
        )
    return made


def show(request: Request, now_ms: int, console: Console) -> None:
    """One request in full."""
    for name, value in tree(request, now_ms).items():
        if value not in (None, "", [], {}):
            text = f"{name.replace('_', ' ')}: {_text(value)}"
            console.print(text, markup=False, highlight=False, soft_wrap=True)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items())
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def counted(found: Found, console: Console) -> None:
    """What an erasure would remove."""
    made = Table(box=None, header_style="dim")
    made.add_column("what")
    made.add_column("how many", justify="right")
    for name, count in found.counts().items():
        made.add_row(name, f"{count:,}")
    made.add_row("their addresses", f"{len(found.addresses):,}")
    made.add_row("their accounts in the shop", f"{len(found.customers):,}")
    made.add_row("others' events that mention an address, and stay", f"{found.mentions:,}")
    console.print(made)
    if found.others:
        names = ", ".join(sorted(found.others))
        console.print(f"stores of the same account that name the address, too: {names}", highlight=False)
