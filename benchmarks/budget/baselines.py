"""What others do with the same records and the same API: one call a record, in the order of arrival.

Nothing is merged, compared or imported. A 409 counts as done and a changed order is left as it was, which
spares the baselines calls that the pipeline makes.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Protocol

from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.connectif.payloads import contact_payload, product_payload, purchase_payload
from pipeline.limiter.limiter import Limiter
from pipeline.limiter.state import NOTHING_OBSERVED, Observation
from pipeline.notifier import Notifier
from pipeline.records import ContactRecord, CouponRecord, ProductRecord, PurchaseRecord, Record
from tests.simulation import virtual
from tests.simulation.environment import Environment


class Limit(Protocol):
    """When a call may be made; `pipeline.limiter.limiter.Limiter` is one."""

    def wait(self, now: float) -> float:
        """Seconds until it may."""

    def start(self, now: float) -> int:
        """It is made."""

    def finish(self, call: int, now: float, seen: Observation = NOTHING_OBSERVED) -> None:
        """It has its answer."""


class TokenBucket:
    """A minute's calls at once at the most, and evenly after that; after a 429 it waits for the reset."""

    def __init__(self, limit: int, window: float) -> None:
        self._limit, self._window = limit, window
        self._tokens, self._at = float(limit), -math.inf

    def wait(self, now: float) -> float:
        """Seconds until there is a token."""
        if now > self._at:
            rate = self._limit / self._window
            self._tokens = min(self._limit, self._tokens + (now - max(self._at, now - self._window)) * rate)
            self._at = now
        lacking = (1 - self._tokens) * self._window / self._limit
        return max(0.0, lacking + self._at - now)

    def start(self, now: float) -> int:  # noqa: ARG002 - tokens have no names
        """Take a token."""
        self._tokens -= 1
        return 0

    def finish(self, call: int, now: float, seen: Observation = NOTHING_OBSERVED) -> None:  # noqa: ARG002
        """Take no more until the reset, after a 429."""
        if seen.limited:
            self._at = now + (seen.reset_in or self._window)


class Sink:
    """Takes records in and makes their calls one after the other, each again until it is answered."""

    def __init__(self, environment: Environment, limit: Limit) -> None:
        settings = environment.settings.accounts["acme"]
        self._client = ConnectifClient("acme", settings, transport=environment.transport, wall=virtual.wall)
        self._limit = limit
        self._queue: deque[Record] = deque()
        self._bell = Notifier()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    def say(self, record: Record) -> None:
        """A record comes in."""
        self._queue.append(record)
        self._bell.notify()

    def finished(self) -> bool:
        """Whether nothing is left to do."""
        if self._task is not None and self._task.done():
            self._task.result()
        return not self._queue

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
        await self._client.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._queue:
                await self._bell.wait(math.inf)
            while (seconds := self._limit.wait(loop.time())) > 0:  # noqa: ASYNC110 - time is virtual
                await asyncio.sleep(seconds)
            call = self._limit.start(loop.time())
            answer = await _tell(self._client, self._queue[0])
            rate, limited = answer.rate, answer.kind is AnswerKind.LIMITED
            seen = Observation(rate.limit, rate.remaining, rate.reset_in, rate.retry_after, limited=limited)
            self._limit.finish(call, loop.time(), seen)
            if not limited:
                self._queue.popleft()


def token_bucket(environment: Environment) -> Sink:
    """What a generic HTTP sink does."""
    account = environment.settings.accounts["acme"]
    return Sink(environment, TokenBucket(account.calls_per_minute, account.window_seconds))


def one_by_one(environment: Environment) -> Sink:
    """One call a record, within the pipeline's own limiter."""
    account = environment.settings.accounts["acme"]
    return Sink(environment, Limiter(account.calls_per_minute, account.window_seconds))


async def _tell(client: ConnectifClient, record: Record) -> Answer:
    if isinstance(record, CouponRecord):
        raise TypeError("no baseline sends coupons")
    if isinstance(record, PurchaseRecord) and record.body is None:
        return await client.delete_purchase(record.id)
    body = record.body
    assert body is not None
    given = body.model_dump(mode="json", exclude_none=True)
    if isinstance(record, ContactRecord):
        fields: dict[str, str] = {
            name: given[name] for name in ("name", "surname", "mobile_phone", "newsletter") if name in given
        }
        return await client.put_contact(record.id, contact_payload(fields))
    if isinstance(record, ProductRecord):
        return await client.put_product(record.id, product_payload(given))
    return await client.create_purchase(purchase_payload(given), trigger=True)
