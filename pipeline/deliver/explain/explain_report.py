"""`pipeline deliver explain`: asks the worker that has the account, and shows what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.errors import PipelineError
from pipeline.text import span

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


def _show(found: Mapping[str, Any], console: Console) -> None:
    budget = found["budget"]
    console.print(f"[bold]{found['account']}[/]", highlight=False)
    if found.get("worker"):
        waits = f"The worker is not ready: {found['worker']}. What it would do next waits for that."
        console.print(waits, style="red", markup=False, highlight=False)
    console.print(found["state"], style="red" if found["stopped"] else "", markup=False, highlight=False)
    reserve = f", {budget['reserve']} more left to others" if budget["reserve"] else ""
    served = "" if budget["server_limit"] is None else f"; Connectif says {budget['server_limit']}"
    console.print(
        f"budget: {budget['used']} of {budget['limit']} calls in {budget['window_seconds']:g} s used, "
        f"{budget['in_flight']} in flight{reserve}{served}. {budget['why']}",
        markup=False,
        highlight=False,
    )
    console.print(_lanes(found["lanes"]))
    for lane in found["lanes"]:
        for line in _holding_back(lane):
            console.print(line, markup=False, highlight=False)
    for retry in found["retries"]:
        console.print(f"{retry['lane']}: {retry['why']}", markup=False, highlight=False)
    for decision in found["choices"]:
        console.print(f"{decision['lane']}: {decision['why']}", markup=False, highlight=False)
    for job in found["imports"]:
        console.print(_import(job), markup=False, highlight=False)
    for line in filter(None, (found["consent"], *(watched["why"] for watched in found["coupon_sets"]))):
        console.print(line, markup=False, highlight=False)
    _show_next(found["next"], found["why_none"], console)


def _show_next(calls: Sequence[Mapping[str, Any]], why_none: str, console: Console) -> None:
    if not calls:
        console.print(why_none or "Nothing is pending.", markup=False, highlight=False)
        return
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("next", "in", "lane", "call", "why"):
        table.add_column(heading, justify="right" if heading in {"next", "in"} else "left")
    for number, call in enumerate(calls, 1):
        cells = str(number), f"{call['in_seconds']:.1f} s", call["lane"], call["what"], call["why"]
        table.add_row(*(escape(cell) for cell in cells))
    console.print(table)
    console.print("If each is answered well and nothing else comes in.", style="dim")


def _lanes(lanes: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0))  # fits 80 columns
    headings = ("pending", "contacts", "products", "purchases", "coupons", "oldest", "queued", "held")
    for heading in (*headings, "calls", "receipt"):
        table.add_column(heading, justify="left" if heading == "pending" else "right")
    for lane in lanes:
        pending, ages = lane["pending"], [age for age in lane["oldest_seconds"].values() if age is not None]
        figures = [pending[kind] for kind in ("contact", "product", "purchase", "coupon")]
        places = [sum(lane["waiting"].values()), lane["held"], lane["under_way"], lane["receipts_awaited"]]
        oldest = span(max(ages)) if ages else "·"
        table.add_row(lane["lane"], *map(_figure, figures), oldest, *map(_figure, places))
    return table


def _figure(count: int) -> str:
    return f"{count:,}" if count else "·"


def _holding_back(lane: Mapping[str, Any]) -> Iterator[str]:
    """What else holds a lane up."""
    if lane["purchases_aside"]:
        yield _aside(lane)
    if lane["floor_owed"]:
        yield f"{lane['lane']}: has had less than its floor, and goes first"
    if lane["holds_back_seconds"]:
        yield f"{lane['lane']}: holds back for {lane['holds_back_seconds']:.1f} s. {lane['holds_back_why']}"


def _aside(lane: Mapping[str, Any]) -> str:
    """What a lane's purchases wait for."""
    wanted = " and ".join(f"{count:,} {kind}s" for kind, count in lane["aside_for"].items() if count)
    return (
        f"{lane['lane']}: {lane['ready_purchases']:,} purchases may go, {lane['purchases_aside']:,} wait for "
        f"{wanted or 'nothing'} that Connectif must have first"
    )


def _import(job: Mapping[str, Any]) -> str:
    left = job["expected_end_in_seconds"]
    end = f"expected to end in {left:.0f} s" if left > 0 else f"expected to be over for {-left:.0f} s"
    look = "now" if not job["next_look_in_seconds"] else f"in {job['next_look_in_seconds']:.0f} s"
    return (
        f"import {job['id']}: {job['rows']:,} {job['kind']} rows ({job['lane']}), "
        f"{job['age_seconds']:.0f} s old, {end}{', late' if job['late'] else ''}; "
        f"next poll {look}, {job['looks']} so far"
    )
