"""The producer of a stage: librdkafka, idempotent, and everything it sends is waited for."""

from __future__ import annotations

import asyncio
import functools
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipeline.errors import BrokerError
from pipeline.kafka import client_log

Headers = Sequence[tuple[str, bytes]]
#: Topic, value, key, who is told, and the rest as librdkafka's binding names it.
_Message = tuple[str, bytes | None, bytes | None, Any, dict[str, Any]]

#: Between two looks at the confirmations, in seconds: short against the broker's own few milliseconds.
POLL_EVERY = 0.002
#: Seconds a question to the cluster may take.
ASK = 30.0

DEFAULTS: dict[str, Any] = {
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 5,
    "batch.size": 1_048_576,
    "batch.num.messages": 10_000,
    "compression.type": "lz4",
    # By the key, as the Java clients choose; librdkafka's own default is another.
    "partitioner": "murmur2_random",
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 262_144,
    # A broker that is away is waited for; a worker that ends meanwhile starts again from its commits.
    "message.timeout.ms": 300_000,
}


class Unconfirmed(Exception):  # noqa: N818 - the broker's verdict, fatal to the process
    """A message was not taken by the broker: nothing may be acknowledged after it."""


class Sending:
    """Messages that are confirmed together. Made by `Sender.begin`; belongs to the event loop's thread."""

    __slots__ = ("_done", "_error", "_produce", "_sealed", "_sender", "_sent", "_waiter")

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._produce = sender.produce
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
        headers: Headers | None = None,
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
            KafkaException: the message can never be sent (too large), or the producer is broken. Where others
                wait for room before it, `confirmed` raises instead.
        """
        self._sent += 1
        heard = self._heard if slot is None else functools.partial(self._heard_at, slot)
        try:
            self._produce(topic, value, key, partition, headers, heard)
        except BaseException:
            self._sent -= 1
            raise

    def _heard(self, error: KafkaError | None, _message: Message) -> None:
        self._done += 1
        if error is not None and self._error is None:
            self._error = error
        if self._sealed and self._done == self._sent:
            self._finish()

    def _heard_at(self, slot: list[int], error: KafkaError | None, message: Message) -> None:
        if error is None:
            slot[0] = message.offset()
        self._heard(error, message)

    def _finish(self) -> None:
        self._sender.finished()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def seal(self) -> None:
        """No message follows; its confirmations are now looked for."""
        if not self._sealed:
            self._sealed = True
            self._sender.expect()
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


class Sender:
    """One librdkafka producer on the event loop.

    Its callbacks run inside `poll` in this thread. A thread of its own would be slower: librdkafka's binding
    takes the interpreter lock once per message, and a busy loop gives it away only every 5 ms.
    """

    def __init__(self, config: Mapping[str, Any], *, max_message_bytes: int) -> None:
        settings = {**DEFAULTS, "message.max.bytes": max_message_bytes, **config}
        self._producer = Producer(settings, logger=client_log)
        #: What librdkafka's queue has no room for, in order. Bounded: few steps are on their way at once.
        self._overflow: deque[_Message] = deque()
        self._expected = 0
        self._last_heard = 0.0
        self._poller: asyncio.Task[None] | None = None

    def begin(self) -> Sending:
        """A new set of messages to be confirmed together."""
        return Sending(self)

    def produce(  # noqa: PLR0917 - as `Sending.send`
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int | None,
        headers: Headers | None,
        heard: Any,
    ) -> None:
        """Give a message to librdkafka, or keep it until its queue has room: nobody waits for that here."""
        chosen: dict[str, Any] = {} if partition is None else {"partition": partition}
        if headers:
            chosen["headers"] = headers
        message = (topic, value, key, heard, chosen)
        if self._overflow or not self._take(message):
            self._overflow.append(message)

    def _take(self, message: _Message) -> bool:
        """Whether librdkafka's queue had room for it."""
        topic, value, key, heard, chosen = message
        try:
            self._producer.produce(topic, value, key, on_delivery=heard, **chosen)
        except BufferError:
            return False
        return True

    def _refill(self) -> None:
        while self._overflow:
            message = self._overflow[0]
            try:
                if not self._take(message):
                    return
            except KafkaException as refused:
                message[3](refused.args[0], None)
            self._overflow.popleft()

    def partitions(self) -> dict[str, int]:
        """How many partitions each topic of the cluster has. Blocks: call it in a thread.

        Raises:
            BrokerError: no broker answers.
        """
        try:
            found = self._producer.list_topics(timeout=ASK).topics
        except KafkaException as error:
            raise BrokerError(f"Kafka does not answer: {error.args[0].str()}") from error
        return {name: len(topic.partitions) for name, topic in found.items() if topic.error is None}

    def expect(self) -> None:
        """A sealed set waits for its confirmations."""
        if not self._expected:
            self._last_heard = time.monotonic()
        self._expected += 1
        if self._poller is None or self._poller.done():
            self._poller = asyncio.get_running_loop().create_task(self._poll(), name="kafka-confirmations")

    def finished(self) -> None:
        """A sealed set has them."""
        self._expected -= 1
        self._last_heard = time.monotonic()

    def silence(self) -> float:
        """Seconds without a confirmation while some are waited for; 0 where none are."""
        return time.monotonic() - self._last_heard if self._expected else 0.0

    async def _poll(self) -> None:
        while self._expected:
            self._producer.poll(0)
            if self._overflow:
                self._refill()
            await asyncio.sleep(POLL_EVERY)

    def close(self, timeout: float = 5.0) -> int:
        """Send what is left; returns how many messages were not confirmed within `timeout` seconds."""
        return int(self._producer.flush(timeout))


__all__ = ["Headers", "KafkaException", "Sender", "Sending", "Unconfirmed"]
