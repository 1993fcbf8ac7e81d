"""Offsets are asked for again while a partition's leader changes, and not for ever."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from pipeline.kafka import offsets
from pipeline.kafka.errors import PASSING, KafkaUnreachable, ReadRefused
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.offsets import Offsets

PLACE = TopicPartition("shop.orders", 0)


class _Brokers:
    """Answers with errors first, then with offset 7."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.asked = 0
        self.refreshed = 0
        self.away = False

    def list_topics(self, topic: str = "", *, timeout: float) -> None:
        """Who leads all topics is asked anew; of one topic, whether a broker is there."""
        assert timeout > 0
        if topic and self.away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        self.refreshed += not topic

    def list_offsets(self, places: dict[Any, Any], **_options: object) -> dict[Any, Future[Any]]:
        self.asked += 1
        answer: Future[Any] = Future()
        if self.codes:
            answer.set_exception(KafkaException(KafkaError(self.codes.pop(0))))
        else:
            answer.set_result(SimpleNamespace(offset=7))
        return dict.fromkeys(places, answer)

    def poll(self, _seconds: float) -> None:
        """No complaint."""


def _asking(monkeypatch: pytest.MonkeyPatch, brokers: _Brokers, *, timeout: float = 30.0) -> Offsets:
    monkeypatch.setattr(offsets, "RETRY_PAUSE", 0.0)
    found = Offsets({"bootstrap.servers": "127.0.0.1:1"}, timeout=timeout)
    monkeypatch.setattr(found, "_admin", brokers)
    return found


@pytest.mark.parametrize("code", sorted(PASSING))
def test_a_leader_that_changes_is_asked_again(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    brokers = _Brokers(code, code)
    assert _asking(monkeypatch, brokers).ends([PLACE]) == {PLACE: 7}
    assert (brokers.asked, brokers.refreshed) == (3, 2)


def test_a_refusal_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = _Brokers(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(ReadRefused):
        _asking(monkeypatch, brokers).ends([PLACE])
    assert brokers.asked == 1


def test_no_leader_is_asked_while_no_broker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where librdkafka knew one, it waits by going round between two threads."""
    brokers = _Brokers()
    brokers.away = True
    with pytest.raises(KafkaUnreachable):
        _asking(monkeypatch, brokers, timeout=0.01).ends([PLACE])
    assert brokers.asked == 0


def test_it_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = _Brokers(*[KafkaError.LEADER_NOT_AVAILABLE] * 1_000_000)
    with pytest.raises(KafkaUnreachable):
        _asking(monkeypatch, brokers, timeout=0.01).ends([PLACE])
