"""Messages on this stage's topics that this pipeline did not write: dead letters, counted and logged."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pipeline.deliver.partition.reading import Unreadable
from pipeline.deliver.partition.receipt_writer import ReceiptWriter
from pipeline.deliver.partition.unit_of_work import UnitOfWork
from pipeline.kafka.deadletters import dead_letter
from pipeline.kafka.messages import ReceivedMessage as Message
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.topics import letter_partition
from pipeline.logs import Sparingly
from pipeline.metrics import DELIVER_INVALID

log = logging.getLogger(__name__)

#: A message, and why it is foreign.
ForeignMessage = tuple[Message, Unreadable]


class ForeignMessages:
    """Writes them to the dead letters.

    Args:
        receipt_writer: for the topic and the time.
        max_bytes: of a dead letter.
    """

    def __init__(self, receipt_writer: ReceiptWriter, max_bytes: int) -> None:
        self._receipt_writer = receipt_writer
        self._max_bytes = max_bytes
        self._log_limit = Sparingly()

    def dead_letter(
        self, step: UnitOfWork, tp: TopicPartition, topic: str, foreign: Sequence[ForeignMessage]
    ) -> None:
        """Put the dead letters of a partition's foreign messages into a step; `topic` has no prefix."""
        for message, reason in foreign:
            DELIVER_INVALID.inc()
            letter = dead_letter(
                message,
                max_bytes=self._max_bytes,
                reason=reason.reason,
                detail=reason.detail,
                stage="deliver",
                topic=topic,
                partition=tp.partition,
                offset=message.offset,
                at_ms=self._receipt_writer.now_ms(),
            )
            step.send(
                self._receipt_writer.dead_letters,
                letter.value,
                letter.key,
                letter_partition(letter.key),
                letter.headers,
            )
            count = self._log_limit.happened((topic, reason.reason))
            if count:
                log.warning(
                    "%s: %d messages are none of ours (%s): dead letters; the last at partition %d offset %d",
                    topic,
                    count,
                    reason,
                    tp.partition,
                    message.offset,
                )


def refuse(foreign: list[ForeignMessage], values: Sequence[Message], offset: int, why: str) -> None:
    """Add the message at an offset, for which there is no record."""
    message = next(message for message in values if message.offset == offset)
    foreign.append((message, Unreadable("unknown_record", why)))
