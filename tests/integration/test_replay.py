"""`pipeline replay` on a real broker: what Connectif lost is there again, whatever is killed meanwhile."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.replay.changes import Change
from tests.broker import KafkaSettings
from tests.integration.replaying import STORE, command, site
from tests.integration.translating import TREE
from tests.ledger_changes import changed, in_words_of_connectif
from tests.processes import wait_until

pytestmark = pytest.mark.kafka

ORDERS = 120


def test_orders_that_connectif_lost_are_there_again_and_what_was_cancelled_since_is_not(
    kafka_settings: KafkaSettings,
) -> None:
    with site(kafka_settings) as play:
        for number in range(1, ORDERS + 1):
            play.say(number)
        wait_until(lambda: len(play.purchases()) == ORDERS, 60, every=0.2)
        ranges = [word for offsets in play.ranges() for word in ("--offsets", offsets)]
        moment = "2026-11-24T10:00:00Z"
        play.say(7, "orders/cancelled", cancelled_at=moment, updated_at=moment)
        wait_until(lambda: len(play.purchases()) == ORDERS - 1, 60, every=0.2)
        before = set(play.purchases())
        wait_until(play.ended, 30, every=0.2)

        found = play.replayed("start", *ranges, "--dry-run", "--force")
        assert found["events"] == {"accepted": ORDERS - 1, "older": 1}
        assert found["records"]["acme"]["purchase"] == {"same": ORDERS - 1}

        found = play.replayed("start", *ranges)
        assert (found["status"], found["events_repeated"], found["delivered"]) == ("done", ORDERS, 0)
        assert play.purchases() == dict.fromkeys(before, 1), "Connectif was told all of it before"

        play.lose_everything()
        told = play.calls()["tell"]
        found = play.replayed("start", *ranges, "--force")
        assert (found["status"], found["events_repeated"], found["dead"]) == ("done", ORDERS, 0)
        assert play.purchases() == dict.fromkeys(before, 1), "each is created once, the cancelled one is not"
        # A call for each purchase, at most one for its contact and one for its product.
        assert play.calls()["tell"] - told <= 3 * ORDERS
        assert play.translate.account()["accepted"] == ORDERS + 1, "a replay is not counted as received"
        assert [run["status"] for run in play.runs()] == ["done", "done"]


@pytest.mark.slow
def test_a_replay_goes_on_after_its_process_and_the_workers_were_killed(
    kafka_settings: KafkaSettings,
) -> None:
    with site(kafka_settings) as play:
        for number in range(1, ORDERS + 1):
            play.say(number)
        wait_until(lambda: len(play.purchases()) == ORDERS, 60, every=0.2)
        wait_until(play.ended, 30, every=0.2)
        before = set(play.purchases())
        play.lose_everything()

        first = play.replay("start", "--force", "--store", STORE, "--per-minute", "400")
        wait_until(lambda: any(run["offsets_done"] for run in play.runs()), 60, every=0.1)
        assert len(play.purchases()) < ORDERS
        first.kill()
        first.communicate()
        play.translate.kill()
        play.deliver.kill()
        [run] = play.runs()
        assert 0 < run["offsets_done"] < run["offsets"]
        play.translate.restart()
        play.deliver.restart()
        found = play.replayed("resume", run["run"])
        assert found["status"] == "done"
        assert set(play.purchases()) == before
        assert set(play.purchases().values()) == {1}


@pytest.mark.slow
def test_a_detached_replay_is_limited_paused_resumed_and_cancelled_from_any_terminal(
    kafka_settings: KafkaSettings,
) -> None:
    with site(kafka_settings) as play:
        for number in range(1, ORDERS + 1):
            play.say(number)
        wait_until(lambda: len(play.purchases()) == ORDERS, 60, every=0.2)
        wait_until(play.ended, 30, every=0.2)
        play.lose_everything()

        with play.replay("start", "--force", "--detach", "--per-minute", "300") as process:
            name = process.communicate(timeout=60)[0].decode().strip()
        wait_until(lambda: 0 < play.runs()[0]["events_repeated"] < ORDERS, 60, every=0.1)
        play.run("pause", name)
        wait_until(lambda: play.runs()[0]["status"] == "paused", 20, every=0.1)
        at = play.runs()[0]["events_repeated"]
        wait_until(lambda: len(play.purchases()) == at, 30, every=0.2)
        play.run("throttle", name, "180")
        assert play.runs()[0]["events_repeated"] == at < ORDERS, "nothing is repeated while it is paused"
        play.run("resume", name)
        wait_until(lambda: play.runs()[0]["events_repeated"] > at, 30, every=0.1)
        play.run("cancel", name)
        wait_until(lambda: play.runs()[0]["status"] == "cancelled", 20, every=0.1)
        assert play.runs()[0]["events_repeated"] < ORDERS


@pytest.mark.slow
def test_what_a_changed_decision_would_change_is_said_and_then_changes(
    kafka_settings: KafkaSettings,
) -> None:
    with site(kafka_settings) as play:
        for number in range(1, 21):
            play.put(number)
        play.flush()
        wait_until(lambda: play.count() == 20, 60, every=0.2)
        wait_until(play.ended, 30, every=0.2)
        play.decide(product_id="variant", purchase_id="name")
        before = by_kind(play.held())
        *lines, _ = play.printed("start", "--store", STORE, "--dry-run", "--diff", "--personal", "--json")
        found = play.replayed("start", "--store", STORE)
        assert (found["status"], found["dead"]) == ("done", 0)
        after = by_kind(play.held())
        foretold = [Change(**orjson.loads(line)) for line in lines]
        assert {change.field for change in foretold} >= {"op", "lines", "total_price"}
        assert sorted(in_words_of_connectif(foretold, before, after)) == sorted(changed(before, after))


def by_kind(held: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What an account holds, under the names of records' kinds."""
    return {kind.removesuffix("s"): elements for kind, elements in held.items()}


def test_what_an_operator_asks_in_error_is_refused_in_words(
    kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    kafka_settings(TREE)
    path = kafka_settings.write(TREE)
    binary, odd, empty = (tmp_path / name for name in ("binary", "odd", "empty"))
    binary.write_bytes(bytes(range(256)))
    odd.write_text("7\n\x00\x1b[2J8\n")
    empty.write_text("\n \n")
    asked = {
        ("--store", "nobody"): (2, "there is no store 'nobody'"),
        ("--since", "2099-01-01"): (2, "in the future"),
        ("--since", "2026-02-01", "--until", "2026-01-01"): (2, "ends before it begins"),
        ("--offsets", "shop.orders:0:1-2", "--offsets", "shop.orders:0:5-6"): (2, "named twice"),
        ("--store", STORE): (1, "no events in this range"),
        ("--ids", str(binary)): (1, "cannot read"),
        ("--ids", str(odd)): (1, "no id"),
        ("--ids", str(empty)): (1, "names no ids"),
        ("--ids", str(tmp_path)): (1, "cannot read"),
    }
    commands = {words: command(path, "start", *words) for words in asked}
    for words, (code, said) in asked.items():
        out, err = commands[words].communicate(timeout=120)
        assert commands[words].returncode == code, (words, out, err)
        assert said in err.decode(), (words, err)
        assert "Traceback" not in err.decode()
        assert "\x1b[2J" not in err.decode()


@pytest.mark.slow
def test_a_replay_that_nobody_works_on_is_noticed_and_goes_on_elsewhere(
    kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    with site(kafka_settings) as play:
        for number in range(1, ORDERS + 1):
            play.put(number)
        play.flush()
        wait_until(lambda: play.count() == ORDERS, 60, every=0.2)
        wait_until(play.ended, 30, every=0.2)
        ids = tmp_path / "ids"
        ids.write_text("\n".join(map(str, range(ORDERS - 20, ORDERS + 6))))
        # The hang-up of its terminal, as closing the window does.
        first = play.replay("start", "--force", "--ids", str(ids), "--per-minute", "60")
        wait_until(lambda: any(run["events_repeated"] for run in play.runs()), 60, every=0.2)
        first.send_signal(signal.SIGHUP)
        _, err = first.communicate(timeout=60)
        assert "resume" in err.decode()
        assert first.returncode == 1
        [run] = play.runs()
        name = run["run"]
        assert (run["status"], run["events_chosen"], run["ids_found"]) == ("stopped", 21, 21)
        assert f"resume {name}" in run["what_to_do"]
        wait_until(lambda: play.trouble() == {(name, "stopped")}, 60, every=0.5)
        play.run("resume", name, "--detach")
        wait_until(lambda: play.trouble() == set(), 60, every=0.5)
        play.run("throttle", name, "0")
        wait_until(lambda: play.runs()[0]["status"] == "done", 60, every=0.2)
        assert play.runs()[0]["events_repeated"] == 21
        lines = play.printed("show", name)
        assert any("of 5 of the 26 ids there is no event" in line for line in lines), lines
        with play.replay("pause", name) as late:
            assert b"is over: done" in late.communicate(timeout=60)[1]
        assert late.returncode == 1
