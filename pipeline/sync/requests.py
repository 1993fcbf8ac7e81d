"""All requests to one shop: within its limit, the most urgent lane first."""

from __future__ import annotations

import heapq
import itertools
import logging
import math
from collections.abc import Callable
from typing import Protocol

from pipeline.metrics import SYNC_REQUESTS
from pipeline.notifier import Notifier
from pipeline.shops.api import ApiRequest, RequestLimit
from pipeline.sync.answers import Answer, Empty, Failed, Found, Missing, Refused, TooMany, Unauthorised, label
from pipeline.sync.lanes import ShopLane
from pipeline.sync.limit import ShopLimit

log = logging.getLogger(__name__)

#: What to do about a shop that cannot be asked.
ADVICE = {
    "unauthorised": "check the store's API credentials and their rights: docs/platforms.md",
    "not_json": "it answers with something else than JSON: a maintenance page, or a wrong api_url",
    "redirect": "it answers with a redirect, which is not followed: correct api_url",
    "unreachable": "check api_url and the network",
}


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
        title: of what is asked, in logs.
        form: `ShopApi.form`.

    Attributes:
        parallel: requests that may be under way at once.
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
        title: str = "its API",
        form: Callable[[ApiRequest], str] = lambda _: "",
    ) -> None:
        self._store = store
        self._title = title
        self._form = form
        self.parallel = limit.parallel
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
        form = self._form(request)
        sent, cost = await self._admitted(lane, form)
        try:
            answer = await self._sender.send(request)
        finally:
            self._under_way -= 1
            self.limit.points.ended(cost)
            self._changed.notify()
        SYNC_REQUESTS.labels(self._store, label(answer)).inc()
        self._heard(answer, sent, form)
        return answer

    def waiting(self, lane: ShopLane) -> int:
        """How many requests of a lane wait to be let through."""
        return sum(one is lane for one, _ in self._waiting)

    async def _admitted(self, lane: ShopLane, form: str) -> tuple[float, float]:
        """Wait until a request may go; returns when it went, and the points it is taken to cost."""
        ticket = lane, next(self._numbers)
        heapq.heappush(self._waiting, ticket)
        try:
            while (seconds := self._wait(ticket, form)) > 0:
                await self._changed.wait(seconds)
            now = self._clock()
            self.limit.sent(now)
            self._under_way += 1
            return now, self.limit.points.sent(form)
        finally:
            self._waiting.remove(ticket)
            heapq.heapify(self._waiting)
            self._changed.notify()

    def _wait(self, ticket: tuple[ShopLane, int], form: str) -> float:
        """Seconds until a request may go; infinity: after something else happened.

        One that is urgent does not wait for the end of those under way: it is one more.
        """
        lane = ticket[0]
        if self._waiting[0] != ticket or self._under_way >= self.parallel + lane.is_urgent:
            return math.inf
        return self.limit.wait(self._clock(), lane, form)

    def _heard(self, answer: Answer, sent: float, form: str) -> None:
        """What an answer to a request that was sent then says of the shop."""
        before, now = self.limit.stopped, self._clock()
        points = answer.points if isinstance(answer, Found | TooMany) else None
        if points is not None:
            self.limit.points.heard(now, form, points)
        match answer:
            case Found() | Empty() | Missing() | Refused():
                self.limit.answered(sent)
                self.worked_at = now
            case TooMany() if points is not None and points.there < points.asked:
                pass  # the next one waits for its points
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
                "store %s: %s cannot be asked now (%s), %d requests wait; %s",
                self._store,
                self._title,
                why,
                len(self._waiting),
                ADVICE.get(why, "it is tried again by itself"),
                extra={"event": "sync.stopped"},
            )
        else:
            log.info(
                "store %s: %s answers again (was: %s)",
                self._store,
                self._title,
                before,
                extra={"event": "sync.goes_on"},
            )
