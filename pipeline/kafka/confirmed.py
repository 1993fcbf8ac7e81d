"""Sets of messages that are confirmed together, on the event loop."""

from __future__ import annotations

import asyncio
import functools
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError

from pipeline.kafka.messages import SentHeaders
from pipeline.kafka.producer import Producer, QueueFull, Refused, Report

#: As `Producer.send` takes it.
_Queued = tuple[str, bytes | None, bytes | None, int | None, SentHeaders | None, Report]

#: Seconds between two polls for confirmations: short against the broker's own few milliseconds.
POLL_EVERY = 0.002
LINGER_MS = 5


class Unconfirmed(Exception):  # noqa: N818 - the broker's answer, fatal to the process
    """A message was not taken by the broker: nothing may be acknowledged after it."""


class MessageSet:
    """Messages that are confirmed together, made by `AsyncProducer.begin`; of the event loop's thread."""

    __slots__ = ("_done", "_error", "_producer", "_sealed", "_send", "_sent", "_waiter")

    def __init__(self, producer: AsyncProducer) -> None:
        self._producer = producer
        self._send = producer.send
        self._sent = 0
        self._done = 0
        self._sealed = False
        self._error: KafkaError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def send(  # noqa: PLR0917 - positional: called three times per event
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: SentHeaders | None = None,
        slot: list[int] | None = None,
    ) -> None:
        """Hand one message to librdkafka; returns at once.

        Args:
            topic: its full name, with the prefix.
            value: None deletes the key of a compacted topic.
            key: the message key.
            partition: None lets the key decide, as the Java clients do.
            headers: as in Kafka.
            slot: its first item becomes the message's offset once it is confirmed.

        Raises:
            Refused: the message can never be sent (too large), or the producer has failed. Where others wait
                for room before it, `confirmed` raises instead.
        """
        self._sent += 1
        heard = self._heard if slot is None else functools.partial(self._heard_at, slot)
        try:
            self._send(topic, value, key, partition, headers, heard)
        except BaseException:
            self._sent -= 1
            raise

    def _heard(self, error: KafkaError | None, _message: Any) -> None:
        self._done += 1
        if error is not None and self._error is None:
            self._error = error
        if self._sealed and self._done == self._sent:
            self._finish()

    def _heard_at(self, slot: list[int], error: KafkaError | None, message: Any) -> None:
        if error is None:
            slot[0] = message.offset()
        self._heard(error, message)

    def _finish(self) -> None:
        self._producer.finished(self)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def seal(self) -> None:
        """No message follows: from now on confirmations are polled."""
        if not self._sealed:
            self._sealed = True
            self._producer.expect(self)
            if self._done == self._sent:
                self._finish()

    async def confirmed(self) -> None:
        """Wait until the broker has every message (in-sync replicas included).

        Raises:
            Unconfirmed: one was refused or timed out.
        """
        self.seal()
        if self._done < self._sent:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self._error is not None:
            raise Unconfirmed(f"Kafka did not take a message: {self._error.str()}")


class AsyncProducer:
    """A producer on the event loop: no call blocks, and its messages are confirmed set by set.

    Its callbacks run inside `poll` in this thread. A thread of its own would be slower: librdkafka's binding
    takes the interpreter lock once per message, and a busy loop gives it away only every 5 ms.

    Args:
        config: librdkafka settings, from `kafka.settings.client_config`.
        max_message_bytes: what the topics take.
    """

    def __init__(self, config: Mapping[str, Any], *, max_message_bytes: int) -> None:
        # A broker that is away is waited for; a worker that ends meanwhile starts again from its commits.
        self._producer = Producer(
            config, max_message_bytes=max_message_bytes, linger_ms=LINGER_MS, quiet=False
        )
        #: What librdkafka's queue has no room for, in order. Bounded: few steps are in flight at once.
        self._overflow: deque[_Queued] = deque()
        #: The sealed sets that are not confirmed, oldest first, and since when each waits.
        self._waiting: dict[MessageSet, float] = {}
        self._poller: asyncio.Task[None] | None = None

    def begin(self) -> MessageSet:
        """A new set of messages to be confirmed together."""
        return MessageSet(self)

    def send(  # noqa: PLR0917 - as `MessageSet.send`
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int | None,
        headers: SentHeaders | None,
        heard: Report,
    ) -> None:
        """As `Producer.send`; where there is no room, the message is kept until there is."""
        if not self._overflow:
            try:
                self._producer.send(topic, value, key, partition, headers, heard)
            except QueueFull:
                pass
            else:
                return
        self._overflow.append((topic, value, key, partition, headers, heard))

    def _refill(self) -> None:
        while self._overflow:
            message = self._overflow[0]
            try:
                self._producer.send(*message)
            except QueueFull:
                return
            except Refused as refused:
                message[-1](refused.error, None)
            self._overflow.popleft()

    def partitions(self) -> dict[str, int]:
        """As `Producer.partitions`."""
        return self._producer.partitions()

    def expect(self, sealed: MessageSet) -> None:
        """A sealed set waits for its confirmations."""
        self._waiting[sealed] = time.monotonic()
        if self._poller is None or self._poller.done():
            self._poller = asyncio.get_running_loop().create_task(self._poll(), name="kafka-confirmations")

    def finished(self, sealed: MessageSet) -> None:
        """A sealed set has them."""
        del self._waiting[sealed]

    def silence(self) -> float:
        """Seconds for which the oldest sealed set has waited for its confirmations; 0 where none waits.

        Of the oldest, not since the last confirmation: one partition may take nothing while others do.
        """
        oldest = next(iter(self._waiting.values()), None)
        return 0.0 if oldest is None else time.monotonic() - oldest

    async def _poll(self) -> None:
        while self._waiting:
            self._producer.poll()
            if self._overflow:
                self._refill()
            await asyncio.sleep(POLL_EVERY)

    def close(self, timeout: float = 5.0) -> int:
        """Send what is left; returns how many messages were not confirmed within `timeout` seconds."""
        return self._producer.flush(timeout)
