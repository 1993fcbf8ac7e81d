"""Rounds that wait become one, in the order of each partition's offsets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from pipeline.engine.rounds import Round
from pipeline.kafka.messages import ReceivedMessage as Record
from pipeline.kafka.messages import TopicPartition

A, B = TopicPartition("orders", 0), TopicPartition("orders", 1)


@dataclass(frozen=True)
class Message:
    """All of a record that counts here."""

    offset: int


def records(*offsets: int) -> list[Record]:
    return [cast("Any", Message(offset)) for offset in offsets]


def test_two_rounds_as_one_have_each_partition_once_and_in_order() -> None:
    first = Round(((A, records(1, 2)), (B, records(7))), 3, 30)
    joined = first.joined(Round(((B, records(8)), (A, records(3))), 2, 20))
    assert joined == Round(((A, records(1, 2, 3)), (B, records(7, 8))), 5, 50)


def test_what_is_joined_leaves_the_rounds_as_they_were() -> None:
    first, second = Round(((A, records(1)),), 1, 1), Round(((A, records(2)),), 1, 1)
    first.joined(second)
    assert first == Round(((A, records(1)),), 1, 1)
