"""The reader of ranges on the cluster inside librdkafka; tests/integration has it on a real one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import Producer

from pipeline.kafka.errors import KafkaUnreachable, RecordsGone
from pipeline.kafka.messages import UNREADABLE, TopicPartition
from pipeline.kafka.ranges import OffsetRange
from pipeline.kafka.reader import RangeReader, Stopped
from tests import oddheaders

PLACE = TopicPartition("t", 0)


@dataclass
class Mock:
    """A cluster that lives as long as its producer."""

    producer: Producer
    server: str

    def put(self, *values: bytes, **more: Any) -> None:
        for value in values:
            self.producer.produce("t", value, partition=0, **more)
        assert self.producer.flush(30) == 0

    def reader(self, patience: float = 20) -> RangeReader:
        return RangeReader({"bootstrap.servers": self.server}, patience=patience)


@pytest.fixture(name="mock")
def _mock() -> Mock:
    producer = Producer({"test.mock.num.brokers": 1, "linger.ms": 0, "log_level": 0})
    producer.produce("t", b"0", partition=0, headers=[("h", b"1")])
    assert producer.flush(30) == 0
    (broker,) = producer.list_topics("t", timeout=20).brokers.values()
    return Mock(producer, f"{broker.host}:{broker.port}")


def values(reader: RangeReader, *ranges: OffsetRange, **how: Any) -> list[bytes | None]:
    return [message.value for batch in reader.read(ranges, **how) for message in batch.messages()]


def test_a_topic_is_read_to_where_it_ended_when_it_was_asked(mock: Mock) -> None:
    mock.put(*(b"%d" % number for number in range(1, 2_000)))
    told: list[tuple[int, int]] = []
    with mock.reader() as reader:
        ranges = reader.ranges("t")
        mock.put(b"later")
        found = values(reader, *ranges, progress=lambda *at: told.append(at))
    assert found == [b"%d" % number for number in range(2_000)]
    assert told[-1] == (2_000, 2_000)


def test_a_reading_that_is_left_halfway_leaves_the_reader_usable(mock: Mock) -> None:
    mock.put(b"1", b"2")
    with mock.reader() as reader:
        left: Any = reader.read([OffsetRange(PLACE, 0, 3)])
        next(left)
        left.close()
        assert values(reader, OffsetRange(PLACE, 1, 3)) == [b"1", b"2"]
        outlived: Any = reader.read([OffsetRange(PLACE, 0, 3)])
        next(outlived)
    outlived.close()


def test_a_reading_that_waits_is_called_off(mock: Mock) -> None:
    with mock.reader() as reader, pytest.raises(Stopped):
        values(reader, OffsetRange(PLACE, 0, 1), stop=lambda: True)


def test_a_partition_that_ends_earlier_than_it_did_is_reported(mock: Mock) -> None:
    with (
        mock.reader() as reader,
        pytest.raises(RecordsGone, match="ends at 1, but ended at 9 before"),
    ):
        values(reader, OffsetRange(PLACE, 0, 9))


async def test_headers_that_the_client_cannot_read_are_told_as_such(mock: Mock) -> None:
    odd = oddheaders.batch(b"\xff\xfe", b"1")
    for _ in range(100):  # often enough for the interpreter to take its short cuts
        await oddheaders.produce(mock.server, "t", 0, odd)
    with mock.reader() as reader:
        batches = list(reader.read([OffsetRange(PLACE, 0, 101)]))
    found = [message.headers for _ in range(2) for batch in batches for message in batch.messages()]
    assert found == [[("h", b"1")], *[UNREADABLE] * 100] * 2


def test_a_broker_that_is_away_is_told_with_its_address() -> None:
    with RangeReader({"bootstrap.servers": "127.0.0.1:1"}, patience=0.7) as reader:
        with pytest.raises(KafkaUnreachable, match=r"127\.0\.0\.1:1\): .*Connection refused"):
            reader.ranges("t")
        with pytest.raises(KafkaUnreachable, match=r"127\.0\.0\.1:1\): .*Connection refused"):
            values(reader, OffsetRange(PLACE, 0, 5))
