"""The panels of what not every run has: fetches, a sync, callbacks, a reconcile, an archive and a replay."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.broker import RunningKafka
from tests.integration.notifying import VTEX, NotifyingShop
from tests.integration.operating import STATUS, Site
from tests.integration.showing import Shown, wrong_panels
from tests.integration.test_newsletter import TOKEN, Shop, address
from tests.integration.test_reconcile_daily import PLACED
from tests.integration.test_sync import sale
from tests.integration.test_sync_pull import SETTINGS, ListedShop
from tests.integration.test_sync_pull import sale as listed
from tests.integration.truths import (
    Truth,
    all_within,
    among,
    both,
    by,
    named,
    nothing,
    one_within,
    only,
)
from tests.integration.watching import Prometheus, needs_prometheus
from tests.local_http import http
from tests.processes import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow, needs_prometheus]
FETCHED, PULLED, LISTED = "acme-vt", "pull-woo", "acme-day"
SALES, ROWS, MISSING = 4, 6, 2
#: Processes that few sites have, by the place of their port behind the gateway's.
MORE = {"reconcile": 4, "archive": 6, "status": STATUS}
PROCESSES = ("gateway", "translate", "deliver", "erase", "sync", *MORE)


def _of(account: str, **counts: int) -> dict[tuple[str, ...], float]:
    """Counts of an account by kind."""
    return {(account, kind): count for kind, count in counts.items()}


def stores(directory: Path, url: str) -> dict[str, Any]:
    """One whose webhooks only name orders, one that is read, and one that is reconciled."""
    plain = {"secrets": ["the hook's own secret"]}
    pulled = {"domain": f"{PULLED}.example", "api_url": f"{url}/_shops/{PULLED}"}
    return {
        FETCHED: {**VTEX.settings_of(FETCHED, url), "callback_tokens": [TOKEN]},
        PULLED: {**plain, **SETTINGS[PULLED], **pulled},
        LISTED: {
            **plain,
            "platform": "generic",
            "domain": f"{LISTED}.example",
            "reconcile": {"at": "00:00", "shop": str(directory / "orders.csv")},
        },
    }


def carry_out(site: Site) -> str:
    """Everything; returns the replay's name."""
    person, shop = Shop(site, FETCHED), NotifyingShop(site, FETCHED, dataclasses.replace(VTEX, access=None))
    for number in range(SALES):
        shop.sells(sale(number))
    person.says("unsubscribed", address(0))
    refused = http.get(f"{site.gateway}/callbacks/{FETCHED}/another/unsubscribed")
    assert refused.status_code == 401
    read = ListedShop(site, PULLED)
    read.holds(*(listed(number, 100 - number) for number in range(ROWS)))
    assert read.sync("--full", "--json")["run"]["status"] == "done"
    wait_until(lambda: len(shop.purchases()) == SALES and len(read.purchases()) == ROWS, 60, every=0.3)
    wait_until(lambda: person.held[address(0)] == "unsubscribed", 30, every=0.3)
    wait_until(lambda: site.totals().is_at_rest, 30, every=0.3)
    assert http.get(site.status_url, timeout=30).status_code == 200
    done = site.command("replay", "start", "--store", PULLED, "--since", "2026-01-01", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = orjson.loads(done.stdout)
    return str(found["run"])


@pytest.fixture(scope="module")
def run(kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, str]]:
    directory = tmp_path_factory.mktemp("jobs")
    (directory / "orders.csv").write_text(
        f"id,created_at,total,status\n1,{PLACED},10.00,paid\n2,{PLACED},5.00,paid\n"
    )
    base = {
        "kafka": {"bootstrap": kafka.bootstrap, "topic_prefix": f"{directory.name}-"},
        "archive": {"url": (directory / "archive").as_uri()},
    }
    site = Site(directory, base, lambda url: stores(directory, url))
    first = int(site.gateway.rpartition(":")[2])
    site.urls |= {name: f"http://127.0.0.1:{first + place}" for name, place in MORE.items()}
    try:
        site.start()
        with Prometheus(directory / "prometheus", site.urls) as prometheus:
            name = carry_out(site)
            wait_until(
                lambda: prometheus.values('pipeline_replay_status{status="done"}') != {}, 60, every=0.5
            )
            yield prometheus, name
    finally:
        site.stop()


#: What the run has no part in.
_NOT_HERE: dict[str, list[Truth]] = {
    "Rejected in the time shown": [only(0)],
    "Wrong signature in the time shown": [only(0)],
    "Not fetched yet": [only(0)],
    "Erasures overdue": [only(0)],
    "Departures from its bodies": [nothing],
    "Records refused, by reason": [nothing],
    "Its API cannot be asked, or fails": [nothing, nothing],
    "Its feed": [nothing, nothing, nothing],
    "Since its feed's position expired": [nothing],
    "Requests about persons": [nothing, nothing],
    "When requests about persons are due": [nothing],
}
_NONE = by({}, "kind")
_NO_RECORDS = by({}, "account", "kind")
#: An order's notification, its document, and who unsubscribed, by the callback and by what VTEX then says.
_FETCHED: dict[str, list[Truth]] = {
    **_NOT_HERE,
    "Since its last event": [one_within(0, 300)],
    "Codes that its orders used": [only(SALES)],
    "Orders missing": [nothing],
    "Events, by kind and outcome": [
        by({("order",): 2 * SALES, ("customer",): 2}, "kind"),
        by({("order",): SALES, ("customer",): 2}, "kind"),
        _NONE,
        _NONE,
        by({("order",): SALES}, "kind"),
        _NONE,
    ],
    "Records, by account, kind and outcome": [
        by(_of(FETCHED, contact=SALES + 2, product=SALES, purchase=SALES), "account", "kind"),
        by(_of(FETCHED, contact=SALES, product=SALES, purchase=SALES), "account", "kind"),
        by(_of(FETCHED, contact=2), "account", "kind"),
        _NO_RECORDS,
        _NO_RECORDS,
        _NO_RECORDS,
    ],
    "Ignored and rejected, by reason": [
        by({("order", "ignored", "fetched"): SALES}, "kind", "outcome", "reason")
    ],
    "Events, by outcome": [by({("accepted",): SALES + 2, ("ignored",): SALES}, "outcome")],
    "Webhooks, by answer": [by({("confirmed",): SALES}, "outcome")],
    "Bytes of its webhooks a second": [one_within(0.1, 100_000)],
    "Requests to its API, by answer": [both(among("answer", "found"), one_within(SALES, 100))],
    "Notifications that are not fetched": [only(0), only(0)],
    "Rows that were pulled, in the time shown": [nothing],
    "Since the last whole sync began": [one_within(0, 300)],
    "Syncs, and what they held back": [nothing, nothing, nothing],
    "Newsletter callbacks, by outcome": [
        by(
            {("unsubscribed", "confirmed"): 1, ("unsubscribed", "unauthorized"): 1},
            "callback",
            "outcome",
        )
    ],
    "Statements that are not at the shop": [only(0), only(0)],
    "What became of statements, in the time shown": [
        by({("unsubscribed", "written"): 1}, "state", "outcome")
    ],
    "Orders, by the last daily reconcile": [nothing],
    "Since the last reconcile, and how long it is overdue": [nothing, nothing],
    "Reconciles that failed, or run": [nothing, nothing],
    "Alerts of this store": [both(named("alertname", "CallbacksRefused"), one_within(0, 300))],
}
#: Read whole from its API, and all of it repeated.
_PULLED: dict[str, list[Truth]] = {
    "Since its last event": [nothing],
    "Ignored and rejected, by reason": [nothing],
    "Requests to its API, by answer": [both(among("answer", "found"), one_within(1, 100))],
    "Rows that were pulled, in the time shown": [by({("order", "sent"): ROWS}, "kind", "what")],
    "Since the last whole sync began": [one_within(0, 300)],
    "Syncs, and what they held back": [by({("done",): 1}, "status"), by({("done",): 1}, "status"), nothing],
    "Alerts of this store": [nothing],
}
#: Its own list has two orders of which no event ever came.
_LISTED: dict[str, list[Truth]] = {
    "Orders missing": [only(MISSING)],
    "Orders, by the last daily reconcile": [by({("missing",): MISSING}, "result")],
    "Since the last reconcile, and how long it is overdue": [one_within(0, 300), only(0)],
    "Reconciles that failed, or run": [only(0), only(0)],
    "Alerts of this store": [both(named("alertname", "OrdersMissing"), one_within(0, 300))],
}
#: What is read whole, and what is repeated, is the backfill's.
_ACCOUNT: dict[str, list[Truth]] = {
    "Calls of the minute, by lane": [all_within(0, 100, "backfill")],
    "Wasted in the time shown": [only(0)],
    "From webhook to Connectif, on average": [nothing],
    "Within five minutes": [nothing],
    "Records of its stores": [
        by({(PULLED, kind): 2 * ROWS for kind in ("contact", "product", "purchase")}, "store", "kind"),
        by({(PULLED, kind): ROWS for kind in ("contact", "product", "purchase")}, "store", "kind"),
        by({(PULLED, kind): ROWS for kind in ("contact", "product", "purchase")}, "store", "kind"),
        by({}, "store", "kind"),
        by({}, "store", "kind"),
        by({}, "store", "kind"),
    ],
}
_INSIDE: dict[str, list[Truth]] = {
    "Ready": [both(all_within(1, 1), named("process", *PROCESSES))],
    "Newsletter callbacks": [by({("confirmed",): 1, ("unauthorized",): 1}, "outcome")],
    "From a notification to its documents, 95 %": [all_within(0, 60, "live")],
    "From a callback to the shop, 95 %": [named("state", "unsubscribed")],
    "Waiting for the archive": [all_within(0, 300), one_within(86_400, 1e9), by({}, "part")],
    "Events written to the archive": [by({}, "topic")],
    "Events that the archive does not have": [
        # As of the archive's last look.
        lambda values: 0 <= sum(values.values()) <= 2 * SALES + 2 + ROWS,
        by({}, "topic"),
    ],
    "Looks at the status page": [one_within(0, 10)],
    "Pages of the status page": [both(only(1), named("status", "200")), nothing],
    "Tokens given at the status page": [nothing],
}
_STORES: dict[str, list[Truth]] = {
    "Critical alerts that fire": [named("alertname", "CallbacksRefused")],
    "Warnings that fire": [named("alertname", "OrdersMissing")],
    "What is wrong, by store": [
        by(
            {
                (LISTED, "", "orders are missing"): MISSING,
                (FETCHED, FETCHED, "callbacks have a wrong token"): 1,
            },
            "store",
            "account",
            "what",
        )
    ],
    "Orders missing, different or unknown": [by({(LISTED, "missing"): MISSING}, "store", "result")],
    "Since a store's last reconcile": [both(named("store", LISTED), one_within(0, 300))],
    "Reconciles overdue or failed": [by({}, "store"), by({}, "store")],
}


def _replay(run: str) -> dict[str, list[Truth]]:
    """All that was pulled is repeated; Connectif has it, so no call is made."""
    return {
        "Replays": [by({(run, "done"): 1}, "run", "status"), by({(run, "done"): 1}, "run", "status")],
        "Replays that do not get on": [nothing, only(0)],
        "Dealt with": [only(1)],
        "Time left": [only(0)],
        "To be repeated": [only(ROWS)],
        "Read": [one_within(ROWS, ROWS + 2 * SALES + 2)],
        "Repeated": [only(ROWS)],
        "Refused by Connectif": [only(0)],
        "How far replays are": [only(1)],
        "Time left of replays": [only(0)],
        "Under way, of the most there may be": [only(0), only(0), one_within(1, 100_000)],
        "Its events": [
            lambda values: (
                {dict(one)["what"]: value for one, value in values.items() if dict(one)["what"] != "read"}
                == {"total": ROWS, "repeated": ROWS, "delivered": ROWS, "waiting": 0}
            )
        ],
        "Its records": [by({("unchanged",): 3 * ROWS}, "outcome")],
        "What became of all repeated events": [
            by({(PULLED, "order", "accepted", ""): ROWS}, "store", "kind", "outcome", "reason")
        ],
        "Repeated events, by outcome": [by({("accepted",): ROWS}, "outcome")],
    }


@pytest.mark.parametrize(
    ("file", "chosen", "truths"),
    [
        ("store", {"store": FETCHED}, _FETCHED),
        ("store", {"store": PULLED}, _PULLED),
        ("store", {"store": LISTED}, _LISTED),
        ("account", {"account": PULLED}, _ACCOUNT),
        ("inside", {}, _INSIDE),
        ("stores", {}, _STORES),
    ],
    ids=["fetched", "pulled", "listed", "account", "inside", "stores"],
)
def test_the_panels_tell_what_the_jobs_did(
    run: tuple[Prometheus, str], file: str, chosen: dict[str, str], truths: dict[str, list[Truth]]
) -> None:
    wrong = wrong_panels(run[0], Shown(file, file, truths, chosen), of=truths)
    assert not wrong, "\n".join(wrong)


def test_every_panel_of_a_replay_tells_how_far_it_is(run: tuple[Prometheus, str]) -> None:
    prometheus, name = run
    wrong = wrong_panels(prometheus, Shown(name, "replay", _replay(name), {"run": name}))
    assert not wrong, "\n".join(wrong)
