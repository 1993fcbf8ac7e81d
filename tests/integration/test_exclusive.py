"""One at a time over all machines, by a consumer group of a real Kafka: two at once, one that stood still."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from pipeline.errors import BrokerError
from pipeline.kafka.exclusive import AtWork, Exclusive
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import DEADLETTERS, full_name
from tests.broker import KafkaSettings
from tests.processes import wait_until

pytestmark = pytest.mark.kafka

HOLD = """
import sys
from pipeline.kafka.exclusive import Exclusive
with Exclusive({"bootstrap.servers": sys.argv[1]}, sys.argv[2], sys.argv[3], who="ann", what="job") as turn:
    print("held", flush=True)
    for _ in sys.stdin:
        turn.check()
        print("still held", flush=True)
"""


class Place:
    """A group of a test, and who may hold it."""

    def __init__(self, kafka_settings: KafkaSettings) -> None:
        self.settings = kafka_settings({})
        self.config = client_config(self.settings)
        self.group = full_name(self.settings, "pipeline-turn")
        self.topic = full_name(self.settings, DEADLETTERS)

    def turn(self, who: str = "bob") -> Exclusive:
        """To be entered."""
        return Exclusive(self.config, self.group, self.topic, who=who, what="job")

    def is_free(self) -> bool:
        """Whether it could be entered now."""
        try:
            with self.turn():
                return True
        except AtWork:
            return False

    @contextlib.contextmanager
    def another(self) -> Iterator[subprocess.Popen[str]]:
        """A process that holds it; each line it is given makes it look whether it does."""
        command = [sys.executable, "-c", HOLD, str(self.config["bootstrap.servers"]), self.group, self.topic]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
            process.kill()


@pytest.fixture(name="place")
def _place(kafka_settings: KafkaSettings) -> Place:
    return Place(kafka_settings)


def test_the_second_is_refused_and_told_who_has_it_until_the_first_has_ended(place: Place) -> None:
    with place.turn("ann@desk") as first:
        with pytest.raises(AtWork, match=r"another job is at work: ann@desk \(process \d+\)"), place.turn():
            pass
        first.check()
    with place.turn() as second:
        second.check()


def test_of_several_that_begin_at_the_same_moment_no_two_have_it(place: Place) -> None:
    begin, inside, most = threading.Barrier(3), threading.Semaphore(1), []

    def run() -> None:
        begin.wait(30)
        with contextlib.suppress(AtWork), place.turn() as turn:
            turn.check()
            most.append(inside.acquire(blocking=False))
            until = time.monotonic() + 0.5
            while time.monotonic() < until:
                turn.check()
            inside.release()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(most)
    assert place.is_free()


@pytest.mark.slow
def test_one_that_was_killed_keeps_it_from_nobody_for_long(place: Place) -> None:
    with place.another() as killed:
        assert not place.is_free()
        killed.kill()
        wait_until(place.is_free, 30, every=0.5)


def test_one_that_stood_still_loses_it_as_if_it_was_killed_and_knows(place: Place) -> None:
    with place.another() as stopped:
        assert not place.is_free()
        assert stopped.stdin is not None
        assert stopped.stderr is not None
        stopped.send_signal(signal.SIGSTOP)
        wait_until(place.is_free, 30, every=0.5)
        with place.turn() as turn:
            stopped.send_signal(signal.SIGCONT)
            stopped.stdin.write("look\n")
            stopped.stdin.flush()
            assert "stood still for too long" in stopped.stderr.read()
            turn.check()


def test_a_broker_that_is_away_is_an_error_and_no_permission(place: Place) -> None:
    away = Exclusive({"bootstrap.servers": "127.0.0.1:1"}, place.group, place.topic, who="bob", what="job")
    with pytest.raises(BrokerError, match="does not say whether another job is at work"), away:
        pass
