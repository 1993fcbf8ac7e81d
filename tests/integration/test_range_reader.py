"""The reader of ranges on a real Kafka: it reads each message once, and ends, whatever lies at the end."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.kafka.errors import KafkaUnreachable, ReadRefused, RecordsGone, TopicMissing
from pipeline.kafka.messages import UNREADABLE, LibrdkafkaMessage
from pipeline.kafka.messages import TopicPartition as Place
from pipeline.kafka.offsets import Offsets
from pipeline.kafka.ranges import LostRange, OffsetRange
from pipeline.kafka.reader import RangeReader, Stopped
from tests import oddheaders
from tests.broker import KafkaSettings
from tests.processes import wait_until

pytestmark = pytest.mark.kafka


@dataclass
class Bench:
    """A topic of a test, and clients for it."""

    bootstrap: str
    topic: str
    config: dict[str, Any]
    admin: AdminClient

    def create(self, partitions: int = 1, **config: str) -> None:
        """Make the topic."""
        made = NewTopic(self.topic, partitions, 1, config={k.replace("_", "."): v for k, v in config.items()})
        for future in self.admin.create_topics([made]).values():
            future.result(30)
        with RangeReader(self.config) as reader:
            wait_until(lambda: self._led(reader, partitions), 30)

    def _led(self, reader: RangeReader, partitions: int) -> bool:
        """Whether the broker knows it, which a moment after it was made it may not."""
        try:
            reader.ranges(self.topic)
            return len(reader.offsets.partitions(self.topic)) == partitions
        except (ReadRefused, TopicMissing):
            return False

    def put(self, *values: bytes, partition: int = 0, **more: Any) -> None:
        """Messages, one after the other."""
        producer = Producer(self.config)
        for value in values:
            producer.produce(self.topic, value, partition=partition, **more)
        assert producer.flush(30) == 0

    def transaction(self, *values: bytes, finish: str) -> Producer:
        """A transaction that is committed, aborted or left open."""
        producer = Producer({**self.config, "transactional.id": f"{self.topic}-{finish}"})
        producer.init_transactions(30)
        producer.begin_transaction()
        for value in values:
            producer.produce(self.topic, value, partition=0)
        assert producer.flush(30) == 0
        if finish == "commit":
            producer.commit_transaction(30)
        elif finish == "abort":
            producer.abort_transaction(30)
        if finish != "open":
            wait_until(self._is_finished, 30)
        return producer

    def _is_finished(self) -> bool:
        """Whether the partition has the end of its transaction: the brokers say yes before they write it."""
        ends = [Offsets(self.config, uncommitted=seen).ends([self.place()]) for seen in (False, True)]
        return ends[0] == ends[1]

    def delete_before(self, offset: int, partition: int = 0) -> None:
        """As retention does."""
        for future in self.admin.delete_records([TopicPartition(self.topic, partition, offset)]).values():
            future.result(30)

    def place(self, partition: int = 0) -> Place:
        """A partition of the topic."""
        return Place(self.topic, partition)

    def read(self, reader: RangeReader, **how: Any) -> list[LibrdkafkaMessage]:
        """All messages."""
        batches = reader.read(reader.ranges(self.topic), **how)
        return [message for batch in batches for message in batch.messages()]

    def values(self, **how: Any) -> list[bytes | None]:
        """What a new reader finds."""
        with RangeReader(self.config, **how) as reader:
            return [message.value for message in self.read(reader)]


@pytest.fixture(name="bench")
def _bench(kafka_settings: KafkaSettings) -> Bench:
    bootstrap = kafka_settings(create=False).kafka.bootstrap
    assert bootstrap is not None
    config = {"bootstrap.servers": bootstrap}
    return Bench(bootstrap, f"{kafka_settings.prefix}ranges", config, AdminClient(config))


def test_every_message_is_read_once_and_progress_ends_at_the_total(bench: Bench) -> None:
    bench.create(3)
    sent = {number: [b"%d-%d" % (number, at) for at in range(700)] for number in range(3)}
    for number, values in sent.items():
        bench.put(*values, partition=number, key=b"k", headers=[("h", b"1"), ("none", None)])
    told: list[tuple[int, int]] = []
    with RangeReader(bench.config) as reader:
        found = bench.read(reader, progress=lambda done, total: told.append((done, total)))
    for number, values in sent.items():
        mine = [message for message in found if message.partition == number]
        assert [message.value for message in mine] == values
        assert [message.offset for message in mine] == list(range(700))
    assert {(message.topic, message.key, tuple(message.headers)) for message in found} == {
        (bench.topic, b"k", (("h", b"1"), ("none", None)))
    }
    assert all(message.timestamp > 1_600_000_000_000 for message in found)
    assert told[-1] == (2_100, 2_100)
    assert told == sorted(told)


def test_what_is_written_after_the_ends_were_taken_is_left_out(bench: Bench) -> None:
    bench.create()
    bench.put(b"1", b"2")
    with RangeReader(bench.config) as reader:
        ranges = reader.ranges(bench.topic)
        bench.put(b"3", b"4")
        found = [message.value for batch in reader.read(ranges) for message in batch.messages()]
    assert found == [b"1", b"2"]


def test_a_topic_without_messages_has_no_ranges(bench: Bench) -> None:
    bench.create(2)
    assert bench.values() == []


@pytest.mark.parametrize("finish", ["commit", "abort"])
@pytest.mark.parametrize("uncommitted", [False, True])
def test_the_end_of_a_transaction_at_the_end_of_a_partition_is_no_message(
    bench: Bench, finish: str, uncommitted: bool
) -> None:
    bench.create()
    bench.put(b"1")
    bench.transaction(b"2", b"3", finish=finish)
    seen = uncommitted or finish == "commit"
    assert bench.values(uncommitted=uncommitted) == [b"1", *([b"2", b"3"] if seen else [])]


def test_an_open_transaction_ends_what_is_read_of_committed_messages(bench: Bench) -> None:
    bench.create()
    bench.put(b"1")
    producer = bench.transaction(b"2", finish="open")
    bench.put(b"3")
    assert bench.values() == [b"1"]
    assert bench.values(uncommitted=True) == [b"1", b"2", b"3"]
    producer.abort_transaction(30)


def test_what_compaction_left_out_is_no_reason_to_wait(bench: Bench) -> None:
    bench.create(
        cleanup_policy="compact",
        segment_ms="100",
        min_cleanable_dirty_ratio="0.01",
        min_compaction_lag_ms="0",
        delete_retention_ms="0",
    )

    def compacted() -> bool:
        # A new segment begins with a write; only older ones are compacted.
        bench.put(b"x", key=b"k")
        with RangeReader(bench.config) as reader:
            ranges = reader.ranges(bench.topic)
            told: list[tuple[int, int]] = []
            found = [
                message.offset
                for batch in reader.read(ranges, progress=lambda *at: told.append(at))
                for message in batch.messages()
            ]
            assert told[-1][0] == told[-1][1] == sum(map(len, ranges))
        return len(found) < sum(map(len, ranges))

    wait_until(compacted, 90)


def test_a_range_that_ends_in_a_gap_ends(bench: Bench) -> None:
    bench.create()
    bench.put(b"0")
    bench.transaction(b"1", finish="commit")  # offset 2 is its end
    bench.put(b"3", b"4")
    with RangeReader(bench.config) as reader:
        batches = reader.read([OffsetRange(bench.place(), 1, 3)])
        assert [message.offset for batch in batches for message in batch.messages()] == [1]
        batches = reader.read([OffsetRange(bench.place(), 2, 4)])
        assert [message.offset for batch in batches for message in batch.messages()] == [3]


def test_a_moment_begins_and_ends_a_range(bench: Bench) -> None:
    bench.create(2)
    for number in range(4):
        bench.put(b"%d" % number, timestamp=1_000_000 + 1_000 * number)
    bench.put(b"old", partition=1, timestamp=500_000)
    with RangeReader(bench.config) as reader:
        assert reader.ranges(bench.topic, start=1_001_000, until=1_003_000) == [
            OffsetRange(bench.place(), 1, 3)
        ]
        assert reader.ranges(bench.topic, start=1_000_500) == [OffsetRange(bench.place(), 1, 4)]
        assert reader.ranges(bench.topic, start=2_000_000) == []
        assert reader.ranges(bench.topic, until=600_000) == [OffsetRange(bench.place(1), 0, 1)]


def test_offsets_begin_a_range_and_a_group_remembers_them(bench: Bench) -> None:
    bench.create(2)
    bench.put(b"0", b"1", b"2")
    bench.put(b"0", partition=1)
    with RangeReader(bench.config, group=f"{bench.topic}-group") as reader:
        places = reader.offsets.partitions(bench.topic)
        assert reader.committed(places) == {bench.place(0): None, bench.place(1): None}
        reader.commit({bench.place(0): 2})
        start = reader.committed(places)
        assert reader.ranges(bench.topic, start=start) == [
            OffsetRange(bench.place(0), 2, 3),
            OffsetRange(bench.place(1), 0, 1),
        ]


def deleting_reader(bench: Bench) -> tuple[RangeReader, list[OffsetRange]]:
    """A reader whose first records are deleted after the ends were taken."""
    bench.create(2)
    bench.put(*(b"%d" % number for number in range(10)))
    bench.put(b"other", partition=1)
    reader = RangeReader(bench.config)
    ranges = reader.ranges(bench.topic)
    bench.delete_before(6)
    return reader, ranges


def test_records_deleted_before_they_were_read_end_the_reading_in_words(bench: Bench) -> None:
    reader, ranges = deleting_reader(bench)
    with reader, pytest.raises(RecordsGone, match="the offsets 0 to 5 were deleted before they were read"):
        list(reader.read(ranges))


def test_records_deleted_before_they_were_read_are_reported_and_the_rest_is_read(bench: Bench) -> None:
    reader, ranges = deleting_reader(bench)
    lost: list[LostRange] = []
    with reader:
        batches = reader.read(ranges, on_lost=lost.append)
        found = {(message.partition, message.offset) for batch in batches for message in batch.messages()}
    assert lost == [LostRange(bench.place(), 0, 6)]
    assert found == {(0, 6), (0, 7), (0, 8), (0, 9), (1, 0)}


def test_a_partition_whose_range_was_deleted_altogether_is_done(bench: Bench) -> None:
    reader, ranges = deleting_reader(bench)
    bench.delete_before(10)
    lost: list[LostRange] = []
    with reader:
        batches = list(reader.read(ranges, on_lost=lost.append))
    assert [batch.place for batch in batches] == [bench.place(1)]
    assert lost == [LostRange(bench.place(), 0, 10)]


def test_a_partition_that_ends_earlier_than_it_did_is_reported(bench: Bench) -> None:
    bench.create()
    bench.put(b"0", b"1")
    with RangeReader(bench.config) as reader:
        for start in (0, 5):  # behind its end, and beyond it
            with pytest.raises(RecordsGone, match="ends at 2, but ended at 9 before"):
                list(reader.read([OffsetRange(bench.place(), start, 9)]))


def test_a_topic_that_is_not_there_is_reported(bench: Bench) -> None:
    with RangeReader(bench.config, patience=5) as reader:
        with pytest.raises(TopicMissing, match="there is no topic"):
            reader.ranges(bench.topic)
        with pytest.raises(TopicMissing):
            list(reader.read([OffsetRange(bench.place(), 0, 5)]))


def test_a_broker_that_is_away_is_told_with_its_address() -> None:
    with RangeReader({"bootstrap.servers": "127.0.0.1:1"}, patience=1.5) as reader:
        with pytest.raises(KafkaUnreachable, match=r"127\.0\.0\.1:1\): .*Connection refused"):
            reader.ranges("t")
        with pytest.raises(KafkaUnreachable, match=r"127\.0\.0\.1:1\): .*Connection refused"):
            list(reader.read([OffsetRange(Place("t", 0), 0, 5)]))


def test_a_reading_is_called_off(bench: Bench) -> None:
    bench.create()
    bench.put(*(b"%d" % number for number in range(1_000)))
    stop = threading.Event()
    with RangeReader(bench.config) as reader:
        batches = reader.read(reader.ranges(bench.topic), stop=stop.is_set)
        next(batches)
        stop.set()
        with pytest.raises(Stopped):
            list(batches)
        assert len(bench.read(reader)) == 1_000  # and may be begun anew


async def test_a_header_whose_name_is_no_text_stops_nobody(bench: Bench) -> None:
    bench.create()
    bench.put(b"1")
    server = bench.bootstrap.partition(",")[0]
    await oddheaders.produce(server, bench.topic, 0, oddheaders.batch(b"\xff\xfe", b"2"))
    bench.put(b"3", headers=[("h", b"x")])
    with RangeReader(bench.config) as reader:
        found = [(message.value, message.headers) for message in bench.read(reader)]
    assert found == [(b"1", ()), (b"2", UNREADABLE), (b"3", [("h", b"x")])]


#: Reads a topic in a process of its own: how many messages, and by how many MB its memory grew at most.
MEASURE = """
import resource, sys
from pipeline.kafka.reader import RangeReader
def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
with RangeReader({"bootstrap.servers": sys.argv[1]}) as reader:
    ranges = reader.ranges(sys.argv[2])
    before = most()
    print(sum(len(batch.raw) for batch in reader.read(ranges)), most() - before)
"""


def test_messages_that_pack_well_do_not_fill_the_memory(bench: Bench) -> None:
    bench.create(4)
    producer = Producer({**bench.config, "compression.type": "lz4", "queue.buffering.max.messages": 200_000})
    for number in range(160_000):
        producer.produce(bench.topic, b"x" * 1_500, partition=number % 4)
        producer.poll(0)
    assert producer.flush(60) == 0
    command = [sys.executable, "-c", MEASURE, bench.bootstrap, bench.topic]
    said = subprocess.run(command, capture_output=True, check=True, timeout=120, text=True).stdout.split()
    assert int(said[0]) == 160_000
    assert float(said[1]) < 110, "240 MB of messages, of which a few are held at a time"
