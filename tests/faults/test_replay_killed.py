"""Every order of an emptied account is there again, to the field, with everything killed on the way.

`PIPELINE_TEST_REPLAY_ORDERS=100000 pytest -m slow tests/faults/test_replay_killed.py` does it with 100,000.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from typing import Any

import pytest

from pipeline.local.broker import EmbeddedKafka
from pipeline.replay.run import Run, RunStatus
from pipeline.replay.runs import Runs
from tests.broker import KafkaSettings, RunningKafka
from tests.integration.replaying import STORE, Site, site
from tests.processes import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

ORDERS = int(os.environ.get("PIPELINE_TEST_REPLAY_ORDERS", "2000"))
#: Seconds that an order may take, twice: the machine is not ours alone.
PATIENCE = 120 + ORDERS * 0.1
#: As fast as the machine can: no limit that anything would wait for.
FAST: dict[str, Any] = {"calls_per_minute": 1_000, "speed": 60.0, "concurrency": 32}
#: What is killed, in any order, and all of it before any again.
VICTIMS = ("replay", "translate", "deliver", "broker")
#: A tenth of the orders was cancelled or changed since.
CHANGED_EVERY = 10


def sold(play: Site) -> dict[str, dict[str, Any]]:
    """Sell the orders, change some and cancel some; what Connectif is to hold of them."""
    began = time.monotonic()
    for number in range(1, ORDERS + 1):
        play.put(number)
    play.flush()
    changed = range(CHANGED_EVERY, ORDERS + 1, CHANGED_EVERY)
    cancelled = set(changed[::2])
    for number in changed:
        moment = "2026-11-24T10:00:00Z"
        if number in cancelled:
            play.put(number, "orders/cancelled", {"cancelled_at": moment, "updated_at": moment})
        else:
            play.put(number, "orders/updated", {"updated_at": moment, "note": "x", "total_price": "1.00"})
    play.flush()
    wait_until(lambda: play.deliver.records()["accepted"] >= ORDERS * 3, PATIENCE, every=1)
    wait_until(play.ended, PATIENCE, every=1)
    wait_until(lambda: play.count() == ORDERS - len(cancelled), PATIENCE, every=1)
    say(f"{ORDERS:,} orders delivered in {time.monotonic() - began:.0f} s")
    held = play.held()
    # What is taken back says nothing of its buyer and its product: of an emptied account they stay away.
    for number in cancelled:
        held["contacts"].pop(f"buyer{number}@example.com")
        held["products"].pop(str(20_000 + number))
    return held


def test_every_order_of_an_emptied_account_is_there_again(kafka_settings: KafkaSettings) -> None:
    with site(kafka_settings, **FAST) as play:
        before = sold(play)
        play.lose_everything()
        began = time.monotonic()
        found = play.replayed("start", "--store", STORE, "--force", timeout=PATIENCE)
        took = time.monotonic() - began
        assert (found["status"], found["dead"]) == ("done", 0)
        exact(play, before)
        calls = play.connectif.stats("acme")["calls_total"]
        say(f"replayed in {took:.0f} s, {found['events_repeated']:,} events, {calls:,} calls")


def test_so_it_is_with_everything_killed_at_random(
    kafka: RunningKafka, kafka_settings: KafkaSettings
) -> None:
    if kafka.embedded is None:
        pytest.skip("the broker is not ours to kill")
    chance = random.Random(11)  # noqa: S311 - repeatable
    with site(kafka_settings, **FAST) as play:
        before = sold(play)
        play.lose_everything()
        began = time.monotonic()
        # A minute of repeating, so that each of them is killed within it.
        command = play.replay("start", "--store", STORE, "--force", "--per-minute", str(ORDERS))
        wait_until(lambda: bool(play.runs()), 60, every=0.5)
        name = str(play.runs()[0]["run"])
        killed: list[str] = []
        deck: list[str] = []
        # The next one dies once something was done since: else nothing would ever be.
        while await_progress(play, name, ORDERS / 8):
            deck = deck or chance.sample(VICTIMS, len(VICTIMS))
            killed.append(deck.pop())
            command = kill(play, kafka.embedded, killed[-1], name, command)
        command.communicate(timeout=60)
        exact(play, before)
        say(f"replayed in {time.monotonic() - began:.0f} s, killed: {killed}")
        assert set(killed) == set(VICTIMS)


def kill(
    play: Site, broker: EmbeddedKafka, victim: str, name: str, command: subprocess.Popen[bytes]
) -> subprocess.Popen[bytes]:
    """Kill -9 one of them, and start it again; returns the process of the replay."""
    workers = {"translate": play.translate, "deliver": play.deliver}
    if victim == "broker":
        broker.kill()
        broker.start()
    elif victim in workers:
        workers[victim].kill()
        workers[victim].restart()
    else:
        command.kill()
        command.wait()
    # Whatever it was, a worker or the command may have ended by itself meanwhile.
    for worker in workers.values():
        if worker.exit_code() is not None:
            worker.restart()
    if command.poll() is not None and not over(play, name):
        _, err = command.communicate()
        assert victim in {"replay", "broker"}, err.decode()
        assert "Traceback" not in err.decode(), err.decode()
        return play.replay("resume", name)
    return command


def say(figures: str) -> None:
    """What a run with `-s` shows."""
    sys.stderr.write(f"\n{figures}\n")


def exact(play: Site, before: dict[str, dict[str, Any]]) -> None:
    """The account holds what it held, each purchase created once."""
    wait_until(play.ended, PATIENCE, every=0.5)
    after = play.held()
    for kind, held in before.items():
        differing = sorted(after[kind].keys() ^ held.keys())
        assert not differing, (kind, len(differing), differing[:3])
        differing = [key for key, body in held.items() if after[kind][key] != body]
        assert not differing, (kind, differing[:3], held[differing[0]], after[kind][differing[0]])
    assert set(play.purchases().values()) == {1}


def await_progress(play: Site, name: str, events: float) -> bool:
    """Wait until so many more events are delivered; whether the run still goes on then."""
    at = events_delivered(play, name)
    wait_until(lambda: over(play, name) or events_delivered(play, name) > at + events, PATIENCE, every=0.3)
    return not over(play, name)


def events_delivered(play: Site, name: str) -> float:
    """Of the run, as it is kept."""
    run = look(play, name)
    return 0.0 if run is None else run.state.delivered


def over(play: Site, name: str) -> bool:
    """Whether the run is done."""
    run = look(play, name)
    return run is not None and run.state.status is RunStatus.DONE


def look(play: Site, name: str) -> Run | None:
    """The run, as it is kept."""
    with Runs(play.settings) as runs:
        return runs.read().get(name)
