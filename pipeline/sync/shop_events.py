"""Puts what shops said into the topics `shop.*`, each event in the partition of its entity."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.engine.engine import Engine
from pipeline.engine.steps import Step
from pipeline.events import Kind, RawEvent
from pipeline.kafka.keys import partition_of_key, unique_key
from pipeline.kafka.topics import full_name


class ShopEvents:
    """See the module.

    Args:
        engine: a worker's engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._topics = {kind: full_name(engine.settings, kind.topic) for kind in Kind}
        self._partitions = engine.settings.kafka.shop_partitions

    def send(self, step: Step, event: RawEvent) -> None:
        """Send an event with a step."""
        number = partition_of_key(event.key, self._partitions)
        topic, headers = self._topics[event.kind], event.to_kafka_headers()
        step.send(topic, event.body, unique_key(event.key), number, headers)

    async def store(self, events: Iterable[RawEvent]) -> None:
        """Send events in a step of their own; returns once Kafka has them."""
        with self._engine.begin() as step:
            for event in events:
                self.send(step, event)
            await self._engine.confirm(step)
