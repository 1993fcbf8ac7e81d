"""Messages leave Kafka's logs: tombstones, and compaction switched on for as long as that takes.

A topic that is a history is never compacted, but for an erasure. Then a tombstone of each message's key is
written, the topic's settings are switched, and the brokers rewrite its closed segments twice: the first pass
leaves out what has a tombstone, the second the tombstones. Nothing else is left out, as every message has a
key of its own (pipeline/kafka/keys.py). The reasons, and what it costs: docs/adr/0016-erasure.md.

`kill -9` at any line leaves tombstones, and topics that are compacted more often than they need to be.
`finish` brings both to their end, and so does the next `remove`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.config import Settings
from pipeline.errors import BrokerError
from pipeline.kafka.admin import Cluster
from pipeline.kafka.earlier_keys import (
    EarlierKeys,
    SharedKeys,
    are_compacted,
    checkpoint_files,
    count_as_compacted,
)
from pipeline.kafka.errors import in_words
from pipeline.kafka.keys import unique_key
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.producer import Producer, QueueFull, Refused, Report
from pipeline.kafka.ranges import OffsetRange
from pipeline.kafka.reader import RangeReader, Stopped
from pipeline.kafka.removal_settings import FILE_DELAY_MS, SwitchedTopics
from pipeline.kafka.settings import Setting, client_config
from pipeline.kafka.tombstones import HEADERS, MARKER_KEY
from pipeline.kafka.topics import table
from pipeline.kafka.unread import wait_until_read

#: Seconds between two looks at how far the brokers are, and that all of it may take.
LOOK, WITHIN = 0.5, 6 * 3_600.0
#: For the reader of single offsets: as little as there is.
SMALL: Mapping[str, Setting] = {"fetch.message.max.bytes": 4_096, "queued.min.messages": 1}
#: Seconds for which the stages may take to read what is there.
READ_WITHIN = 600.0
#: Milliseconds after which a topic begins a new segment, while one is to be closed.
ROLL_MS = 500
#: Seconds after which a segment is closed once more, and then twice as many each time: a broker may have
#: heard of the settings too late.
ROLL_AGAIN = 30.0
#: Seconds for which the settings stay where there are replicas: no client can look into those.
REPLICAS = 60.0


class RemovalUnfinished(BrokerError):  # noqa: N818 - a fact
    """The brokers did not get through in time; nothing is lost, and a repetition goes on from there."""


class RemovalProgress(NamedTuple):
    """Partitions whose messages are gone, those whose tombstones are gone too, and all."""

    removed: int
    done: int
    partitions: int


@dataclass(slots=True)
class Removed:
    """What a removal did.

    Attributes:
        topics: that were compacted, by their full names.
        partitions: in which there was something to remove.
        keys: for which there was a tombstone.
        segments: how often segments were closed.
        lost_earlier: topics in which only the newest of each key of version 0.2 and before stayed.
        seconds: it took.
    """

    topics: list[str] = field(default_factory=list)
    partitions: int = 0
    keys: int = 0
    segments: int = 0
    lost_earlier: tuple[str, ...] = ()
    seconds: float = 0.0


def remove(
    settings: Settings,
    keys: Mapping[TopicPartition, Collection[bytes]],
    *,
    within: float = WITHIN,
    read_within: float | None = READ_WITHIN,
    lose_earlier: bool = False,
    file_delay_ms: int = FILE_DELAY_MS,
    progress: Callable[[RemovalProgress], object] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Removed:
    """Remove messages from the brokers' logs; returns once they are rewritten.

    Their files are deleted `file_delay_ms` later. May be repeated, and then finds the same, or less to do.

    Args:
        settings: the program's.
        keys: the message keys to be removed, whole, of each partition; of a partition with none only what has
            a tombstone already is removed.
        within: seconds it may take.
        read_within: seconds for which the stages may take to read what the partitions hold; None: they are
            not waited for.
        lose_earlier: whether of messages of version 0.2 and before, which share keys, only the newest of each
            key may be kept, where the cluster can do no better.
        file_delay_ms: milliseconds for which the brokers keep the old files.
        progress: called about twice a second.
        stop: called as often; True ends it, and it can be repeated later.

    Raises:
        RemovalUnfinished: it took too long.
        NotRead: the stages have not read them; nothing was done.
        SharedKeys: there are messages of earlier versions that would be lost; nothing was done.
        InUse: another removal runs with this data directory.
        Stopped: `stop` said so.
        BrokerError: the cluster does not answer, or refuses.
    """
    began = time.monotonic()
    config = client_config(settings)
    switched = SwitchedTopics(settings, Cluster(config), file_delay_ms)
    try:
        with (
            RangeReader(config, uncommitted=True) as reader,
            RangeReader({**config, **SMALL}, uncommitted=True, removals=True) as prober,
        ):
            left = switched.left_open()
            work = _Removal(
                settings,
                switched,
                prober,
                _Sender(config, settings.kafka.max_message_bytes),
                {**dict.fromkeys(reader.offsets.partitions(*left), ()), **keys},
            )
            stop = stop or (lambda: False)
            if read_within is not None:
                wait_until_read(settings, config, keys, read_within, stop)
            # Of a topic that is switched it was decided before.
            work.keep_earlier(
                reader, but={topic for topic, is_on in left.items() if is_on}, lose=lose_earlier
            )
            done = work.run(began + within, progress or (lambda _: None), stop)
    finally:
        switched.close()
    done.seconds = time.monotonic() - began
    return done


def finish(
    settings: Settings,
    *,
    within: float = WITHIN,
    progress: Callable[[RemovalProgress], object] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Removed:
    """Bring to its end what an earlier removal began; where nothing was left, nothing is done.

    Args and errors: those of `remove`.
    """
    return remove(settings, {}, within=within, progress=progress, stop=stop)


class _Markers(NamedTuple):
    """Offsets of a partition: the first goes with what has a tombstone, the second with the tombstones."""

    removed: int
    done: int


class _Removal:
    """The work on some partitions; see `remove`."""

    def __init__(
        self,
        settings: Settings,
        switched: SwitchedTopics,
        prober: RangeReader,
        sender: _Sender,
        keys: Mapping[TopicPartition, Collection[bytes]],
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._switched = switched
        self._prober = prober
        self._sender = sender
        self._topics = sorted({place.topic for place in keys})
        self._tables = {
            topic.name for topic in table(settings) if "compact" in topic.config["cleanup.policy"]
        }
        #: Of these the brokers do one more pass by themselves.
        self._closed_again: set[TopicPartition] = set()
        self._done = Removed(self._topics, len(keys), sum(map(len, keys.values())))

    def keep_earlier(self, reader: RangeReader, *, but: Collection[str], lose: bool) -> None:
        """See that messages that share keys stay, where they are somebody else's.

        Raises:
            SharedKeys: they would not, and `lose` does not allow it.
        """
        histories = [topic for topic in self._topics if topic not in self._tables and topic not in but]
        keys = {key for own in self._keys.values() for key in own}
        shared = EarlierKeys(self._switched.directory).shared(reader, histories, keys)
        if not shared:
            return
        files = [] if self._settings.kafka.bootstrap else checkpoint_files(self._settings.data_dir)
        if files:
            ends = reader.offsets.ends(shared)
            count_as_compacted(files, ends)
            if are_compacted(files, ends):
                return
        if not lose:
            raise SharedKeys(
                f"{shared[0].topic} holds messages of version 0.2 or before, of which several have one key: "
                "compaction would keep the newest of each alone",
                hint="`pipeline erase --lose-earlier` allows it (docs/erasure.md says what is lost), or wait "
                "until retention has deleted them",
            )
        self._done.lost_earlier = tuple(sorted({place.topic for place in shared}))

    def run(
        self, until: float, progress: Callable[[RemovalProgress], object], stop: Callable[[], bool]
    ) -> Removed:
        """All of it. The settings are put back however it ends."""
        if not self._topics:
            return self._done
        self._switched.begin(self._topics)
        markers = self._write()
        count = len(markers)
        try:
            self._switched.switch(self._topics)
            offsets = {place: marker.removed for place, marker in markers.items()}
            self._pass(offsets, until, stop, lambda left: progress(RemovalProgress(count - left, 0, count)))
            offsets = {place: marker.done for place, marker in markers.items()}
            self._pass(
                offsets, until, stop, lambda left: progress(RemovalProgress(count, count - left, count))
            )
            if self._settings.kafka.replication > 1:
                self._wait_for_replicas(until, stop)
        finally:
            self._switched.back(self._topics)
        return self._done

    def _write(self) -> dict[TopicPartition, _Markers]:
        """Write the tombstones, and behind them what shows that they worked; returns where that is.

        In each partition of a table: in all of them deletions go early while the settings are switched.
        """
        tables = self._tables.intersection(self._topics)
        places = {*self._keys, *(self._prober.offsets.partitions(*tables) if tables else ())}
        last = self._sender.send(
            (place, key, value)
            for place in sorted(places)
            for key, value in (
                *((key, None) for key in self._keys.get(place, ())),
                (MARKER_KEY, b""),
                (MARKER_KEY, b""),
                (unique_key(MARKER_KEY + b"|"), None),
            )
        )
        return {place: _Markers(last[place] - 2, last[place]) for place in places}

    def _pass(
        self,
        offsets: dict[TopicPartition, int],
        until: float,
        stop: Callable[[], bool],
        look: Callable[[int], object],
    ) -> None:
        """Close segments, and wait until the messages at these offsets are gone."""
        left = dict(offsets)
        self._close_segments(left.keys() - self._closed_again)
        self._closed_again.clear()
        closed, patience = time.monotonic(), ROLL_AGAIN
        while left:
            if time.monotonic() - closed > patience:
                self._close_segments(left)
                self._closed_again.update(left)
                closed, patience = time.monotonic(), 2 * patience
            left = self._there(left)
            look(len(left))
            if stop():
                raise Stopped
            if time.monotonic() > until:
                raise RemovalUnfinished(
                    f"Kafka has not compacted {len(left)} partitions in time, {next(iter(left))} among them",
                    hint="repeat it; if that does not help, look for log-cleaner errors in the brokers' logs",
                )
            if left:
                time.sleep(LOOK)

    def _close_segments(self, places: Iterable[TopicPartition]) -> None:
        """Only closed segments are compacted, and one is closed when a message comes that is late enough."""
        chosen = sorted(places)
        if not chosen:
            return
        topics = sorted({place.topic for place in chosen})
        self._switched.roll(topics, ROLL_MS)
        time.sleep(2 * ROLL_MS / 1_000)
        # One alone: each segment that is closed is a pass more.
        self._sender.send((place, MARKER_KEY, b"") for place in chosen)
        self._switched.roll(topics, None)
        self._done.segments += len(chosen)

    def _there(self, offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Those of which there is a message at the offset still."""
        found: dict[TopicPartition, int] = {}
        ranges = [OffsetRange(place, offset, offset + 1) for place, offset in offsets.items()]
        for batch in self._prober.read(ranges, on_lost=lambda _: None):
            found[batch.place] = offsets[batch.place]
        return found

    def _wait_for_replicas(self, until: float, stop: Callable[[], bool]) -> None:
        """What was compacted is the leaders' logs; the followers do the same, each in its own time."""
        end = min(until, time.monotonic() + REPLICAS)
        self._close_segments(self._keys)
        while time.monotonic() < end:
            if stop():
                raise Stopped
            time.sleep(LOOK)


class _Sender:
    """Sends an erasure's messages."""

    def __init__(self, config: Mapping[str, Setting], max_message_bytes: int) -> None:
        self._servers = str(config["bootstrap.servers"])
        self._producer = Producer(config, max_message_bytes=max_message_bytes, linger_ms=5)

    def send(
        self, messages: Iterable[tuple[TopicPartition, bytes, bytes | None]]
    ) -> dict[TopicPartition, int]:
        """Send them; returns where the last of each partition lies.

        Raises:
            BrokerError: one was not taken.
        """
        last: dict[TopicPartition, int] = {}
        failed: list[Any] = []

        def told(error: Any, message: Any) -> None:
            if error is None:
                last[TopicPartition(message.topic(), message.partition())] = message.offset()
            else:
                failed.append(error)

        for place, key, value in messages:
            while not self._takes(place, key, value, told):
                self._producer.poll(0.1)
        while self._producer.flush(1.0):
            pass
        if failed:
            raise in_words("Kafka did not take a tombstone", failed[0], self._servers)
        return last

    def _takes(self, place: TopicPartition, key: bytes, value: bytes | None, told: Report) -> bool:
        try:
            self._producer.send(place.topic, value, key, place.partition, HEADERS, told)
        except QueueFull:
            return False
        except Refused as refused:
            raise BrokerError(f"{place.topic}: {refused}") from refused
        return True


__all__ = ["RemovalProgress", "RemovalUnfinished", "Removed", "finish", "remove"]
