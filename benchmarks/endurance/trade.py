"""What shops sell in a long run, and what sends it: a store after the other, each as a shop does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.demo import traffic
from pipeline.demo.expectations import Statement
from pipeline.demo.sender import SendResults, WebhookSender
from pipeline.demo.shop_history import Delivery
from pipeline.demo.traffic import Traffic

#: Seconds until a webhook that is never taken ends the run; longer than any process needs to come back.
PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class Load:
    """Webhooks in the order they are sent.

    Attributes:
        made: what they are of: documents that shops' APIs answer, and webhooks that cannot be translated.
        deliveries: of Shopify, WooCommerce and a custom shop, with repeats, changes, cancellations and late
            ones; and of shops whose webhooks only name an order.
    """

    made: Traffic
    deliveries: Sequence[Delivery]

    @property
    def statements(self) -> tuple[Statement, ...]:
        """What they state: not what only a full sync would read."""
        return tuple(said for one in self.deliveries for said in one.statements)


def load(webhooks: int, seed: int) -> Load:
    """About so many webhooks."""
    made = traffic.make(webhooks, seed, datetime.now(UTC).replace(microsecond=0))
    return Load(made, traffic.mixed(made.further, made.deliveries))


class Shops:
    """Sends a load, each store by connections of its own, and again what was not answered with a 2xx.

    Args:
        gateway: its URL.
        sold: what they send.
        rate: webhooks a second, of all stores together.
        connections: of each store; with one its webhooks come in their order.
    """

    def __init__(self, gateway: str, sold: Load, rate: float, connections: int) -> None:
        by_store: dict[str, list[Delivery]] = {}
        for one in sold.deliveries:
            by_store.setdefault(one.shop, []).append(one)
        self._senders = [
            WebhookSender(
                gateway,
                told,
                rate * len(told) / len(sold.deliveries),
                patience=PATIENCE,
                connections=connections,
            )
            for told in by_store.values()
        ]

    async def run(self) -> None:
        """Send all of it.

        Raises:
            ExceptionGroup: of PipelineError, where a webhook was never taken.
        """
        async with asyncio.TaskGroup() as group:
            for sender in self._senders:
                group.create_task(sender.run())

    @property
    def posted(self) -> SendResults:
        """What came of it so far."""
        return _together(sender.posted for sender in self._senders)


def _together(results: Iterable[SendResults]) -> SendResults:
    found = SendResults()
    for one in results:
        found.done += one.done
        found.kept += one.kept
        found.answers += one.answers
        found.unanswered += one.unanswered
        found.surprises += one.surprises
    return found
