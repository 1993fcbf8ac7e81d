"""A store's pulls as its worker tells them, for people: tables, a bar, and how long it takes yet. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table

from pipeline.sync.pull.left import time_left
from pipeline.text import moment, span

Said = Mapping[str, Any]
_COUNTS = ("read", "sent", "unchanged", "deleted", "dropped")


def current_pass(said: Said) -> dict[str, Any] | None:
    """The list under way."""
    run = said.get("run") or {}
    reading = (one for one in run.get("passes", ()) if one["status"] == "reading")
    return next(reading, None)


def is_over(said: Said, command: str) -> bool:
    """Whether the run of a command is over, or another one's is there."""
    run = said.get("run")
    waits = any(one["id"] == command for one in said["waiting"])
    if run is None or waits:
        return False
    return bool(run["command"]["id"] == command and run["status"] != "running")


def is_passed(said: Said, command: str) -> bool:
    """Whether another run took a command's place."""
    run = said.get("run")
    waits = any(one["id"] == command for one in said["waiting"])
    return run is not None and not waits and bool(run["command"]["id"] != command)


def line(said: Said) -> str:
    """How far the run is, in a line."""
    run, current = said.get("run"), current_pass(said)
    if run is None:
        return "waits for its worker"
    done = sum(one["status"] in {"done", "failed"} for one in run["passes"])
    parts = [f"list {min(done + 1, len(run['passes']))} of {len(run['passes'])}"]
    if current is not None:
        of = f" of {current['total']:,}" if current["total"] else ""
        parts += [f"{current['kind']} {current['reads']}", f"{current['read']:,}{of} rows"]
        parts.append(f"{current['sent']:,} sent, {current['unchanged']:,} unchanged")
    if said["run"]["status"] == "running":
        parts.append(time_left_of(said))
    if said["trouble"]:
        parts.append(f"waits: {said['trouble']}")
    return ", ".join(parts)


def time_left_of(said: Said) -> str:
    """How long it takes yet, and what is not in that."""
    left = time_left(said)
    if left.seconds is None:
        return "time left: not known"
    more = f", and {' and '.join(left.not_counted)}, whose rows are not known" if left.not_counted else ""
    return f"left: about {span(left.seconds)}{more}"


def stores(found: Iterable[tuple[str, Said | None, str]]) -> Table:
    """All stores: what their worker says, or why it does not."""
    made = Table(title="Sync", title_justify="left")
    for name in ("store", "run", "status", "read", "sent", "deleted", "last whole sync", "daily", "trouble"):
        made.add_column(name, overflow="fold")
    for store, said, why in found:
        if said is None:
            made.add_row(store, "", "", "", "", "", "", "", why)
            continue
        run = said["run"] or {}
        passes = run.get("passes", [])
        sums = {name: sum(one[name] for one in passes) for name in _COUNTS}
        held = "".join(f"; {count:,} missing {kind}s held" for kind, count in run.get("held", {}).items())
        made.add_row(
            store,
            run["command"]["id"] if run else "none yet",
            run.get("status", ""),
            f"{sums['read']:,}",
            f"{sums['sent']:,}",
            f"{sums['deleted']:,}",
            moment(said["complete_ms"] / 1_000) if said["complete_ms"] else "never",
            said["daily"] or "no",
            (said["trouble"] or "; ".join(one["error"] for one in passes if one["error"])) + held,
        )
    return made


def run(said: Said) -> Table:
    """The lists of a store's last run."""
    found = said["run"]
    dry = ", nothing is sent" if found["command"]["dry_run"] else ""
    title = f"{said['store']}: {found['command']['id']}, {found['status']}{dry}"
    made = Table(title=title, title_justify="left")
    for name in ("kind", "list", "changed since", "status", "rows", "requests", *_COUNTS, "why not"):
        made.add_column(name, overflow="fold")
    for one in found["passes"]:
        since = "" if one["since_ms"] is None else moment(one["since_ms"] / 1_000)
        total = "not known" if one["total"] is None else f"{one['total']:,}"
        counts = (f"{one[name]:,}" for name in _COUNTS)
        made.add_row(
            one["kind"],
            one["reads"],
            since,
            one["status"],
            total,
            f"{one['requests']:,}",
            *counts,
            one["error"],
        )
    return made
