"""Pages of metrics as the processes have them, made up: of any number of accounts, with some in trouble."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline import config
from pipeline.config import Settings
from pipeline.events import Lane
from pipeline.records import Outcome, RecordKind

SANDBOX = "http://127.0.0.1:9100"
ROW = tuple[str, Mapping[str, str], float]


def page(*rows: ROW) -> str:
    """A page of these samples."""
    return "".join(_lines(rows))


def _lines(rows: Iterable[ROW]) -> Iterator[str]:
    last = ""
    for name, labels, value in rows:
        if name != last:
            yield f"# HELP {name} What it means.\n# TYPE {name} gauge\n"
            last = name
        inside = ",".join(f'{label}="{text}"' for label, text in labels.items())
        yield f"{name}{{{inside}}} {float(value)}\n" if inside else f"{name} {float(value)}\n"


def settings_of(accounts: int, **changes: Any) -> Settings:
    """Settings with so many accounts, `a000` and on, each with a store `s000` and on."""
    return config.parse(tree_of(accounts) | changes, {})


def tree_of(accounts: int) -> dict[str, Any]:
    """The same as a tree."""
    return {
        "accounts": {
            f"a{n:03}": {"api_key": f"a{n:03}:secret", "base_url": SANDBOX} for n in range(accounts)
        },
        "stores": {
            f"s{n:03}": {
                "platform": "woocommerce",
                "account": f"a{n:03}",
                "domain": f"s{n:03}.example",
                "secrets": ["x" * 20],
            }
            for n in range(accounts)
        },
    }


def deliver_page(accounts: int, *, failing: Iterable[int] = (), stopped: Iterable[int] = ()) -> str:
    """What a deliver worker exports that has all accounts; every tenth has records waiting."""
    names = [f"a{n:03}" for n in range(accounts)]
    failing, stopped = set(failing), set(stopped)
    rows: list[ROW] = [("pipeline_build_info", {"version": "1", "python": "3"}, 1)]
    rows.append(("pipeline_ready", {"process": "pipeline-deliver"}, 1))
    rows += [
        ("pipeline_account_records", labels, 12_345 + number)
        for number, name in enumerate(names)
        for kind in RecordKind
        for what in ("accepted", "pending", *Outcome)
        if (labels := {"account": name, "store": f"s{name[1:]}", "kind": kind, "outcome": what})
    ]
    waits = [
        ({"account": name, "kind": kind, "lane": lane}, number % 10 == 9 and kind == RecordKind.PURCHASE)
        for number, name in enumerate(names)
        for kind in RecordKind
        for lane in Lane
    ]
    rows += [("pipeline_pending_records", labels, 50 if waiting else 0) for labels, waiting in waits]
    rows += [("pipeline_pending_oldest_seconds", labels, 60) for labels, waiting in waits if waiting]
    rows += [("pipeline_budget_used_calls", {"account": name}, 40) for name in names]
    rows += [("pipeline_budget_limit_calls", {"account": name}, 100) for name in names]
    rows += [
        ("pipeline_account_stopped", {"account": names[n], "reason": "unauthorised"}, 1) for n in stopped
    ]
    rows += [
        (
            "pipeline_account_failing_seconds",
            {"account": name, "cause": "timeout" if n in failing else ""},
            600 + n if n in failing else 0,
        )
        for n, name in enumerate(names)
    ]
    return page(*rows)


def gateway_page(stores: int, at: float) -> str:
    """What a gateway exports."""
    names = [f"s{n:03}" for n in range(stores)]
    rows: list[ROW] = [("pipeline_ready", {"process": "gateway"}, 1), ("pipeline_gateway_kafka_up", {}, 1)]
    rows += [
        ("pipeline_gateway_requests_total", {"store": name, "outcome": outcome}, 5)
        for name in names
        for outcome in ("confirmed", "spooled", "unauthorized", "overloaded", "malformed")
    ]
    rows += [
        ("pipeline_gateway_last_event_timestamp_seconds", {"store": name}, at - n)
        for n, name in enumerate(names)
    ]
    return page(*rows)


def translate_page(stores: int) -> str:
    """What a translate worker exports."""
    rows: list[ROW] = [("pipeline_ready", {"process": "pipeline-translate"}, 1)]
    rows += [
        ("pipeline_account_events", {"store": f"s{n:03}", "kind": kind, "outcome": outcome}, 7)
        for n in range(stores)
        for kind in ("order", "customer", "product")
        for outcome in ("accepted", "duplicate", "stale", "ignored", "rejected")
    ]
    rows.append(("pipeline_lag_messages", {"topic": "shop.orders"}, 3))
    return page(*rows)
