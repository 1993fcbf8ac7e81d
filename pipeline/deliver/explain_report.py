"""`pipeline deliver explain`: asks the worker that has the account, and shows what it says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from pipeline.errors import PipelineError

#: Where a worker serves it, and where `pipeline up` has its worker.
EXPLAIN, USUAL = "/explain", "http://127.0.0.1:8082"
ANSWER_SECONDS = 10.0


def run(account: str, urls: Sequence[str], console: Console, *, as_json: bool) -> None:
    """Ask one worker after the other.

    Raises:
        PipelineError: none of them answers, or none has the account.
    """
    others: set[str] = set()
    answered = 0
    for url in urls:
        try:
            answer = httpx.get(
                f"{url.rstrip('/')}{EXPLAIN}", params={"account": account}, timeout=ANSWER_SECONDS
            )
            found = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            continue
        answered += 1
        if answer.is_success:
            console.print_json(json.dumps(found)) if as_json else _show(found, console)
            return
        others |= set(found.get("accounts", ()))
    if not answered:
        raise PipelineError(
            f"no deliver worker answers at {', '.join(urls)}",
            hint="name its address with --url http://host:port",
        )
    raise PipelineError(
        f"no worker asked delivers to {account!r}; they have: {', '.join(sorted(others)) or 'none'}",
        hint="name the others with --url, once each; an account is open a moment after its worker is ready",
    )


def _show(found: dict[str, Any], console: Console) -> None:
    budget = found["budget"]
    console.print(f"[bold]{found['account']}[/]", highlight=False)
    if found["stopped"]:
        console.print(f"stopped: {found['stopped']} {found['detail']}", style="red", markup=False)
    shared = ", others share it" if budget["others_share_it"] else ""
    console.print(
        f"budget: {budget['used']} of {budget['limit']} calls of the window used, {budget['free']} free, "
        f"{budget['in_flight']} in flight{shared}",
        highlight=False,
    )
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("lane", "contacts", "products", "purchases", "coupons", "ready", "aside"):
        table.add_column(heading, justify="left" if heading == "lane" else "right")
    for lane in found["lanes"]:
        waiting = lane["waiting"]
        figures = [waiting[kind] for kind in ("contact", "product", "purchase", "coupon")]
        figures += [lane["ready_purchases"], lane["purchases_aside"]]
        table.add_row(lane["lane"], *(f"{figure:,}" if figure else "·" for figure in figures))
    console.print(table)
    for job in found["imports"]:
        since = f"{job['age_seconds']} s{', late' if job['late'] else ''}"
        what = f"{job['rows']:,} {job['kind']} rows ({job['lane']})"
        console.print(f"import {job['id']}: {what} since {since}", highlight=False)
    console.print("next:")
    for number, line in enumerate(found["next"], 1):
        console.print(f"{number:3}. {line}", markup=False, highlight=False)
