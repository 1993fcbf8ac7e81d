"""A link to Kafka that puts what it is given into a list."""

from __future__ import annotations

from pipeline.gateway.message import Message
from pipeline.kafka.messages import SentHeaders
from pipeline.kafka.producer import Report


class QueuedLink:
    """What it was given to send, in order, each with what is to be called with its end."""

    def __init__(self) -> None:
        self.queue: list[tuple[Message, Report]] = []

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        _partition: int | None,
        headers: SentHeaders | None,
        report: Report | None,
    ) -> None:
        assert report is not None
        message = Message(topic, key or b"", value or b"", list(headers or ()))
        self.refuse(message)
        self.queue.append((message, report))

    def refuse(self, message: Message) -> None:
        """Raise where the message is not taken."""
