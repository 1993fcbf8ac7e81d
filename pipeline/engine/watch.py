"""A worker's watch over its two clients of Kafka: it ends where one of them hangs though Kafka answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from pipeline.engine.membership import MembershipLost
from pipeline.engine.runtime import GroupConsumer
from pipeline.errors import BrokerError, PipelineError
from pipeline.kafka.confirmed import AsyncProducer

#: Seconds between two looks, and how long the group may be silent: longer than a rebalance takes.
WATCH_EVERY, LOST_AFTER = 10.0, 120.0
#: Seconds without a confirmation after which the producer, not Kafka, is at fault where every partition has a
#: leader: librdkafka sometimes sends no more to a partition that had none for a moment (docs/adr/0002).
STUCK_AFTER = 30.0


#: Partitions named in a line of the log.
SHOWN = 10

log = logging.getLogger(__name__)


class ProducerStuck(PipelineError):  # noqa: N818 - a fact, not a defect
    """Messages wait though Kafka would take them."""


class KafkaWatch:
    """Raises where only a restart helps; the worker then reads again what was not acknowledged.

    Args:
        consumer: what is read now.
        producer: what the worker sends by.
        leaderless: the partitions that nobody leads, asked by a client made for it, as one that is stuck may
            have no answer. Blocks; raises BrokerError where Kafka does not answer.
        every: seconds between two looks.
    """

    def __init__(
        self,
        consumer: Callable[[], GroupConsumer],
        producer: AsyncProducer,
        leaderless: Callable[[], list[str]],
        *,
        every: float = WATCH_EVERY,
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._leaderless = leaderless
        self._every = every

    async def group(self) -> None:
        """Raise `MembershipLost` where the group does not answer for minutes while Kafka answers others."""
        await self._hangs(lambda: self._consumer().silence(), LOST_AFTER, self._answers)
        raise MembershipLost("the group has not answered for minutes, though Kafka does")

    async def sending(self) -> None:
        """Raise `ProducerStuck` where messages stay unconfirmed though every partition has a leader."""
        waited = await self._hangs(self._producer.silence, STUCK_AFTER, self._all_are_led)
        raise ProducerStuck(
            f"Kafka has not confirmed messages for {waited:.0f} s, though every partition has a leader: "
            "the producer is stuck, and a new one sends them again"
        )

    async def _hangs(
        self, silence: Callable[[], float], most: float, could_be_heard: Callable[[], bool]
    ) -> float:
        """Return how long it has been silent, once that is longer than `most` though it could be heard."""
        while True:
            await asyncio.sleep(self._every)
            if silence() > most and await asyncio.to_thread(could_be_heard):
                await asyncio.sleep(self._every)
                if (silent := silence()) > most:
                    return silent

    def _answers(self) -> bool:
        with contextlib.suppress(BrokerError):
            self._leaderless()
            return True
        return False

    def _all_are_led(self) -> bool:
        with contextlib.suppress(BrokerError):
            without = self._leaderless()
            if without:
                log.warning("partitions without a leader: %s", ", ".join(without[:SHOWN]))
            return not without
        return False
