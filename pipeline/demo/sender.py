"""Posts the demo's webhooks as shops do: several at once, and again where no answer came."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import httpx

from pipeline.demo.shop_history import Delivery
from pipeline.errors import PipelineError

CONNECTIONS = 16
ANSWER_SECONDS = 10.0
#: Waits between attempts; a shop's are longer.
_AGAIN_SECONDS = 0.25


@dataclass(slots=True)
class SendResults:
    """What came of it so far.

    Attributes:
        done: deliveries that got their answer.
        kept: (shop, kind) -> how many the gateway said it kept.
        answers: status -> how many.
        unanswered: attempts with an unknown result: the connection broke, or a 5xx came.
        surprises: sentences about deliveries that got another answer than they should.
    """

    done: int = 0
    kept: Counter[tuple[str, str]] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0
    surprises: list[str] = field(default_factory=list)

    def note(self, delivery: Delivery, status: int) -> None:
        """Remember an answer that ends a delivery."""
        self.done += 1
        self.answers[status] += 1
        kept = httpx.codes.is_success(status)
        if kept and delivery.kind:
            self.kept[delivery.shop, delivery.kind] += 1
        if kept != httpx.codes.is_success(delivery.answer) or (not kept and status != delivery.answer):
            topic = next(
                (value for name, value in delivery.headers if name.lower().endswith("topic")), "ping"
            )
            self.surprises.append(f"{delivery.shop} {topic}: answered {status}, not {delivery.answer}")


class WebhookSender:
    """Posts deliveries in their order, at a steady rate.

    Args:
        gateway: its base URL.
        deliveries: what to post.
        rate: deliveries a second, at most.
        patience: seconds until a delivery that never gets an answer is an error.
        connections: how many deliveries are posted at once; with one they arrive in their order.
        transport: where requests go; None is the network.
        clock: seconds, for the rate.
    """

    def __init__(
        self,
        gateway: str,
        deliveries: Iterable[Delivery],
        rate: float,
        *,
        patience: float = 120.0,
        connections: int = CONNECTIONS,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.posted = SendResults()
        self._gateway = gateway
        self._queue: Iterator[tuple[int, Delivery]] = iter(enumerate(deliveries))
        self._rate = rate
        self._patience = patience
        self._connections = connections
        self._transport = transport
        self._clock = clock

    async def run(self) -> SendResults:
        """Post all of them.

        Raises:
            PipelineError: one got no answer for too long.
        """
        began = self._clock()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._connections):
                    group.create_task(self._work(began))
        except* PipelineError as errors:
            raise errors.exceptions[0] from None
        return self.posted

    async def _work(self, began: float) -> None:
        # A client for each: httpx scans all connections of a pool for every request.
        async with httpx.AsyncClient(
            base_url=self._gateway, timeout=ANSWER_SECONDS, transport=self._transport, trust_env=False
        ) as client:
            for number, delivery in self._queue:
                await asyncio.sleep(max(0.0, began + number / self._rate - self._clock()))
                self.posted.note(delivery, await self._deliver(client, delivery))

    async def _deliver(self, client: httpx.AsyncClient, delivery: Delivery) -> int:
        """The status that ends it."""
        until = self._clock() + self._patience
        while True:
            try:
                answer = await client.post(
                    delivery.path, content=delivery.body, headers=list(delivery.headers)
                )
            except httpx.TransportError as error:
                reason = type(error).__name__
            else:
                if not answer.is_server_error:
                    return answer.status_code
                reason = f"status {answer.status_code}"
            self.posted.unanswered += 1
            if self._clock() > until:
                raise PipelineError(
                    f"the gateway did not take a webhook for {self._patience:g} s: {reason}",
                    store=delivery.shop,
                )
            await asyncio.sleep(_AGAIN_SECONDS)
