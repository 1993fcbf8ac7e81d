"""Dead letters of the sync stage: messages that are none of ours, and what is given up."""

from __future__ import annotations

import logging
import time

from pipeline.config import Settings
from pipeline.engine.steps import Step
from pipeline.events import RawEvent
from pipeline.kafka.deadletters import dead_letter
from pipeline.kafka.messages import LibrdkafkaMessage
from pipeline.kafka.messages import ReceivedMessage as Message
from pipeline.kafka.topics import DEADLETTERS, full_name, letter_partition
from pipeline.metrics import SYNC_FOREIGN
from pipeline.text import printable

log = logging.getLogger(__name__)

#: Room for what Kafka adds to a message.
MESSAGE_OVERHEAD = 4_096


class Letters:
    """Writes them.

    Args:
        settings: the program's.
    """

    def __init__(self, settings: Settings) -> None:
        self._topic = full_name(settings, DEADLETTERS)
        self._max_bytes = settings.kafka.max_message_bytes - MESSAGE_OVERHEAD

    def foreign(self, step: Step, message: Message, topic: str, what: str, why: str) -> None:
        """A message that is none of this program's holds nothing up.

        Args:
            step: of the round that read it.
            message: it.
            topic: where it lay, without a prefix.
            what: the kind of message that belongs there.
            why: it is none, without what it says.
        """
        log.warning(
            "%s: a message is no %s of this program's, a dead letter: %s",
            topic,
            what,
            printable(why)[:200],
            extra={"event": "sync.foreign_message"},
        )
        SYNC_FOREIGN.inc()
        self._write(step, message, (topic, message.partition, message.offset), "not_a_request", why[:200])

    def given_up(
        self, step: Step, event: RawEvent, place: str, reason: str, detail: str, *, account: str
    ) -> None:
        """An event that nothing more is done about.

        Args:
            step: that also forgets it.
            event: it.
            place: of its message: topic, partition and offset.
            reason: a word of a bounded set.
            detail: a sentence.
            account: of its store; "" where there may be several.
        """
        topic, partition, offset = place.rsplit("/", 2)
        at = (topic, int(partition), int(offset))
        content = LibrdkafkaMessage(*at, event.received_ms, event.key, event.body, event.to_kafka_headers())
        self._write(step, content, at, reason, detail, store=event.store, account=account)

    def _write(
        self,
        step: Step,
        content: Message | LibrdkafkaMessage,
        place: tuple[str, int, int],
        reason: str,
        detail: str,
        **whose: str,
    ) -> None:
        topic, partition, offset = place
        letter = dead_letter(
            content,
            max_bytes=self._max_bytes,
            reason=reason,
            detail=detail,
            stage="sync",
            topic=topic,
            partition=partition,
            offset=offset,
            at_ms=int(time.time() * 1_000),
            **whose,
        )
        step.send(self._topic, letter.value, letter.key, letter_partition(letter.key), letter.headers)
