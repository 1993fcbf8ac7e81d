"""Fetches what the notifications of one store name: within the shop's limit, again where it failed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.events import RawEvent
from pipeline.kafka.fetches import FetchRequest
from pipeline.logs import of_delivery
from pipeline.metrics import SYNC_SECONDS
from pipeline.shops.api import ApiRequest, ShopApi, fetched_event
from pipeline.shops.base import StoreContext
from pipeline.shops.settings import StoreSettings
from pipeline.sync.answers import Answer, Failed, Refused
from pipeline.sync.backlog import Backlog, Entity, Notice
from pipeline.sync.lanes import ShopLane
from pipeline.sync.lookup import Documented, Halted, TooLarge, look_up
from pipeline.sync.requests import ShopRequests

log = logging.getLogger(__name__)

#: Seconds between two tries of one look-up: doubled each time, up to the last.
FIRST_RETRY, LONGEST_RETRY = 1.0, 300.0
#: Tries of a request that the shop refuses as such.
REFUSED_TRIES = 3
#: A failure within this time after a success is the document's own, not the shop's.
SHOP_WORKS = 3_600.0


class GivenUp(NamedTuple):
    """Why a look-up is a dead letter: a reason of a bounded set, and a sentence."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where a look-up leads; each returns once Kafka has it.

    Attributes:
        load: the notification of a row; None where it is gone.
        fetched: stores the event of documents, and forgets these notifications.
        given_up: writes the dead letter of a notification, and forgets these.
    """

    load: Callable[[Notice], FetchRequest | None]
    fetched: Callable[[RawEvent, list[Notice]], Awaitable[None]]
    given_up: Callable[[FetchRequest, GivenUp, list[Notice]], Awaitable[None]]


class StoreRunner:
    """The look-ups of one store.

    Args:
        store: as translate sees it.
        api: its platform's.
        requests: all that are made to its shop.
        outlets: where results go.
        retry_for: seconds after which a document that alone cannot be had is given up.
        clock: seconds since the epoch.
        random: a number from 0 to 1.

    Attributes:
        backlog: what is to be fetched.
        requests: all that are made to its shop.
    """

    def __init__(
        self,
        store: StoreContext,
        api: ShopApi[StoreSettings],
        requests: ShopRequests,
        outlets: Outlets,
        *,
        retry_for: float,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._store = store
        self._api = api
        self.requests = requests
        self._outlets = outlets
        self._retry_for = retry_for
        self._clock = clock
        self._random = random
        self._parallel = api.limit(store.settings).parallel
        self.backlog = Backlog()
        self._news = asyncio.Event()

    def add(self, notice: Notice) -> None:
        """A notification came."""
        if self.backlog.add(notice):
            self._news.set()

    async def run(self) -> None:
        """Look up what comes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._parallel):
                group.create_task(self._work())

    async def _ask(self, path: str) -> Answer:
        return await self.requests.send(ApiRequest(path), ShopLane.LIVE)

    async def _work(self) -> None:
        while True:
            entity = self.backlog.take(self._clock())
            if entity is None:
                await self._wait_for_work()
                continue
            try:
                await self._look_up(entity)
            except asyncio.CancelledError:
                self.backlog.put_back(entity, self._clock(), failed=False)
                raise

    async def _wait_for_work(self) -> None:
        self._news.clear()
        due = self.backlog.due()
        seconds = None if due is None else max(0.0, due - self._clock())
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return

    async def _look_up(self, entity: Entity) -> None:
        """Look up one entity, for all its notifications up to now."""
        notices = list(entity.notices)
        request = self._outlets.load(entity.newest)
        if request is None:  # answered by an earlier owner of the partition
            self.backlog.settle(entity, len(notices))
            return
        result = await look_up(request.event, self._api, self._store, self._ask)
        match result:
            case Documented(answers):
                topic = self._api.fetched_topic(request.event)
                now_ms = int(self._clock() * 1_000)
                event = fetched_event(request.event, answers, topic, request.place, now_ms)
                await self._outlets.fetched(event, notices)
                self.backlog.settle(entity, len(notices))
                waited = self._clock() - request.event.received_ms / 1_000
                SYNC_SECONDS.labels(request.event.lane).observe(max(0.0, waited))
            case TooLarge():
                given_up = GivenUp("documents_too_large", "the shop's documents are more than an event holds")
                await self._give_up(entity, request, given_up, notices)
            case Halted(answer, _):
                await self._halted(entity, request, answer, notices)

    async def _halted(
        self, entity: Entity, request: FetchRequest, answer: Answer, notices: list[Notice]
    ) -> None:
        """Try again later, or give up what alone cannot be had while the shop works."""
        given_up = self._verdict(entity, request, answer)
        if given_up is not None:
            await self._give_up(entity, request, given_up, notices)
            return
        now = self._clock()
        own_fault = isinstance(answer, Failed | Refused)
        seconds = min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(entity.attempts, 20)) if own_fault else 0.0
        self.backlog.put_back(entity, now + seconds * (0.5 + self._random() / 2), failed=own_fault)

    def _verdict(self, entity: Entity, request: FetchRequest, answer: Answer) -> GivenUp | None:
        if isinstance(answer, Refused) and entity.attempts + 1 >= REFUSED_TRIES:
            return GivenUp("fetch_refused", f"the shop's API answers {answer.status} to the request for it")
        now = self._clock()
        old = now - request.event.received_ms / 1_000 > self._retry_for
        if isinstance(answer, Failed) and old and now - self.requests.worked_at < SHOP_WORKS:
            return GivenUp("fetch_failed", f"the shop's API answers others, but not for it: {answer.what}")
        return None

    async def _give_up(
        self, entity: Entity, request: FetchRequest, given_up: GivenUp, notices: list[Notice]
    ) -> None:
        log.warning(
            "store %s: the documents of %s %s are given up, a dead letter (%s): %s",
            self._store.name,
            request.event.kind,
            request.place,
            given_up.reason,
            given_up.detail,
            extra={"event": "sync.given_up", **of_delivery(request.event.delivery)},
        )
        await self._outlets.given_up(request, given_up, notices)
        self.backlog.settle(entity, len(notices))
