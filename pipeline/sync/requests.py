"""All requests to one shop: within its limit, the most urgent lane first."""

from __future__ import annotations

import enum
import heapq
import itertools
import logging
import math
from collections.abc import Callable
from typing import Protocol

from pipeline.metrics import SYNC_REQUESTS
from pipeline.notifier import Notifier
from pipeline.shops.api import ApiRequest, RequestLimit
from pipeline.sync.answers import Answer, Failed, Found, Missing, Refused, TooMany, Unauthorised, label
from pipeline.sync.limit import ShopLimit

log = logging.getLogger(__name__)

#: What to do about a shop that cannot be asked.
ADVICE = {
    "unauthorised": "check the store's API credentials and their rights: docs/platforms.md",
    "not_json": "it answers with something else than JSON: a maintenance page, or a wrong api_url",
    "redirect": "it answers with a redirect, which is not followed: correct api_url",
    "unreachable": "check api_url and the network",
}


class ShopLane(enum.IntEnum):
    """How urgent a request is; of those that wait, the first of the lowest number goes next."""

    WITHDRAWAL = 0  # a person's consent, to be written at the shop
    LIVE = 1  # what a notification of now named
    DAILY = 2  # a pull of what changed
    FULL = 3  # a pull of everything


class Sender(Protocol):
    """`sync.client.ShopClient`."""

    async def send(self, request: ApiRequest) -> Answer:
        """Make one request."""


class ShopRequests:
    """Makes the requests of one store.

    Args:
        store: its name.
        limit: what the shop stands.
        sender: makes a request.
        clock: seconds since the epoch.
        random: a number from 0 to 1.

    Attributes:
        limit: when the next request may be made.
        worked_at: when the shop last answered as it should; 0 for never.
    """

    def __init__(
        self,
        store: str,
        limit: RequestLimit,
        sender: Sender,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._store = store
        self._parallel = limit.parallel
        self._sender = sender
        self._clock = clock
        self._random = random
        self._numbers = itertools.count()
        self._waiting: list[tuple[ShopLane, int]] = []
        self._under_way = 0
        self._changed = Notifier()
        self.limit = ShopLimit(limit)
        self.worked_at = 0.0

    async def send(self, request: ApiRequest, lane: ShopLane) -> Answer:
        """Make one request, once the limit and the lanes before it let it through."""
        await self._admitted(lane)
        try:
            answer = await self._sender.send(request)
        finally:
            self._under_way -= 1
            self._changed.notify()
        SYNC_REQUESTS.labels(self._store, label(answer)).inc()
        self._heard(answer)
        return answer

    def waiting(self, lane: ShopLane) -> int:
        """How many requests of a lane wait to be let through."""
        return sum(one is lane for one, _ in self._waiting)

    async def _admitted(self, lane: ShopLane) -> None:
        ticket = lane, next(self._numbers)
        heapq.heappush(self._waiting, ticket)
        try:
            while (seconds := self._wait(ticket)) > 0:
                await self._changed.wait(seconds)
            self.limit.sent(self._clock())
            self._under_way += 1
        finally:
            self._waiting.remove(ticket)
            heapq.heapify(self._waiting)
            self._changed.notify()

    def _wait(self, ticket: tuple[ShopLane, int]) -> float:
        """Seconds until a request may go; infinity: after something else happened."""
        if self._waiting[0] != ticket or self._under_way >= self._parallel:
            return math.inf
        return self.limit.wait(self._clock())

    def _heard(self, answer: Answer) -> None:
        """What an answer says of the shop."""
        before, now = self.limit.stopped, self._clock()
        match answer:
            case Found() | Missing() | Refused():
                self.limit.answered()
                self.worked_at = now
                if isinstance(answer, Found) and answer.rest:
                    self.limit.rest(now, answer.rest)
            case TooMany(seconds):
                self.limit.too_many(now, seconds)
            case Unauthorised():
                self.limit.unauthorised(now)
            case Failed(what):
                self.limit.failed(now, self._random(), what)
        if self.limit.stopped != before:
            self._say(before)

    def _say(self, before: str) -> None:
        why = self.limit.stopped
        if why:
            log.warning(
                "store %s: its API cannot be asked now (%s), %d requests wait; %s",
                self._store,
                why,
                len(self._waiting),
                ADVICE.get(why, "it is tried again by itself"),
                extra={"event": "sync.stopped"},
            )
        else:
            log.info(
                "store %s: its API answers again (was: %s)",
                self._store,
                before,
                extra={"event": "sync.goes_on"},
            )
