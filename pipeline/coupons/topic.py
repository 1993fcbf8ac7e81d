"""A topic from where a reader was to where it ends now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipeline.config import Settings
from pipeline.errors import BrokerError, PipelineError
from pipeline.kafka import client_config, client_log

#: Seconds a broker may take to answer.
TIMEOUT = 15.0
#: Messages between two words on how far it is.
AT_ONCE = 1_000


class TopicReader:
    """Reads until every partition was at its end; a context manager.

    Args:
        settings: of the cluster.
        topic: its full name.
        group: keeps how far it was read once `commit` was called; None: from the beginning each time.

    Raises:
        PipelineError: there is no such topic.
        BrokerError: the cluster does not answer.

    Attributes:
        total: messages there are to read, about.
    """

    def __init__(self, settings: Settings, topic: str, group: str | None = None) -> None:
        self._consumer = Consumer(
            {
                **client_config(settings),
                "group.id": group or "pipeline-coupons",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "log_level": 2,
            },
            logger=client_log,
        )
        self._read: dict[int, int] = {}
        self._topic = topic
        try:
            starts = self._starts(remembered=group is not None)
            self._open = {start.partition for start in starts}
            self.total = sum(self._left(start) for start in starts)
            self._consumer.assign(starts)
        except KafkaException as error:
            self._consumer.close()
            raise BrokerError(
                f"{topic} cannot be read: {error.args[0].str()}",
                hint="is Kafka up, and kafka.security right?",
            ) from error
        except PipelineError:
            self._consumer.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def messages(self, advance: Callable[[int], object]) -> Iterator[Message]:
        """Every message; `advance` is told now and then how many more were read.

        Raises:
            BrokerError: the cluster stopped answering.
        """
        count = 0
        while self._open:
            message = self._consumer.poll(TIMEOUT)
            if message is None:
                raise BrokerError(f"{self._topic}: no answer within {TIMEOUT:g} s")
            error = message.error()
            if error is None:
                yield message
                self._read[message.partition()] = message.offset() + 1
                count += 1
                if count % AT_ONCE == 0:
                    advance(AT_ONCE)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the name librdkafka gives it
                self._open.discard(message.partition())
            elif not error.retriable():
                raise BrokerError(f"{self._topic} cannot be read: {error.str()}")
        advance(count % AT_ONCE)

    def commit(self) -> None:
        """Begin after what was read, the next time."""
        offsets = [TopicPartition(self._topic, number, offset) for number, offset in self._read.items()]
        if offsets:
            self._consumer.commit(offsets=offsets, asynchronous=False)

    def _starts(self, *, remembered: bool) -> list[TopicPartition]:
        found = self._consumer.list_topics(self._topic, TIMEOUT).topics[self._topic]
        if found.error is not None:
            raise PipelineError(f"there is no topic {self._topic}", hint="name one that exists")
        starts = [TopicPartition(self._topic, number) for number in found.partitions]
        if remembered:
            starts = self._consumer.committed(starts, TIMEOUT)
        for start in starts:
            low, _ = self._consumer.get_watermark_offsets(start, TIMEOUT)
            start.offset = max(start.offset, low)
        return starts

    def _left(self, start: TopicPartition) -> int:
        _, high = self._consumer.get_watermark_offsets(start, TIMEOUT)
        return int(max(0, high - start.offset))
