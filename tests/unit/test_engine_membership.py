"""Two workers of one name meet, wherever they keep their data; one that lost its data is known again."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from pipeline.engine import lock
from pipeline.engine.membership import GroupName, MembershipLost
from pipeline.errors import NameTakenError

_taken: list[GroupName] = []


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(lock, "PATIENCE", 0.0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    while _taken:
        leave(_taken.pop())


def leave(found: GroupName) -> None:
    """The worker's process ends."""
    assert found._lock is not None
    found._lock.close()


def place(directory: Path, *, servers: str = "127.0.0.1:1", instance: str = "stage-w1") -> GroupName:
    """A worker's place in a group of a cluster that is away."""
    directory.mkdir(exist_ok=True)
    config: dict[str, Any] = {"bootstrap.servers": servers}
    _taken.append(
        GroupName(config, group="stage", instance=instance, worker="w1", directory=directory, session=6)
    )
    return _taken[-1]


def test_a_second_worker_of_a_name_on_this_machine_is_refused(tmp_path: Path) -> None:
    first = place(tmp_path / "a")
    with pytest.raises(NameTakenError, match="is in use by process"):
        place(tmp_path / "b")
    assert first._former() == set()


@pytest.mark.parametrize("other", [{"servers": "127.0.0.1:2"}, {"instance": "stage-w2"}])
def test_workers_of_other_names_or_clusters_do_not_meet(tmp_path: Path, other: dict[str, str]) -> None:
    first = place(tmp_path / "a")
    first.joined("m1")
    assert place(tmp_path / "b", **other)._former() == set()


def test_a_worker_that_lost_its_data_still_knows_its_former_life(tmp_path: Path) -> None:
    first = place(tmp_path / "a")
    first.joined("m1")
    leave(first)
    assert place(tmp_path / "b")._former() == {"m1"}


def test_a_place_without_room_to_remember_is_held_nevertheless(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = place(tmp_path / "a")
    (tmp_path / "a" / "member.new").mkdir()
    with caplog.at_level(logging.WARNING):
        first.joined("m1")
    assert "cannot be written" in caplog.text
    assert first._former() == {"m1"}


def test_a_worker_that_cannot_ask_who_has_its_place_says_that_it_lost_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.engine.membership.ASK_AT_THE_END", 0.2)
    assert isinstance(place(tmp_path / "a").lost("m1"), MembershipLost)


class NewBroker:
    """An admin client of a broker that does not know at first that it keeps the group."""

    def __init__(self, holder: str) -> None:
        self.asked = 0
        self._holder = holder

    def describe_consumer_groups(self, names: list[str], **_: Any) -> dict[str, Future[Any]]:
        """As confluent-kafka's."""
        self.asked += 1
        answer: Future[Any] = Future()
        if self.asked == 1:
            answer.set_exception(
                KafkaException(KafkaError(KafkaError.NOT_COORDINATOR, "ConsumerGroupDescribe: "))
            )
        else:
            member = SimpleNamespace(
                group_instance_id="stage-w1",
                member_id=self._holder,
                host="/10.0.0.9",
                client_id="pipeline",
                assignment=SimpleNamespace(topic_partitions=[]),
            )
            answer.set_result(SimpleNamespace(members=[member]))
        return dict.fromkeys(names, answer)


def test_a_broker_that_has_just_begun_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pipeline.kafka.groups.LOOK", 0.01)
    found, broker = place(tmp_path / "a"), NewBroker("another")
    monkeypatch.setattr(found._groups, "_admin", broker)
    assert isinstance(found.lost("m1"), NameTakenError)
    assert broker.asked == 2
    assert caplog.records == []


def test_a_broker_that_does_not_say_who_is_in_a_group_is_told_of_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pipeline.engine.membership.ASK_AT_THE_END", 0.0)
    found = place(tmp_path / "a")
    monkeypatch.setattr(found._groups, "_admin", NewBroker("another"))
    assert isinstance(found.lost("m1"), MembershipLost)
    assert "Kafka does not say who is in the group stage: Broker: Not coordinator" in caplog.text
