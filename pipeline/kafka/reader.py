"""The one reader of ranges: offsets of partitions, in bulk, each message once and in its partition's order.

Ends are taken before it begins, so it terminates however much is written meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as ClientPartition

from pipeline.errors import BrokerError
from pipeline.kafka.errors import (
    SILENT,
    LastComplaint,
    ReadRefused,
    RecordsGone,
    client_log,
    in_words,
    unusable,
)
from pipeline.kafka.messages import LibrdkafkaMessage, TopicPartition
from pipeline.kafka.offsets import Offsets
from pipeline.kafka.ranges import LostRange, MessageBatch, OffsetRange, RangeProgress, clamped
from pipeline.kafka.settings import CLIENT_ID
from pipeline.kafka.tombstones import is_removal

log = logging.getLogger(__name__)

#: Seconds one fetch takes at most.
LOOK = 0.1
#: Seconds without a message after which a broker counts as silent.
PATIENCE = 30.0
#: A position that is outside of what the partition holds.
_OUTSIDE = frozenset(
    {KafkaError._AUTO_OFFSET_RESET, KafkaError._LOG_TRUNCATION}  # noqa: SLF001 - the names librdkafka gives them
)


class Stopped(Exception):  # noqa: N818 - not an error: the caller stopped the reading
    """The reading was called off."""


class RangeReader:
    """Reads ranges of partitions; a context manager. Blocks: use it in a thread, one reading after the other.

    Args:
        config: librdkafka settings, from `kafka.settings.client_config`.
        group: keeps how far it was read once `commit` was called; None: nothing is kept.
        uncommitted: whether messages of transactions are read that are not finished, or were given up.
        patience: seconds without a message after which it gives up.
        removals: whether the messages by which an erasure removes others are read, too.

    Raises:
        BrokerError: the client refuses its settings.

    Attributes:
        brokers: asks for what the topics hold.
        offsets: asks for what can be read; the same, where that is no more than the topics.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        group: str | None = None,
        uncommitted: bool = False,
        patience: float = PATIENCE,
        removals: bool = False,
    ) -> None:
        self._removals = removals
        self._servers = str(config.get("bootstrap.servers", ""))
        self._patience = patience
        self._complaint = LastComplaint()
        self.brokers = self.offsets = Offsets(config, uncommitted=uncommitted, timeout=patience)
        settings = {
            # Required by the client, never joined; with the prefix, as a user may have rights to no other.
            "group.id": group or f"{config.get('client.id', CLIENT_ID)}-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            # A position that no longer exists is reported, never moved in silence.
            "auto.offset.reset": "error",
            "isolation.level": "read_uncommitted" if uncommitted else "read_committed",
            # Between two batches the caller may take its time; the group it is not in cannot expel it.
            "max.poll.interval.ms": 86_400_000,
            "fetch.wait.max.ms": 50,
            # Bounds are of what travels: packed, it is a tenth of what it takes in memory here.
            "fetch.message.max.bytes": 262_144,
            "fetch.max.bytes": 1_048_576,
            "queued.max.messages.kbytes": 8_192,
            "reconnect.backoff.max.ms": 1_000,
            "log_level": 2,
            "error_cb": self._complaint.remember,
            **config,
        }
        self._closed = False
        try:
            self._consumer = Consumer(settings, logger=client_log)
        except KafkaException as error:
            raise unusable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._consumer.close()

    def ranges(
        self, *topics: str, start: int | Mapping[TopicPartition, int | None] = 0, until: int | None = None
    ) -> list[OffsetRange]:
        """What there is to read of some topics, up to their ends as they are now.

        Args:
            topics: full names.
            start: a moment in epoch milliseconds, or an offset for each partition; one that is left out, or
                None, is read from the beginning.
            until: a moment in epoch milliseconds; what arrived then or later is left out.

        Raises:
            TopicMissing: there is no such topic.
            KafkaUnreachable: no broker answers.
            ReadRefused: a broker refuses.
        """
        places = self.offsets.partitions(*topics)
        extents = self.offsets.extents(places)
        if isinstance(start, Mapping):
            starts = dict(start)
        elif start:
            found = self.offsets.since(places, start)
            starts = {place: extents[place].high if at is None else at for place, at in found.items()}
        else:
            starts = {}
        ends = self.offsets.since(places, until) if until is not None else {}
        return clamped(extents, starts, ends)

    def older(self, ranges: Iterable[OffsetRange]) -> list[tuple[OffsetRange, bool]]:
        """What of some ranges the topics do not hold any more, and whether it can be read all the same.

        Raises:
            KafkaUnreachable: no broker answers.
            ReadRefused: a broker refuses.
        """
        wanted = list(ranges)
        held = self.brokers.extents(read.place for read in wanted)
        gone = (OffsetRange(read.place, read.start, min(read.end, held[read.place].low)) for read in wanted)
        return [(piece, False) for piece in gone if len(piece)]

    def read(
        self,
        ranges: Iterable[OffsetRange],
        *,
        progress: Callable[[int, int], object] | None = None,
        stop: Callable[[], bool] | None = None,
        on_lost: Callable[[LostRange], object] | None = None,
    ) -> Iterator[MessageBatch]:
        """Every message of the ranges, a batch of one partition at a time.

        Args:
            ranges: at most one of each partition.
            progress: called after each fetch with how many offsets are read, and how many there are in all.
            stop: called several times a second; True ends the reading.
            on_lost: called with the offsets that were deleted before they were read; reading continues behind
                them; None: it ends.

        Raises:
            RecordsGone: offsets of the ranges do not exist (any more).
            TopicMissing: the topic was deleted.
            ReadRefused: a broker refuses, or the messages are damaged.
            KafkaUnreachable: there was no message for `patience` seconds.
            Stopped: `stop` said so.
        """
        state = RangeProgress(ranges)
        self._assign(state)
        heard, mean = time.monotonic(), None
        try:
            while state.open:
                found = self._consumer.consume(state.next_count(mean), LOOK)
                if found:
                    mean = sum(map(len, found)) / len(found)
                done = state.done
                for place, messages in _by_partition(found).items():
                    yield from self._taken(state, place, messages, on_lost)
                # What is found may be no message: a client reports failed connections that way.
                if state.done > done:
                    heard = time.monotonic()
                elif time.monotonic() - heard > self._patience:
                    raise self._silence(state)
                if progress is not None:
                    progress(state.done, state.total)
                if stop is not None and stop():
                    raise Stopped
        finally:
            # A reading that is left halfway may be cleared away after its reader.
            if not self._closed:
                self._consumer.unassign()

    def _assign(self, state: RangeProgress) -> None:
        places = [ClientPartition(*place, state.next(place)) for place in state.open]
        self._consumer.assign(places)
        # An earlier reading may have paused them, and the client remembers that.
        self._consumer.resume(places)

    def _taken(
        self,
        state: RangeProgress,
        place: TopicPartition | None,
        messages: Sequence[Any],
        on_lost: Callable[[LostRange], object] | None,
    ) -> Iterator[MessageBatch]:
        """What one fetch found of a partition. An error comes after the messages before it."""
        good: list[Any] = []
        for message in messages:
            error = message.error()
            if error is None:
                good.append(message)
                continue
            yield from self._batch(state, place, good)
            good = []
            self._told(state, place, message, on_lost)
        yield from self._batch(state, place, good)
        if place is not None and place not in state.open:
            # Nothing more is fetched of it; what was fetched is not read.
            self._consumer.pause([ClientPartition(*place)])

    def _batch(
        self, state: RangeProgress, place: TopicPartition | None, messages: Sequence[Any]
    ) -> Iterator[MessageBatch]:
        if messages and place is not None:
            taken = state.take(place, messages)
            read = taken if self._removals else _without_removals(taken)
            if read:
                yield MessageBatch(place, read, taken[-1].offset() + 1)

    def _told(
        self,
        state: RangeProgress,
        place: TopicPartition | None,
        message: Any,
        on_lost: Callable[[LostRange], object] | None,
    ) -> None:
        """An event that is no message."""
        error = message.error()
        code = error.code()
        if code in SILENT:
            self._complaint.remember(error)  # waited for, as long as `patience` allows
        elif place is None:
            raise in_words("Kafka cannot be read", error, self._servers, self._complaint.text)
        elif place not in state.open:
            return
        elif code == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the name librdkafka gives it
            if not state.at_end(place, message.offset()):
                self._compare(state, place)
        elif code in _OUTSIDE:
            self._go_on(state, place, on_lost)
        else:
            raise in_words(f"{_name(place)} cannot be read", error, self._servers, self._complaint.text)

    def _compare(self, state: RangeProgress, place: TopicPartition) -> None:
        """A partition ends before the end it had: a new leader may be behind for a moment, or it shrank."""
        high = self.brokers.ends([place])[place]
        if high < state.end(place):
            raise RecordsGone(
                f"{_name(place)} ends at {high}, but ended at {state.end(place)} before: the topic was made "
                "anew, or its leader lost messages"
            )

    def _go_on(
        self, state: RangeProgress, place: TopicPartition, on_lost: Callable[[LostRange], object] | None
    ) -> None:
        """The next offset is outside of what the partition holds: continue with what there is."""
        self._compare(state, place)
        extent = self.brokers.extents([place])[place]
        lost = state.skip(place, extent)
        if lost is not None:
            if on_lost is None:
                raise RecordsGone(
                    f"{_name(place)}: the offsets {lost.start} to {lost.end - 1} were deleted before they "
                    "were read",
                    hint="what is older than the topic's retention goes; start later",
                )
            on_lost(lost)
        if place in state.open:
            # A partition in error cannot be sought. Of the others some comes again, and is left out.
            self._assign(state)

    def _silence(self, state: RangeProgress) -> BrokerError:
        """Nothing came for too long: the broker that does not answer, or that there are no messages."""
        try:
            self.brokers.partitions(*{place.topic for place in state.open})
            self.brokers.extents(state.open)
        except BrokerError as error:
            return error
        place = state.open[0]
        at = f"no message for {self._patience:g} s at offset {state.next(place)} of {state.end(place)}"
        said = f": {self._complaint.text}" if self._complaint.text else ""
        return ReadRefused(f"{_name(place)} cannot be read ({self._servers}): {at}{said}")

    def committed(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int | None]:
        """How far the group has read; None where it never committed.

        Raises:
            KafkaUnreachable: no broker answers.
            ReadRefused: a broker refuses.
        """
        wanted = [ClientPartition(*place) for place in places]
        try:
            found = self._consumer.committed(wanted, timeout=self._patience)
        except KafkaException as error:
            raise in_words("the group's offsets cannot be read", error.args[0], self._servers) from error
        return {TopicPartition(at.topic, at.partition): None if at.offset < 0 else at.offset for at in found}

    def commit(self, nexts: Mapping[TopicPartition, int]) -> None:
        """Commit these offsets for the group: everything before them is processed.

        Raises:
            KafkaUnreachable: no broker answers.
            ReadRefused: a broker refuses.
        """
        if not nexts:
            return
        offsets = [ClientPartition(*place, offset) for place, offset in nexts.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise in_words("the group's offsets cannot be kept", error.args[0], self._servers) from error


def _by_partition(found: Iterable[Any]) -> dict[TopicPartition | None, list[Any]]:
    """Messages by their partition, in their order; None: events of no partition."""
    sorted_out: dict[tuple[str | None, int], list[Any]] = {}
    for message in found:
        place = (message.topic(), message.partition())
        known = sorted_out.get(place)
        if known is None:
            sorted_out[place] = [message]
        else:
            known.append(message)
    return {
        None if topic is None or number < 0 else TopicPartition(topic, number): messages
        for (topic, number), messages in sorted_out.items()
    }


def _without_removals(messages: Sequence[Any]) -> Sequence[Any]:
    if all(map(len, messages)):  # each has a value
        return messages
    return [
        message
        for message in messages
        if len(message) or not is_removal(LibrdkafkaMessage.of(message).headers)
    ]


def _name(place: TopicPartition) -> str:
    return f"{place.topic} partition {place.partition}"


__all__ = ["LostRange", "MessageBatch", "OffsetRange", "RangeReader", "Stopped"]
