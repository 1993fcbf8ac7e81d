"""Reads a shop's list of orders for whoever reconciles: page by page, through the worker that owns the store.

A reading is in this worker's memory alone: its cursor, which may hold any request to the shop, never leaves
it. Whoever asks chooses the reading's name and names the page's number; to ask for the next page confirms the
one before. A reading that is not there any more, as its worker was killed, is begun anew by whoever asks. One
that nobody asks for ends.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson

from pipeline.engine.engine import Engine
from pipeline.events import Kind
from pipeline.http_access import problem
from pipeline.kafka.topics import SYNC_COMMANDS_TOPIC
from pipeline.records import partition_of
from pipeline.shops.pull import PulledRow, PullPass
from pipeline.sync.lanes import ShopLane
from pipeline.sync.listed import ListedOrder, listed_order
from pipeline.sync.pull.pages import Asked, Pages
from pipeline.sync.pull.state import Pass, Pending
from pipeline.sync.requests import ShopRequests
from pipeline.translate.alone import Meaning
from pipeline.translate.feed import Feed

log = logging.getLogger(__name__)

#: Where a worker reads on for whoever asks.
ORDERS_PATH = "/sync/orders"
#: Seconds for which an answer may be waited for before it is said that there is none yet.
WAIT = 1.0
#: Seconds after which a reading that nobody asks for is over.
IDLE = 60.0
#: Readings at once: each may keep a place among the pages that a worker answers at the same time.
MOST = 4
#: Seconds for which a page may fail before it is given up.
RETRY_FOR = 600.0
#: A shop's list is read up to so long after its now: rows that change meanwhile move to its end.
AHEAD_MS = 86_400_000
#: Rows between two turns of others on the worker's loop.
TURN = 20
_NUMBER = re.compile(r"[0-9]{1,15}")
_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


class Unknown(Exception):  # noqa: N818 - a fact
    """There is no such reading, or no such page of it."""


@dataclass(frozen=True, slots=True)
class OrdersPage:
    """A page that was read.

    Attributes:
        orders: that are there.
        is_last: whether none follows.
        error: why the list is given up, in a word; "" where it is not.
    """

    orders: list[ListedOrder] = field(default_factory=list)
    is_last: bool = False
    error: str = ""


class Reading:
    """One list of a store's orders.

    Args:
        feed: the store.
        requests: all that are made to its shop.
        since_ms: orders that changed since then, epoch milliseconds; None: all.
        clock: seconds since the epoch.
        random: a number from 0 to 1.

    Attributes:
        requests: as given.
        as_of_ms: the shop's now when it began; None before its first answer.
        asked_at: when a page was last asked for.
        read: rows so far.
        dropped: of these, rows that cannot be completed.
        total: rows of the list, as the shop counts them; None where it does not.
        newest_ms: the last change seen.
    """

    def __init__(
        self,
        feed: Feed,
        requests: ShopRequests,
        since_ms: int | None,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        pull, api = feed.platform.pull, feed.platform.api
        assert pull is not None  # noqa: S101 - only stores with one are read
        self._feed, self._pull, self._clock = feed, pull, clock
        self.requests = requests
        self._pages = Pages(
            feed.context.name,
            feed.context.settings,
            pull,
            requests,
            retry_for=RETRY_FOR,
            clock=clock,
            random=random,
            context=feed.context,
            withheld=() if api is None else api.withheld,
        )
        self._since_ms = None if since_ms is None else since_ms - int(pull.overlap * 1_000)
        self._pass: Pass | None = None
        self._number = 0
        self._task: asyncio.Task[OrdersPage] | None = None
        self.as_of_ms: int | None = None
        self.asked_at = clock()
        self.read = self.dropped = 0
        self.total: int | None = None
        self.newest_ms: int | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nobody asks any more."""
        return self._clock() - self.asked_at > IDLE

    @property
    def is_over(self) -> bool:
        """Whether its last page was read, or it was given up."""
        read = self._task is not None and self._task.done()
        return read and (self._pass is None or not self._pass.pending)

    @property
    def trouble(self) -> str:
        """Why the next page does not come, in a word; "" while all is well."""
        return self._pages.trouble or self.requests.limit.stopped

    async def page(self, number: int) -> OrdersPage | None:
        """A page, the one that was read last or the next; None where it is not read yet.

        Raises:
            Unknown: it is neither.
        """
        self.asked_at = self._clock()
        can_go_on = self._task is None or (self._task.done() and not self.is_over)
        if number == self._number + 1 and can_go_on:
            self._number = number
            self._task = asyncio.create_task(self._next(), name=f"orders of {self._feed.context.name}")
        elif number != self._number or self._task is None:
            raise Unknown
        done, _ = await asyncio.wait([self._task], timeout=WAIT)
        return self._task.result() if done else None

    async def end(self) -> None:
        """Ask no more."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _next(self) -> OrdersPage:
        current = self._pass or await self._begun()
        asked = await self._pages.ask(current, ShopLane.DAILY, lambda: self.is_idle)
        if asked is None or asked.error:
            current.pending = []
            return OrdersPage(is_last=True, error="nobody_asks" if asked is None else asked.error)
        return await self._kept(current, asked)

    async def _begun(self) -> Pass:
        whole = self._since_ms is None or self._pull.by_placing
        reads = PullPass.FULL if whole else PullPass.CHANGED
        now_ms = int(self._clock() * 1_000)
        first = Pass(kind=Kind.ORDER, reads=reads, since_ms=self._since_ms, until_ms=now_ms + AHEAD_MS)
        self.as_of_ms = await self._pages.shop_now_ms(first, ShopLane.DAILY)
        first.until_ms = self.as_of_ms + AHEAD_MS
        first.pending = [Pending.of(self._pull.first(self._feed.context.settings, first.scope))]
        self._pass = first
        return first

    async def _kept(self, current: Pass, asked: Asked) -> OrdersPage:
        orders = []
        for number, row in enumerate(asked.rows):
            if number % TURN == TURN - 1:
                await asyncio.sleep(0)
            order = self._read_row(row)
            orders += [] if order is None else [order]
            if row.modified_ms is not None:
                self.newest_ms = max(self.newest_ms or 0, row.modified_ms)
        current.pending = [*asked.following]
        self.read += len(asked.rows) + asked.dropped
        self.dropped += asked.dropped
        self.total = self.total if asked.total is None else asked.total
        return OrdersPage(orders, is_last=not current.pending)

    def _read_row(self, row: PulledRow) -> ListedOrder | None:
        try:
            return listed_order(row, self._feed, int(self._clock() * 1_000))
        except Exception as error:  # noqa: BLE001 - one row's fault must not end the list, as with its event
            log.error(  # noqa: TRY400 - a traceback may name persons
                "store %s: order %s of its list cannot be read (%s): a fault of this program's",
                self._feed.context.name,
                row.entity,
                type(error).__name__,
                extra={"event": "sync.order_unreadable"},
            )
            return ListedOrder(row.entity, "", row.placed_ms, None, Meaning.REJECTED, "translate_error")


class OrdersDesk:
    """Answers whoever reconciles.

    Args:
        engine: a worker's engine that has not started.
        feeds: the stores of the settings whose shops are asked, by name.
        requests_of: all that are made to the shop of a store; None while it is not held.
        clock: seconds since the epoch.
        random: a number from 0 to 1.
    """

    def __init__(
        self,
        engine: Engine,
        feeds: Mapping[str, Feed],
        requests_of: Callable[[str], ShopRequests | None],
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._engine = engine
        self._feeds = {name: feed for name, feed in feeds.items() if _lists_orders(feed)}
        self._requests_of, self._clock, self._random = requests_of, clock, random
        self._partitions = engine.settings.kafka.account_partitions
        self._readings: dict[tuple[str, str], Reading] = {}
        engine.actions[ORDERS_PATH] = self._answer

    async def forget(self, store: str) -> None:
        """The store is another worker's now, or is taken up anew: its readings end."""
        for key in [key for key in self._readings if key[0] == store]:
            await self._readings.pop(key).end()

    async def _answer(self, query: Mapping[str, str]) -> tuple[int, bytes]:
        """A page of a store's orders, or that it is not read yet."""
        name, own, since = query.get("store", ""), query.get("reading", ""), query.get("since_ms", "")
        number = query.get("page", "")
        refused = self._refusal(name, own, number, since)
        if refused is not None:
            return refused
        requests = self._requests_of(name)
        if requests is None:
            return await self._engine.elsewhere(SYNC_COMMANDS_TOPIC, partition_of(name, self._partitions))
        for key in [key for key, one in self._readings.items() if one.is_idle]:
            await self._readings.pop(key).end()
        reading = self._readings.get((name, own))
        if reading is None and int(number) == 1:
            if sum(not one.is_over for one in self._readings.values()) >= MOST:
                return problem(503, "busy", f"{MOST} lists are read already; ask again")
            reading = self._begin(name, own, requests, int(since) if since else None)
        gone = problem(410, "gone", "there is no such reading (any more): begin anew")
        if reading is None:
            return gone
        try:
            page = await reading.page(int(number))
        except Unknown:
            return gone
        return 200, self._said(reading, page)

    def _refusal(self, name: str, own: str, number: str, since: str) -> tuple[int, bytes] | None:
        if name not in self._feeds:
            return problem(404, "no_store", "no store of this name has orders that its API lists")
        plain = all(_NUMBER.fullmatch(one) for one in (number, since or "0"))
        if not plain or _ID.fullmatch(own) is None:
            return problem(400, "query", "reading, page and since_ms are wrong")
        return None

    def _begin(self, name: str, own: str, requests: ShopRequests, since_ms: int | None) -> Reading:
        log.info(
            "store %s: its orders are listed for a reconciliation",
            name,
            extra={"event": "sync.orders_listed"},
        )
        feed = self._feeds[name]
        made = Reading(feed, requests, since_ms, clock=self._clock, random=self._random)
        self._readings[name, own] = made
        return made

    def _said(self, reading: Reading, page: OrdersPage | None) -> bytes:
        return orjson.dumps(
            {
                "worker": self._engine.worker,
                "is_read": page is not None,
                "orders": [] if page is None else [list(one) for one in page.orders],
                "is_last": page is not None and page.is_last,
                "error": "" if page is None else page.error,
                "trouble": reading.trouble,
                "as_of_ms": reading.as_of_ms,
                "read": reading.read,
                "dropped": reading.dropped,
                "total": reading.total,
                "newest_ms": reading.newest_ms,
            }
        )


def _lists_orders(feed: Feed) -> bool:
    return feed.platform.lists_orders(feed.context.settings)


__all__ = ["ORDERS_PATH", "OrdersDesk", "OrdersPage", "Reading", "Unknown"]
