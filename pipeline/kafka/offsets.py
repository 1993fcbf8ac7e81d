"""Where partitions begin, end, and were read up to: many of them in one question."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException
from confluent_kafka import TopicPartition as ClientPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from pipeline.kafka.errors import (
    MISSING,
    PASSING,
    KafkaUnreachable,
    LastComplaint,
    TopicMissing,
    client_log,
    in_words,
    unusable,
)
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.ranges import PartitionExtent

#: Seconds one question may take, and between two tries of it.
ASK, RETRY_PAUSE = 30.0, 0.2
#: Seconds that the question who leads the partitions may take.
REFRESH = 5.0


class Offsets:
    """Asks the brokers. Every method blocks, for `timeout` seconds at most: call it in a thread.

    Args:
        config: librdkafka settings, from `kafka.settings.client_config`.
        uncommitted: whether a partition ends after the last message of an unfinished transaction, or before.
        timeout: seconds.

    Every method raises:
        KafkaUnreachable: no broker answers.
        TopicMissing: there is no such topic or partition.
        ReadRefused: a broker refuses.
    """

    def __init__(self, config: Mapping[str, Any], *, uncommitted: bool = True, timeout: float = ASK) -> None:
        self._servers = str(config.get("bootstrap.servers", ""))
        self._timeout = timeout
        self._isolation = IsolationLevel.READ_UNCOMMITTED if uncommitted else IsolationLevel.READ_COMMITTED
        self._complaint = LastComplaint()
        try:
            self._admin = AdminClient(
                {"log_level": 2, "error_cb": self._complaint.remember, **config}, logger=client_log
            )
        except KafkaException as error:
            raise unusable(error) from error

    def partitions(self, *topics: str) -> list[TopicPartition]:
        """All partitions of some topics, by their full names."""
        found: list[TopicPartition] = []
        for topic in topics:
            try:
                there = self._admin.list_topics(topic, timeout=self._timeout).topics[topic]
            except KafkaException as error:
                raise self._error(f"{topic} cannot be read", error) from error
            if there.error is not None and there.error.code() in MISSING:
                raise TopicMissing(f"there is no topic {topic}", hint="name one that exists")
            if there.error is not None:
                raise in_words(f"{topic} cannot be read", there.error, self._servers)
            found += [TopicPartition(topic, number) for number in sorted(there.partitions)]
        return found

    def extents(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, PartitionExtent]:
        """What each partition holds now."""
        wanted = list(places)
        lows, highs = self._ask(wanted, OffsetSpec.earliest()), self.ends(wanted)
        return {place: PartitionExtent(lows[place], highs[place]) for place in wanted}

    def ends(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset after the last message of each partition."""
        return self._ask(list(places), OffsetSpec.latest())

    def since(self, places: Iterable[TopicPartition], at_ms: int) -> dict[TopicPartition, int | None]:
        """The offset of the first message of each partition that is not older; None where there is none.

        Args:
            places: the partitions.
            at_ms: epoch milliseconds. Messages of the pipeline's topics are in the order of time; on others,
                whose producers set them, later ones may be older.
        """
        found = self._ask(list(places), OffsetSpec.for_timestamp(at_ms))
        return {place: None if offset < 0 else offset for place, offset in found.items()}

    def _ask(self, places: list[TopicPartition], spec: Any) -> dict[TopicPartition, int]:
        if not places:
            return {}
        end = time.monotonic() + self._timeout
        while True:
            try:
                return self._ask_once(places, spec)
            except KafkaException as error:
                if error.args[0].code() not in PASSING or time.monotonic() + RETRY_PAUSE > end:
                    raise self._error(f"the offsets of {_names(places)} cannot be read", error) from error
            except FutureTimeoutError as error:
                raise KafkaUnreachable(f"{_names(places)}: no answer from {self._servers}") from error
            self._refresh()
            time.sleep(RETRY_PAUSE)

    def _refresh(self) -> None:
        """Ask who leads what: for minutes a client goes by what was so before a broker began anew."""
        with contextlib.suppress(KafkaException):
            self._admin.list_topics(timeout=min(self._timeout, REFRESH))

    def _ask_once(self, places: list[TopicPartition], spec: Any) -> dict[TopicPartition, int]:
        # librdkafka takes half of a processor for as long as it waits for a leader that it knew and that is
        # gone. While it waits for this answer it does not.
        self._admin.list_topics(places[0].topic, timeout=self._timeout)
        asked = self._admin.list_offsets(
            {ClientPartition(*place): spec for place in places},
            request_timeout=self._timeout,
            isolation_level=self._isolation,
        )
        return {
            TopicPartition(place.topic, place.partition): int(answer.result(self._timeout + 1).offset)
            for place, answer in asked.items()
        }

    def _error(self, what: str, error: KafkaException) -> Exception:
        self._admin.poll(0)  # hands over the complaints
        return in_words(what, error.args[0], self._servers, self._complaint.text)


def _names(places: Iterable[TopicPartition]) -> str:
    return ", ".join(sorted({place.topic for place in places}))
