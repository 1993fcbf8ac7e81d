"""Kafka that stops answering for a while, with all connections open: whoever asks goes on afterwards."""

from __future__ import annotations

import multiprocessing
import threading
import time
from pathlib import Path

import pytest

from pipeline.kafka.groups import Groups
from tests.relayed_kafka import relayed_kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

#: How often it hangs, how many ask at once, and how many seconds they wait.
TIMES, ASKING, WAITED = 6, 3, 1.0


def ask_groups(bootstrap: str, hangs: threading.Event, answers: threading.Event) -> None:
    """A process of its own that asks whenever it hangs, and once more when it answers again."""
    groups = Groups({"bootstrap.servers": bootstrap, "log_level": 2})
    for number in range(TIMES):
        assert groups.members("nobody", 10) == []
        answers.clear()
        hangs.set()
        answers.wait()
        for name in range(ASKING):
            threading.Thread(target=groups.members, args=(f"nobody-{number}-{name}", WAITED)).start()
        while threading.active_count() > 1:
            time.sleep(0.05)
    assert groups.members("nobody", 10) == []


def test_whoever_asks_for_groups_survives_that_their_time_runs_out(tmp_path: Path) -> None:
    spawning = multiprocessing.get_context("spawn")
    hangs, answers = spawning.Event(), spawning.Event()
    with relayed_kafka(tmp_path) as relay:
        asking = spawning.Process(target=ask_groups, args=(relay.bootstrap, hangs, answers))
        asking.start()
        for number in range(TIMES):
            assert hangs.wait(30)
            hangs.clear()
            relay.hang()
            answers.set()
            time.sleep(WAITED + 0.4 * number)
            relay.resume()
        asking.join(60)
    assert asking.exitcode == 0
