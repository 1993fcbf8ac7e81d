"""Reads the feed of one store: what it holds goes to Kafka, and only then does the platform go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pipeline.events import RawEvent
from pipeline.metrics import SYNC_FEED_EVENTS
from pipeline.shops.base import Rejected, StoreContext, WebhookRequest
from pipeline.shops.feed import FeedAnswer, FeedPage, ShopFeed
from pipeline.shops.platform import AnyPlatform, raw_event
from pipeline.shops.settings import StoreSettings
from pipeline.sync.answers import Answer, Empty, Found, Missing, label
from pipeline.sync.feed_place import FeedPlace
from pipeline.sync.lanes import ShopLane
from pipeline.sync.requests import ShopRequests

log = logging.getLogger(__name__)

GONE = 410
#: Seconds until a feed that could not be read is asked again: doubled each time, up to the last.
FIRST_RETRY, LONGEST_RETRY = 5.0, 300.0
#: The same after what a person must mend.
FIRST_MENDED, LONGEST_MENDED = 60.0, 900.0
#: What a person must mend.
FOR_A_PERSON = frozenset({"unauthorised", "missing", "refused"})
#: Milliseconds between two notes that all was read.
READ_EVERY_MS = 3_600_000
#: Doublings that are counted.
MOST_DOUBLINGS = 10


@dataclass
class FeedStatus:
    """How a store's feed does, for metrics.

    Attributes:
        since: when this worker began with it, epoch seconds.
        read_at: when it was last read, kept and acknowledged; 0: not yet.
        stopped: why it cannot be read, in a word of a bounded set; "" while all is well.
        failures: in a row.
        expired_ms: when a position was last found to have expired, epoch milliseconds; 0: never.
    """

    since: float
    read_at: float = 0.0
    stopped: str = ""
    failures: int = 0
    expired_ms: int = 0

    def age(self, now: float) -> float:
        """Seconds since it was last read, or since this worker tries."""
        return max(0.0, now - max(self.since, self.read_at))


@dataclass(frozen=True, slots=True)
class FeedOutlets:
    """Where what is read goes; what is awaited returns once Kafka has it.

    Attributes:
        place: how far the feed was read.
        store: stores events.
        keep: remembers a place.
    """

    place: Callable[[], FeedPlace]
    store: Callable[[Sequence[RawEvent]], Awaitable[None]]
    keep: Callable[[FeedPlace], Awaitable[None]]


class FeedRunner:
    """The feed of one store.

    Args:
        store: as translate sees it.
        platform: its platform, which has a feed.
        feed: the platform's.
        requests: all that are made to where the feed is.
        outlets: where results go.
        status: is kept up to date.
        max_body: bytes of the largest body that the gateway takes; what is larger here is cut, and so becomes
            a dead letter.
        clock: seconds since the epoch.
        random: a number from 0 to 1.
    """

    def __init__(
        self,
        store: StoreContext,
        platform: AnyPlatform,
        feed: ShopFeed[StoreSettings],
        requests: ShopRequests,
        outlets: FeedOutlets,
        *,
        status: FeedStatus,
        max_body: int,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._store = store
        self._platform = platform
        self._feed = feed
        self._requests = requests
        self._outlets = outlets
        self._status = status
        self._max_body = max_body
        self._clock = clock
        self._random = random
        self._quiet = False

    async def run(self) -> None:
        """Read, until cancelled."""
        while True:
            seconds = await self.read()
            await asyncio.sleep(seconds)

    async def read(self) -> float:
        """Read once; returns the seconds until it is to be done again."""
        place = self._outlets.place()
        question = self._feed.request(self._store.settings, place.position)
        answer = await self._requests.send(question, ShopLane.LIVE)
        match answer:
            case Found(_, value, headers):
                return await self._answered(place, FeedAnswer(value, headers))
            case Empty(headers):
                return await self._answered(place, FeedAnswer(None, headers))
            case Missing(status) if status == GONE and place.position:
                return await self._expired(place)
            case _:
                return self._failed(label(answer))

    async def _answered(self, place: FeedPlace, answer: FeedAnswer) -> float:
        try:
            page = self._feed.read(self._store.settings, place.position, answer)
        except Rejected as rejected:
            return self._failed("unreadable", str(rejected))
        refused = await self._taken(place, page)
        if refused is not None:
            return self._failed("not_acknowledged", label(refused))
        self._works()
        return page.wait

    async def _taken(self, place: FeedPlace, page: FeedPage) -> Answer | None:
        """Have Kafka keep a page, then go on behind it; returns the answer if the platform does not."""
        if page.bodies:
            self._quiet = False
            await self._outlets.store([self._event(body) for body in page.bodies])
            SYNC_FEED_EVENTS.labels(self._store.name).inc(len(page.bodies))
        following = self._behind(page, place)
        if following != place:
            await self._outlets.keep(following)
        if page.acknowledge is None:
            return None
        answer = await self._requests.send(page.acknowledge, ShopLane.LIVE)
        return None if isinstance(answer, Found | Empty) else answer

    def _behind(self, page: FeedPage, place: FeedPlace) -> FeedPlace:
        """The place behind a page; when all was read is written once an hour."""
        now_ms = int(self._clock() * 1_000)
        at_end = page.wait > 0 and bool(page.position)
        news = page.position != place.position or now_ms - place.read_ms >= READ_EVERY_MS
        return place._replace(position=page.position, read_ms=now_ms if at_end and news else place.read_ms)

    def _event(self, body: bytes) -> RawEvent:
        """The event that the platform's webhook would have brought."""
        if len(body) > self._max_body:
            log.warning(
                "store %s: its %s has an entry of %d bytes, more than gateway.max_body_bytes: a dead letter",
                self._store.name,
                self._feed.title,
                len(body),
                extra={"event": "sync.feed_entry_too_large"},
            )
        request = WebhookRequest({}, body[: self._max_body], int(self._clock() * 1_000))
        return raw_event(self._store.name, self._platform, request)

    async def _expired(self, place: FeedPlace) -> float:
        """Go on with the oldest that is kept; what came before it is not in the feed any more.

        Where all was read lately, the position expired because nothing happened since.
        """
        now = self._clock()
        if now - place.read_ms / 1_000 < self._feed.kept_for:
            self._say_quiet()
            await self._outlets.keep(place._replace(position=""))
            return 0.0
        log.error(
            "store %s: its %s was not read for so long that its position has expired; it is read on from the "
            "oldest event there is. What came before may be missing: `pipeline sync %s` reads what changed "
            "since the last sync from the shop's own lists",
            self._store.name,
            self._feed.title,
            self._store.name,
            extra={"event": "sync.feed_expired"},
        )
        self._status.expired_ms = int(now * 1_000)
        await self._outlets.keep(place._replace(position="", expired_ms=self._status.expired_ms))
        return 0.0

    def _say_quiet(self) -> None:
        if not self._quiet:
            log.info(
                "store %s: the position in its %s has expired as nothing happened, and nothing is missing",
                self._store.name,
                self._feed.title,
                extra={"event": "sync.feed_quiet"},
            )
        self._quiet = True

    def _works(self) -> None:
        if self._status.stopped:
            log.info(
                "store %s: its %s is read again (was: %s)",
                self._store.name,
                self._feed.title,
                self._status.stopped,
                extra={"event": "sync.feed_goes_on"},
            )
        self._status.stopped, self._status.failures = "", 0
        self._status.read_at = self._clock()

    def _failed(self, why: str, detail: str = "") -> float:
        """Say so, where it is news; returns the seconds until the next try."""
        if self._status.stopped != why:
            log.warning(
                "store %s: its %s cannot be read (%s%s), nothing is lost while the platform keeps it; %s",
                self._store.name,
                self._feed.title,
                why,
                f": {detail}" if detail else "",
                self._feed.advice.get(why, "it is tried again by itself"),
                extra={"event": "sync.feed_stopped"},
            )
        self._status.stopped = why
        self._status.failures += 1
        mended = why in FOR_A_PERSON
        first, longest = (FIRST_MENDED, LONGEST_MENDED) if mended else (FIRST_RETRY, LONGEST_RETRY)
        seconds = min(longest, first * 2.0 ** min(self._status.failures - 1, MOST_DOUBLINGS))
        return seconds * (0.5 + self._random() / 2)
