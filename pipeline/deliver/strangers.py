"""Messages on this stage's topics that are none of ours: dead letters, counted and told of."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from faust.types import TP

from pipeline.deadletters import letter_of
from pipeline.deliver.paper import Paper
from pipeline.deliver.reading import Unreadable
from pipeline.deliver.steps import Step
from pipeline.engine.consumer import Record as Message
from pipeline.logs import Sparingly
from pipeline.metrics import DELIVER_INVALID

log = logging.getLogger(__name__)

#: A message, and why it is none.
Stranger = tuple[Message, Unreadable]


class Strangers:
    """Writes them to the dead letters.

    Args:
        paper: knows the topic and the time.
        max_bytes: of a dead letter.
    """

    def __init__(self, paper: Paper, max_bytes: int) -> None:
        self._paper = paper
        self._max_bytes = max_bytes
        self._told = Sparingly()

    def bury(self, step: Step, tp: TP, topic: str, strangers: Sequence[Stranger]) -> None:
        """Put the dead letters of one partition's strangers into a step; `topic` is without the prefix."""
        for message, reason in strangers:
            DELIVER_INVALID.inc()
            letter = letter_of(
                message,
                max_bytes=self._max_bytes,
                reason=reason.reason,
                detail=reason.detail,
                stage="deliver",
                topic=topic,
                partition=tp.partition,
                offset=message.offset,
                at_ms=self._paper.now_ms(),
            )
            step.send(self._paper.dead_letters, letter.value, letter.key, None, letter.headers)
            count = self._told.happened((topic, reason.reason))
            if count:
                log.warning(
                    "%s: %d messages are none of ours (%s): dead letters; the last at partition %d offset %d",
                    topic,
                    count,
                    reason,
                    tp.partition,
                    message.offset,
                )


def refuse(strangers: list[Stranger], values: Sequence[Message], offset: int, why: str) -> None:
    """Add the message at an offset, which turned out to belong to no record."""
    message = next(message for message in values if message.offset == offset)
    strangers.append((message, Unreadable("unknown_record", why)))
