"""`pipeline deliver explain`: asks the worker that has the account, and shows what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.config import Settings
from pipeline.errors import PipelineError, SettingsError
from pipeline.kafka.topics import DELIVER_APP
from pipeline.records import RecordKind, partition_of
from pipeline.text import figure, span
from pipeline.workers.client import WorkerAnswer, WorkerClient

EXPLAIN = "/explain"


def run(
    account: str, urls: Sequence[str], settings: Settings | None, console: Console, *, as_json: bool
) -> None:
    """Ask the worker that has the account, and show what it says.

    Args:
        account: its name.
        urls: of workers to be asked instead, one after the other.
        settings: where Kafka is, which says who has the account; None only with `urls`.
        console: where to.
        as_json: as the worker said it.

    Raises:
        PipelineError: none of them answers, or none has the account.
        SettingsError: the settings have no such account.
    """
    client = WorkerClient(settings)
    try:
        last: WorkerAnswer | None = None
        for answer in _answers(client, settings, account, urls):
            if answer.found is not None:
                show(answer, console, as_json=as_json)
                return
            last = answer if last is None or answer.error != "no_answer" else last
    finally:
        client.close()
    why = "no worker was asked" if last is None else last.why
    hint = "an account is open a moment after its worker is ready; --url http://host:port asks another worker"
    raise PipelineError(f"nobody says what account {account!r} does: {why}", hint=hint)


def _answers(
    client: WorkerClient, settings: Settings | None, account: str, urls: Sequence[str]
) -> Iterator[WorkerAnswer]:
    if not urls and settings is not None:
        yield _owner(client, settings, account)
    for url in urls:
        yield client.ask_at(url, EXPLAIN, {"account": account})


def _owner(client: WorkerClient, settings: Settings, account: str) -> WorkerAnswer:
    if account not in settings.accounts:
        known = ", ".join(sorted(settings.accounts)) or "none"
        raise SettingsError(
            f"no account {account} in the settings", field="--account", hint=f"they have: {known}"
        )
    partition = partition_of(account, settings.kafka.account_partitions)
    return client.ask(DELIVER_APP, RecordKind.PURCHASE.topic, partition, EXPLAIN, {"account": account})


def show(answer: WorkerAnswer, console: Console, *, as_json: bool) -> None:
    """Show what a worker says.

    Raises:
        PipelineError: it is not of the form that this release knows.
    """
    found = answer.found or {}
    if as_json:
        console.print_json(json.dumps(found), ensure_ascii=True)
        return
    try:
        _show(found, console)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise PipelineError(
            f"worker {answer.worker or '?'} answers in a form that this release does not know ({error})",
            hint="run the command of the worker's release, or see its answer with --json",
        ) from error


def _show(found: Mapping[str, Any], console: Console) -> None:
    budget = found["budget"]
    console.print(f"[bold]{escape(found['account'])}[/]", highlight=False)
    if found.get("not_ready"):
        waits = f"The worker is not ready: {found['not_ready']}. What it would do next waits for that."
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
        table.add_row(lane["lane"], *map(figure, figures), oldest, *map(figure, places))
    return table


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
