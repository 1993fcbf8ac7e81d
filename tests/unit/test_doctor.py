"""`pipeline doctor`: each rule finds what is wrong and nothing else, and none that hangs stops the others."""

from __future__ import annotations

import io
import json
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipeline import config
from pipeline.cli.root import app
from pipeline.config import Settings
from pipeline.console import Console
from pipeline.doctor import clock, cluster, disk, permissions, processes, report, versions, webhook
from pipeline.doctor.context import Context
from pipeline.doctor.disk import Room
from pipeline.doctor.findings import Finding, Verdict, ok, problem, warning, worst_first
from pipeline.doctor.run import Examination, examined
from pipeline.doctor.web import Looked, date_of
from pipeline.doctor.webhook import Answered
from pipeline.errors import BrokerError
from pipeline.kafka import topic_check
from pipeline.kafka.admin import Facts, PartitionState
from pipeline.local import addresses
from pipeline.status.facts import AccountFacts, ProcessFacts, Snapshot, State
from tests.settings_trees import store_tree, stores_tree
from tests.unit.test_topics import facts_of, settings_for, with_config

SECRET = "hush-hush"


def verdicts(found: Any) -> list[tuple[str, str]]:
    return [(str(finding.verdict), finding.said) for finding in found]


def parts(facts: Facts, replicas: tuple[int, ...] = (1, 2, 3)) -> list[PartitionState]:
    return [
        PartitionState(name, number, replicas[0], replicas, replicas)
        for name, topic in facts.topics.items()
        for number in range(topic.partitions)
    ]


def durability(settings: Settings, facts: Facts, found: list[PartitionState]) -> list[tuple[str, str]]:
    judged = cluster.durability(
        topic_check.examine(settings, facts), facts, found, embedded=settings.kafka.bootstrap is None
    )
    return verdicts(judged)


def test_a_sound_cluster_is_said_to_be_that() -> None:
    settings = settings_for(3)
    facts = facts_of(settings)
    [(verdict, said)] = durability(settings, facts, parts(facts))
    assert verdict == "ok"
    assert said.startswith("3 brokers, ")
    assert said.endswith("at least 3 copies each, all in step")


@pytest.mark.parametrize(
    ("change", "verdict", "said"),
    [
        ({"leader": -1, "in_step": ()}, "problem", "1 partition without a leader, which nobody can write or"),
        ({"in_step": (1, 2)}, "warning", "1 partition with copies that are not in step: shop.orders-0"),
        ({"in_step": (1,)}, "problem", "1 partition with fewer copies in step than min.insync.replicas"),
        ({"replicas": (1, 2, 9), "in_step": (1, 2)}, "problem", "broker 9 is away and holds copies"),
    ],
)
def test_a_partition_that_is_not_sound_is_named(change: dict[str, Any], verdict: str, said: str) -> None:
    settings = settings_for(3)
    facts = facts_of(settings)
    found = parts(facts)
    at = next(n for n, part in enumerate(found) if part.name == "shop.orders-0")
    found[at] = replace(found[at], **change)
    first = durability(settings, facts, found)[0]
    assert first[0] == verdict
    assert first[1].startswith(said)
    assert "ok" not in {verdict for verdict, _ in durability(settings, facts, found)}


def test_settings_that_lose_data_are_problems_and_one_broker_is_a_warning_unless_it_is_our_own() -> None:
    settings = settings_for(3)
    facts = facts_of(settings, unclean_leader_election_enable="true")
    found = durability(settings, facts, parts(facts))
    assert [verdict for verdict, _ in found] == ["problem"] * 3
    assert "loses confirmed messages" in found[0][1]
    for bootstrap, verdict in ((None, "ok"), ("kafka:9092", "warning")):
        alone = settings_for(1, bootstrap=bootstrap)
        facts = facts_of(alone, brokers=1)
        assert [one for one, _ in durability(alone, facts, parts(facts, (1,)))] == [verdict]


def test_topics_that_differ_or_are_missing_are_problems_with_the_command_that_mends_them() -> None:
    settings = settings_for(3)
    facts = facts_of(settings)
    [fine] = cluster.drift(topic_check.examine(settings, facts))
    assert fine.verdict is Verdict.OK
    drifted = with_config(facts, "shop.orders", {"retention.ms": "1000"})
    [found] = cluster.drift(topic_check.examine(settings, drifted))
    assert (found.verdict, found.todo) == (Verdict.PROBLEM, "`pipeline topics --apply`")
    assert found.said.startswith("shop.orders: retention.ms is 1000, must be ")
    drifted = with_config(facts, "shop.orders", {"retention.ms": "-1"})
    [found] = cluster.drift(topic_check.examine(settings, drifted))
    assert "by hand" in found.todo
    lacking = replace(facts, topics={n: t for n, t in facts.topics.items() if n != "shop.orders"})
    [found] = cluster.drift(topic_check.examine(settings, lacking))
    assert (found.verdict, found.said) == (Verdict.PROBLEM, "1 topic missing: shop.orders")


@pytest.mark.parametrize(
    ("began", "ended", "skew"),
    [(100.0, 100.2, 0.0), (99.9, 100.1, 0.0), (100.9, 101.5, 0.0), (161.0, 161.2, 60.0), (39.0, 40.0, -60.0)],
)
def test_a_clock_is_off_only_by_what_a_date_of_whole_seconds_proves(
    began: float, ended: float, skew: float
) -> None:
    assert clock.skew(Looked("http://x", 200, "", 100.0, began, ended)) == pytest.approx(skew)


@given(st.floats(0, 1e6), st.floats(0, 0.999), st.floats(0, 5), st.floats(0, 5), st.floats(-1e5, 1e5))
def test_no_more_skew_is_said_than_there_is(
    second: float, fraction: float, before: float, after: float, off: float
) -> None:
    """`off`: seconds that this clock is ahead of the one that wrote the date."""
    written = float(int(second)) + fraction
    began, ended = written - before + off, written + after + off
    said = clock.skew(Looked("http://x", 200, "", float(int(second)), began, ended))
    assert said is not None
    assert abs(said) <= abs(off) + 1e-6
    assert abs(off) - abs(said) <= before + after + 1.0 + 1e-6


def test_clocks_far_apart_are_told_with_the_address_and_silence_is_no_agreement() -> None:
    near, far = (
        Looked("http://near", 200, "", 100.0, 100.1, 100.2),
        Looked("http://far", 401, "", 1.0, 100, 101),
    )
    [found] = clock.judged([near, far])
    assert (found.verdict, found.said) == (
        Verdict.PROBLEM,
        "this machine is at least 98 s ahead of http://far",
    )
    [found] = clock.judged([Looked("http://slow", 200, "", 104.5, 99.0, 100.0)])
    assert (found.verdict, found.said) == (
        Verdict.WARNING,
        "this machine is at least 4.5 s behind http://slow",
    )
    [found] = clock.judged([Looked("http://gone", None, "ConnectError"), Looked("http://mute", 200)])
    assert found.verdict is Verdict.WARNING
    [found] = clock.judged([near, Looked("http://gone", None, "ConnectError")])
    assert verdicts([found]) == [("ok", "within 3 s of 1 others")]


@pytest.mark.parametrize("text", ["", "tomorrow", "Mon, 99 Nov 2026 10:00:00 GMT", "0" * 5_000])
def test_a_date_that_is_none_is_not_believed(text: str) -> None:
    assert date_of(text) is None
    assert date_of("Mon, 23 Nov 2026 10:00:00 GMT") == 1_795_428_000.0


@pytest.mark.parametrize(
    ("room", "verdict"),
    [
        (Room(50 * 10**9, 100 * 10**9, 900, 1_000), "ok"),
        (Room(50 * 10**9, 100 * 10**9, 0, 0), "ok"),
        (Room(9 * 10**9, 100 * 10**9, 900, 1_000), "warning"),
        (Room(1 * 10**9, 5 * 10**9, 900, 1_000), "warning"),
        (Room(10**8, 10**9, 900, 1_000), "problem"),
        (Room(50 * 10**9, 100 * 10**9, 10, 1_000), "problem"),
        (Room(50 * 10**9, 100 * 10**9, 900, 1_000, read_only=True), "problem"),
        (Room(6 * 10**7, 6 * 10**7, 900, 1_000, in_memory=True), "warning"),
    ],
)
def test_a_disk_is_judged_by_its_room(room: Room, verdict: str) -> None:
    assert [one for one, _ in verdicts(disk.judged("/data", room, 2 * 10**9))] == [verdict]


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no /dev/shm")  # noqa: S108
def test_a_data_directory_in_memory_is_named(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        [found] = disk.examine(context(tmp_path, {"data_dir": memory}))
    assert found.verdict is Verdict.WARNING
    assert "is in memory" in found.said


def context(directory: Path, tree: dict[str, Any] | None = None) -> Context:
    path = directory / "pipeline.toml"
    path.write_text(tomli_w.dumps(tree or {"data_dir": "data"}), encoding="utf-8")
    return Context(path, config.load(path, secrets=frozenset(), isolate=True))


@pytest.mark.parametrize(
    ("mode", "inside", "verdict"),
    [(0o700, 0o777, "ok"), (0o750, 0o700, "warning"), (0o755, 0o755, "problem"), (0o777, 0o700, "problem")],
)
def test_a_data_directory_is_judged_by_who_can_enter_it(
    tmp_path: Path, mode: int, inside: int, verdict: str
) -> None:
    spool = tmp_path / "data" / "gateway"
    spool.mkdir(parents=True)
    spool.chmod(inside)
    spool.parent.chmod(mode)
    found = permissions.examine(context(tmp_path))
    assert [one for one, _ in verdicts(found)] == [verdict]
    assert mode == 0o700 or f"{mode:04o}" in found[0].said


def test_files_of_secrets_and_settings_that_others_change_or_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "key").write_text(SECRET)
    (tmp_path / "key").chmod(0o600)
    tree = {"data_dir": "data", **stores_tree(acme=store_tree(secrets=[{"file": "key"}]))}
    site = context(tmp_path, tree)
    assert [one for one, _ in verdicts(permissions.examine(site))] == ["ok"]
    (tmp_path / "key").chmod(0o644)
    assert [one for one, _ in verdicts(permissions.examine(site))] == ["warning"]
    (tmp_path / "key").chmod(0o666)
    site.path.chmod(0o666)
    found = permissions.examine(site)
    assert [finding.verdict for finding in found] == [Verdict.PROBLEM] * 2
    assert SECRET not in repr(found)


def test_processes_that_are_not_ready_or_run_another_release_are_told() -> None:
    gateway = ProcessFacts("gateway", "http://g", ready=True, version="1.0")
    late = ProcessFacts(
        "deliver d1", "http://d", ready=True, version="0.9", why="its last reload was refused"
    )
    gone = ProcessFacts("translate", "", ready=False, why="no translate worker runs")
    stopped = AccountFacts("acme", State.STOPPED, "unauthorised", None, {}, None, None, None)
    assert verdicts(processes.judged(Snapshot(0, processes=(gateway,)))) == [
        ("ok", "ready: gateway"),
        ("ok", "none of 0 and 0 is stopped or failing"),
    ]
    found = processes.judged(
        Snapshot(0, (stopped,), processes=(gone, gateway, late), notes=("Kafka says no",))
    )
    assert verdicts(found) == [
        ("problem", "translate is not ready: no translate worker runs"),
        ("warning", "deliver d1 at http://d: its last reload was refused"),
        ("warning", "Kafka says no"),
        ("problem", "accounts in trouble: acme (stopped: unauthorised)"),
    ]
    assert verdicts(versions.of_processes([gateway, late, gone], "1.0")) == [
        ("warning", "this is 1.0, and deliver d1 runs 0.9")
    ]
    assert list(versions.of_processes([gateway], "1.0")) == []


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        (Answered(None, "ConnectError"), "does not answer (ConnectError)"),
        (Answered(200), "that is not the gateway's answer"),
        (Answered(301), "that is not the gateway's answer"),
        (Answered(401), "that is not the gateway's answer"),  # of a proxy with a password
        (Answered(401, "", "unauthorised"), "that is not the gateway's answer"),
    ],
)
def test_what_is_no_gateway_is_told(answered: Answered, said: str) -> None:
    found = webhook.gate_of("http://hooks", answered)
    assert found is not None
    assert found.verdict is Verdict.PROBLEM
    assert said in found.said


def test_answers_to_signed_webhooks_are_told_by_their_meaning_with_the_stores() -> None:
    assert webhook.gate_of("http://hooks", Answered(401, "", "unauthorized")) is None
    [found] = webhook.judged("http://hooks", {"a": Answered(200), "adobe": None})
    assert found.verdict is Verdict.OK
    assert "of 1 only the sender has the key" in found.said
    wrong = Answered(401, "", "unauthorized")
    found_all = list(
        webhook.judged(
            "http://hooks",
            {"a": wrong, "b": Answered(200), "c": wrong, "d": Answered(503, "", "store_refused")},
        )
    )
    assert [finding.verdict for finding in found_all] == [Verdict.PROBLEM] * 2
    assert found_all[0].said.startswith(
        "http://hooks: a, c: refused is what the secret of the settings signs"
    )
    assert "d: the gateway cannot use the store's settings" in found_all[1].said


def test_none_that_fails_or_hangs_stops_the_others(tmp_path: Path) -> None:
    never = threading.Event()

    def fails(_: Context) -> list[Finding]:
        raise ValueError(SECRET)

    def refuses(_: Context) -> list[Finding]:
        raise BrokerError("Kafka does not answer", hint="start it")

    def hangs(_: Context) -> list[Finding]:
        never.wait()
        return []

    found = examined(
        [
            Examination("hangs", hangs, seconds=0.05),
            Examination("fails", fails),
            Examination("refuses", refuses),
            Examination("works", lambda _: [ok("works", "fine")]),
        ],
        context(tmp_path),
    )
    never.set()
    assert [(one.subject, one.verdict) for one in found] == [
        ("hangs", Verdict.PROBLEM),
        ("fails", Verdict.PROBLEM),
        ("refuses", Verdict.PROBLEM),
        ("works", Verdict.OK),
    ]
    assert found[0].said == "not done within 0.05 s"
    assert SECRET not in repr(found)


def test_the_worst_comes_first_and_is_shown_in_80_columns() -> None:
    found = worst_first(
        [ok("a", "1"), warning("b", "2", "x"), problem("c", "[red]3", "y"), problem("d", "4", "")]
    )
    assert [finding.subject for finding in found] == ["c", "d", "b", "a"]
    out = io.StringIO()
    report.show(found, Console(file=out, width=80), as_json=False)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "[red]3" in lines[1]
    assert lines[-1] == "problems: 2, warnings: 1"


def test_settings_that_cannot_be_used_end_it_with_2_and_nothing_else_is_tried(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text("kafka = 7\n")
    done = CliRunner().invoke(app, ["doctor", "--json", "--config", str(path)])
    told = json.loads(done.output)
    assert (done.exit_code, told["sound"]) == (2, False)
    assert [finding["subject"] for finding in told["findings"]] == ["settings"]


def test_without_a_secret_that_all_need_what_needs_none_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH", raising=False)
    (tmp_path / "data").mkdir(mode=0o700)
    tree = {"http_token": {"env": "NO_SUCH"}, **stores_tree(acme=store_tree(secrets=[{"env": "NO_SUCH"}]))}
    site = context(tmp_path, tree)
    done = CliRunner().invoke(app, ["doctor", "--json", "--config", str(site.path)])
    told = json.loads(done.output)
    assert done.exit_code == 2
    found = {finding["subject"]: finding for finding in told["findings"]}
    assert found["secrets"]["verdict"] == "problem"
    assert {"disk", "permissions", "versions"} <= found.keys()
    assert "kafka" not in found


def test_signed_webhooks_go_where_up_takes_them_and_not_where_operators_are_answered(tmp_path: Path) -> None:
    context = Context(tmp_path / "none.toml", Settings(data_dir=tmp_path))
    assert context.gateway_here == "http://127.0.0.1:8080"
    addresses.write(tmp_path, {"gateway": "http://127.0.0.1:9010"}, "http://127.0.0.1:9000")
    assert context.gateway_here == "http://127.0.0.1:9000"
    assert replace(context, gateway="http://10.0.0.7:8080").gateway_here == "http://10.0.0.7:8080"
