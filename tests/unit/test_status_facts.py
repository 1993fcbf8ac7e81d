"""What the processes export -> what is shown: every state, the worst first, and nothing made up."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import config
from pipeline.console import Console
from pipeline.events import Lane
from pipeline.status import series, show
from pipeline.status.accounts import eta_seconds
from pipeline.status.facts import AccountFacts, LaneFacts, Snapshot, State
from pipeline.status.order import accounts_worst_first
from pipeline.status.places import Place, merged
from pipeline.status.snapshot import ProcessPage, snapshot
from pipeline.workers.directory import WorkerPlace
from tests.commands import parsed
from tests.status_pages import ROW, deliver_page, gateway_page, page, settings_of, translate_page, tree_of

NOW = 1_780_000_000.0


def process(name: str, text: str, why: str = "") -> ProcessPage:
    return ProcessPage(name, f"http://127.0.0.1/{name}", series=series.read(text), why=why)


def seen(*rows: ROW, accounts: int = 1, **settings: Any) -> Snapshot:
    """The status where a deliver worker exports these beside what it does when all is well."""
    pages = [process("deliver", deliver_page(accounts) + page(*rows))]
    return snapshot(settings_of(accounts, **settings), pages, NOW)


def waiting(account: str, lane: Lane, age: float, kind: str = "purchase", count: int = 3) -> tuple[ROW, ROW]:
    labels = {"account": account, "kind": kind, "lane": lane.value}
    return ("pipeline_pending_records", labels, count), ("pipeline_pending_oldest_seconds", labels, age)


def test_an_account_with_nothing_waiting_is_fine() -> None:
    [account] = seen().accounts
    assert (account.state, account.reason, account.waiting, account.eta_seconds) == (State.FINE, "", 0, 0.0)
    assert (account.used, account.limit, account.stores) == (40, 100, ("s000",))


@pytest.mark.parametrize(
    ("lane", "age", "state"),
    [
        (Lane.LIVE, 1_800, State.WAITING),
        (Lane.LIVE, 1_801, State.LATE),
        (Lane.RETRY, 7_200, State.WAITING),
        (Lane.RETRY, 7_201, State.LATE),
        (Lane.BACKFILL, 259_200, State.WAITING),
        (Lane.BACKFILL, 259_201, State.LATE),
    ],
)
def test_a_lane_is_late_when_the_alert_says_so(lane: Lane, age: float, state: State) -> None:
    [account] = seen(*waiting("a000", lane, age)).accounts
    assert account.state is state
    assert account.lanes[lane] == LaneFacts(3, age)
    assert account.eta_seconds == pytest.approx(3 / 100 * 60)


def test_codes_of_a_coupon_set_are_no_records_that_wait() -> None:
    [account] = seen(*waiting("a000", Lane.LIVE, 10**6, kind="coupon")).accounts
    assert (account.state, account.waiting) == (State.FINE, 0)


def test_a_stopped_account_says_why_and_what_to_type() -> None:
    found = seen(("pipeline_account_stopped", {"account": "a000", "reason": "unauthorised"}, 1))
    [account] = found.accounts
    assert (account.state, account.reason, account.eta_seconds) == (State.STOPPED, "unauthorised", None)
    [trouble] = found.troubles()
    assert trouble.sentence == "account a000 is stopped: unauthorised"
    assert trouble.command == "pipeline deliver explain --account a000"


def test_too_many_dead_letters_lead_to_the_dead_letters() -> None:
    found = seen(("pipeline_account_stopped", {"account": "a000", "reason": "too_many_dead"}, 1))
    assert [trouble.command for trouble in found.troubles()] == ["pipeline dead list --account a000"]


def test_a_failing_account_says_since_when_and_why() -> None:
    pages = [process("deliver", deliver_page(3, failing=[1]))]
    first, *others = snapshot(settings_of(3), pages, NOW).accounts
    assert (first.name, first.state, first.reason) == ("a001", State.FAILING, "timeout")
    assert first.failing_seconds == 601
    assert [one.state for one in others] == [State.FINE, State.FINE]


def test_what_a_process_cannot_use_is_stopped_also_where_others_can() -> None:
    rows: list[ROW] = [
        ("pipeline_settings_refused", {"table": table, "name": name}, value)
        for table, name, value in (
            ("accounts", "a000", 1),
            ("accounts", "a001", 0),
            ("stores", "s001", 1),
            ("stores", "elsewhere", 1),
        )
    ]
    found = seen(*rows, accounts=2)
    assert [(one.name, one.state) for one in found.accounts] == [
        ("a000", State.STOPPED),
        ("a001", State.FINE),
    ]
    assert [(one.name, one.state) for one in found.stores] == [
        ("elsewhere", State.STOPPED),
        ("s001", State.STOPPED),
        ("s000", State.FINE),
    ]
    assert {trouble.command for trouble in found.troubles()} == {"pipeline validate"}


def test_settings_that_were_spoilt_after_the_start_stop_nothing_that_runs() -> None:
    tree = tree_of(2)
    tree["accounts"]["a000"]["calls_per_minute"] = -8
    spoilt = config.parse(tree, {}, isolate=True)
    assert set(spoilt.refused) == {"accounts.a000", "stores.s000"}
    runs = [process("deliver", deliver_page(2)), process("gateway", gateway_page(2, NOW))]
    found = snapshot(spoilt, runs, NOW)
    assert {one.name: one.state for one in found.accounts} == {"a000": State.FINE, "a001": State.FINE}
    assert {one.name: one.last_event for one in found.stores} == {"s000": NOW, "s001": NOW - 1}
    assert list(found.troubles()) == []
    assert found.notes == tuple(
        f"{place} cannot be used as the file is now; what runs has it as it was: `pipeline validate`"
        for place in ("accounts.a000", "stores.s000")
    )
    alone = snapshot(spoilt, [], NOW)
    assert [one.state for one in alone.accounts if one.name == "a000"] == [State.STOPPED]


@pytest.mark.parametrize(
    ("pages", "why"),
    [
        ([], "no deliver worker runs"),
        ([ProcessPage("deliver", "http://a", why="http://a does not answer")], "http://a does not answer"),
        ([process("deliver", deliver_page(0))], "its deliver worker has not opened it yet"),
        ([process("deliver", deliver_page(0), "tables are restored")], "tables are restored"),
    ],
)
def test_an_account_that_no_worker_speaks_of_is_unknown_and_not_fine(
    pages: list[ProcessPage], why: str
) -> None:
    [account] = snapshot(settings_of(1), pages, NOW).accounts
    assert (account.state, account.reason, account.limit) == (State.UNKNOWN, why, None)


def test_two_workers_each_speak_of_their_own_accounts() -> None:
    other = deliver_page(2).replace("a000", "a002").replace("a001", "a003")
    pages = [process("deliver", deliver_page(2)), process("deliver", other)]
    found = snapshot(settings_of(4), pages, NOW)
    assert {one.name: one.state for one in found.accounts} == dict.fromkeys(
        ("a000", "a001", "a002", "a003"), State.FINE
    )


def test_a_store_shows_its_last_event_sync_and_reconcile_and_the_worst_of_its_troubles() -> None:
    sync = page(
        ("pipeline_ready", {"process": "pipeline-sync"}, 1),
        ("pipeline_sync_age_seconds", {"store": "s000"}, 600),
        ("pipeline_sync_run", {"store": "s000", "status": "done"}, 1),
        ("pipeline_sync_waiting", {"store": "s001"}, 12),
        ("pipeline_sync_failing_seconds", {"store": "s001", "reason": "server_error"}, 90),
        ("pipeline_sync_failing_seconds", {"store": "s000", "reason": ""}, 0),
        ("pipeline_sync_stopped", {"store": "s002", "reason": "unauthorised"}, 1),
    )
    reconcile = page(
        ("pipeline_ready", {"process": "reconcile"}, 1),
        ("pipeline_reconcile_orders", {"store": "s000", "result": "missing"}, 2),
        ("pipeline_reconcile_orders", {"store": "s000", "result": "there"}, 99),
        ("pipeline_reconcile_last_run_timestamp_seconds", {"store": "s000"}, NOW - 60),
        ("pipeline_reconcile_last_run_timestamp_seconds", {"store": "s003"}, 0),
        ("pipeline_reconcile_failed_runs", {"store": "s002"}, 3),
        ("pipeline_reconcile_failed_runs", {"store": "s003"}, 3),
    )
    gateways = [process("gateway", gateway_page(4, NOW - back)) for back in (500, 0)]
    pages = [*gateways, process("sync", sync), process("reconcile", reconcile)]
    found = {one.name: one for one in snapshot(settings_of(4), pages, NOW).stores}
    assert list(found) == ["s002", "s001", "s003", "s000"]
    first = found["s000"]
    assert (first.last_event, first.last_sync, first.sync) == (NOW, NOW - 600, "done")
    assert (first.last_reconcile, first.missing) == (NOW - 60, 2)
    assert (found["s002"].reason, found["s002"].state) == (
        "its API cannot be asked: unauthorised",
        State.STOPPED,
    )
    assert found["s001"].command == "pipeline sync status --store s001"
    assert found["s001"].fetching == 12
    assert found["s003"].last_reconcile is None
    assert found["s003"].state is State.FAILING
    for one in found.values():
        if one.command:  # else whoever types it is told of an error in the line
            parsed(one.command.split()[1:])


def test_a_process_that_is_not_ready_or_silent_comes_first_with_its_reason() -> None:
    starting = page(("pipeline_ready", {"process": "pipeline-translate"}, 0))
    spooling = gateway_page(1, NOW).replace("pipeline_gateway_kafka_up 1.0", "pipeline_gateway_kafka_up 0.0")
    spooling += page(("pipeline_gateway_spool_events", {"topic": "shop.orders"}, 7))
    pages = [
        process("gateway", spooling),
        process("translate", starting, "2 tables are restored"),
        ProcessPage("deliver", "http://b", "d1", why="http://b does not answer"),
    ]
    found = snapshot(settings_of(1), pages, NOW)
    assert [(one.name, one.ready, one.why) for one in found.processes] == [
        ("translate", False, "2 tables are restored"),
        ("deliver d1", False, "http://b does not answer"),
        ("gateway", True, "Kafka does not take events: 7 are kept on disk"),
    ]
    assert "deliver d1 at http://b is not ready: http://b does not answer" in {
        trouble.sentence for trouble in found.troubles()
    }


@pytest.mark.parametrize(
    ("seconds", "said"), [(30, ""), (90, "the state of 2 of its partitions cannot be used yet")]
)
def test_a_worker_that_builds_states_for_more_than_a_minute_is_said_to(seconds: float, said: str) -> None:
    labels = {"process": "pipeline-deliver"}
    name = "pipeline_state_partitions"
    states = [(name, {**labels, "state": state}, 2) for state in ("usable", "building")]
    building = page(*states, ("pipeline_state_building_seconds", labels, seconds))
    found = snapshot(settings_of(1), [process("deliver", deliver_page(1) + building)], NOW)
    assert [(one.ready, one.why) for one in found.processes] == [(True, said)]


def test_replays_are_shown_once_however_many_workers_tell_of_them() -> None:
    runs = "20260101-a", "20260202-b"
    told = page(
        ("pipeline_ready", {"process": "pipeline-translate"}, 1),
        *(("pipeline_replay_status", {"run": run, "status": "running"}, 1) for run in runs),
        ("pipeline_replay_trouble", {"run": "20260101-a", "trouble": "stalled"}, 1),
        ("pipeline_replay_trouble", {"run": "20260202-b", "trouble": "stalled"}, 0),
        ("pipeline_replay_events", {"run": "20260202-b", "what": "total"}, 100),
        ("pipeline_replay_events", {"run": "20260202-b", "what": "delivered"}, 40),
        ("pipeline_replay_seconds_left", {"run": "20260202-b"}, 77),
    )
    found = snapshot(settings_of(0), [process("translate", told)] * 2, NOW)
    stalled, other = found.replays
    assert (stalled.run, stalled.trouble) == ("20260101-a", "stalled")
    assert (other.run, other.done, other.total, other.seconds_left) == ("20260202-b", 40, 100, 77)
    assert "pipeline replay show 20260101-a" in {trouble.command for trouble in found.troubles()}


def account(name: str, state: State, **more: Any) -> AccountFacts:
    lanes = {lane: LaneFacts(*more.pop(lane, (0, None))) for lane in Lane}
    failing = more.pop("failing", None)
    return AccountFacts(name, state, "", failing, lanes, 0, 100, 0.0, **more)


def test_the_order_is_by_state_then_by_how_long_it_hurts() -> None:
    ordered = [
        account("z", State.STOPPED, live=(1, 50.0)),
        account("y", State.STOPPED),
        account("x", State.FAILING, failing=900.0),
        account("w", State.FAILING, failing=10.0, live=(9, 999.0)),
        account("v", State.UNKNOWN),
        account("u", State.LATE, live=(1, 2_000.0)),
        account("t", State.LATE, retry=(1, 9_000.0)),
        account("s", State.WAITING, live=(1, 5.0)),
        account("q", State.WAITING, backfill=(500, 70.0)),
        account("r", State.WAITING, backfill=(5, 60.0)),
        account("a", State.FINE),
        account("b", State.FINE),
    ]
    for seed in range(20):
        mixed = random.Random(seed).sample(ordered, len(ordered))  # noqa: S311 - no secret
        assert [one.name for one in accounts_worst_first(mixed)] == [one.name for one in ordered]


@given(
    st.dictionaries(st.sampled_from(["contact", "product", "purchase"]), st.integers(0, 10**6)),
    st.integers(1, 500),
)
def test_an_eta_is_never_less_than_what_the_limit_allows_for_purchases(
    kinds: dict[str, int], limit: int
) -> None:
    eta = eta_seconds(kinds, limit, 60.0)
    assert eta is not None
    assert eta >= kinds.get("purchase", 0) / limit * 60
    assert (eta == 0) is not any(kinds.values())


def test_an_eta_without_a_limit_is_not_foreseen() -> None:
    assert eta_seconds({"purchase": 1}, 0, 60.0) is None
    assert eta_seconds({"purchase": 1}, 100, None) is None


def test_each_process_is_asked_once_and_a_stage_without_workers_is_named() -> None:
    here = [Place("translate", "http://127.0.0.1:1"), Place("gateway", "http://127.0.0.1:2")]
    members = {
        "translate": [WorkerPlace("1", "http://127.0.0.1:1"), WorkerPlace("t2", "http://10.0.0.2:1")],
        "deliver": [],
        "sync": None,
    }
    found = merged(here, [Place("", "http://10.0.0.9:8080")], members)
    assert [(one.name, one.url, one.worker) for one in found] == [
        ("translate", "http://127.0.0.1:1", "1"),
        ("gateway", "http://127.0.0.1:2", ""),
        ("", "http://10.0.0.9:8080", ""),
        ("translate", "http://10.0.0.2:1", "t2"),
        ("deliver", "", ""),
    ]
    assert found[-1].why == "no deliver worker runs"
    assert [one.why for one in merged([], [], {"translate": None, "deliver": None})] == [
        "Kafka does not say where it runs"
    ] * 2


def test_a_name_that_is_not_read_cannot_be_asked_for() -> None:
    with pytest.raises(KeyError):
        list(series.read("").of("pipeline_account_records"))


@pytest.mark.parametrize("text", ["<html>", 'pipeline_ready{process="a} 1', "pipeline_ready x"])
def test_what_is_no_page_of_metrics_is_no_process_that_is_ready(text: str) -> None:
    try:
        found = series.read(text)
    except ValueError:
        return
    assert found.value("pipeline_ready") is None


def shown(found: Snapshot, height: int = 0) -> str:
    """As a terminal of 200 columns has it."""
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(show.screen(found, height) if height else show.whole(found))
    return console.export_text()


def test_the_whole_status_has_every_account_and_what_to_type() -> None:
    pages = [
        process("deliver", deliver_page(60, failing=[7], stopped=[3])),
        process("gateway", gateway_page(60, NOW)),
        process("translate", translate_page(60)),
    ]
    found = snapshot(settings_of(60), pages, NOW, ["Kafka is away"])
    text = shown(found)
    assert all(f"a{n:03}" in text for n in range(60))
    assert "2 to look at" in text
    assert "pipeline deliver explain --account a003" in text
    assert "note: Kafka is away" in text
    assert "timeout, for 10 min" in text
    assert ">= 90 s" in text, "150 purchases at 100 a minute"
    assert json.loads(json.dumps(found.as_json()))["accounts"][0]["state"] == "stopped"


@pytest.mark.parametrize("height", [24, 50])
def test_a_screen_shows_the_worst_and_counts_the_others(height: int) -> None:
    pages = [process("deliver", deliver_page(500, failing=range(40, 60), stopped=[3]))]
    text = shown(snapshot(settings_of(500), pages, NOW), height)
    lines = [line for line in text.splitlines() if line.startswith("a0")]
    assert lines[0].startswith("a003")
    assert "more accounts" in text
    assert len(text.splitlines()) <= height
