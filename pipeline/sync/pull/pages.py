"""Asks one shop for a page: again where it failed, in another form where it is refused, never for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from pipeline.shops.api import ApiRequest
from pipeline.shops.base import Rejected, StoreContext
from pipeline.shops.pull import PullAnswer, PulledRow, PullPage, ShopPull
from pipeline.shops.settings import StoreSettings
from pipeline.sync.answers import Answer, Failed, Found, Missing, Refused, TooMany, Unauthorised, label
from pipeline.sync.lanes import ShopLane
from pipeline.sync.pull.completion import Completed, Completion
from pipeline.sync.pull.state import Pass, Pending
from pipeline.sync.requests import ShopRequests

log = logging.getLogger(__name__)

#: Tries of a request that is refused or answered with no page; failures after which a page is made smaller.
TRIES, SMALLER = 5, 3
#: Seconds between two tries: doubled each time, up to the last.
FIRST_RETRY, LONGEST_RETRY = 1.0, 300.0
#: A shop's clock that is farther from ours, in ms, is not believed.
MOST_SKEW = 86_400_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A page that was read, or why there is none.

    Attributes:
        rows: complete.
        following: what is to be asked behind it.
        requests: that were answered for it.
        total: rows of the list, as the shop counts them.
        dropped: rows that cannot be completed.
        error: why the list is given up; "" where it is not.
    """

    rows: Sequence[PulledRow] = ()
    following: Sequence[Pending] = ()
    requests: int = 1
    total: int | None = None
    dropped: int = 0
    error: str = ""


class Pages:
    """The pages of one shop.

    Args:
        store: its name.
        settings: the store's.
        pull: its platform's.
        requests: all that are made to the shop.
        retry_for: seconds after which a list that does not come is given up.
        clock: seconds since the epoch.
        random: a number from 0 to 1.
        context: the store as its platform's functions see it, where rows need more than their list says.
        withheld: fields of what is asked for rows whose texts are not kept.

    Attributes:
        trouble: why the next page does not come, in a word of a bounded set; "" while all is well.
        troubled_at: since when.
    """

    def __init__(
        self,
        store: str,
        settings: StoreSettings,
        pull: ShopPull[StoreSettings],
        requests: ShopRequests,
        *,
        retry_for: float,
        clock: Callable[[], float],
        random: Callable[[], float],
        context: StoreContext | None = None,
        withheld: Sequence[str] = (),
    ) -> None:
        self._completion = Completion(context, pull, withheld, requests)
        self._store = store
        self._settings = settings
        self._pull = pull
        self.requests = requests
        self._retry_for = retry_for
        self._clock = clock
        self._random = random
        self._skew_ms: int | None = None
        self.trouble = ""
        self.troubled_at = 0.0

    async def shop_now_ms(self, first: Pass | None, lane: ShopLane) -> int:
        """Now, by the shop's clock as it stands in its answers; ours where it does not say.

        The first page is asked for that where nothing was asked since this process began.
        """
        if self._skew_ms is None and first is not None:
            self._heard(await self.requests.send(self._pull.first(self._settings, first.scope), lane))
        return int(self._clock() * 1_000) + (self._skew_ms or 0)

    async def total(self, of: Pass, lane: ShopLane) -> int | None:
        """Rows of a list, by its first page; None where the shop does not count them, or does not answer."""
        first = Pending.of(self._pull.first(self._settings, of.scope))
        found = self._read(of, first, await self.requests.send(first.request, lane))
        return found.total if isinstance(found, PullPage) else None

    async def ask(self, of: Pass, lane: ShopLane, ends: Callable[[], bool]) -> Asked | None:
        """The next page of a list; None where `ends` says that it is not wanted any more."""
        pending, rest = of.pending[0], of.pending[1:]
        tries = failures = 0
        while not ends():
            answer = await self.requests.send(pending.request, lane)
            self._heard(answer)
            found = self._read(of, pending, answer)
            if isinstance(found, PullPage):
                completed = await self._completion.complete(found, of.scope.reads, lane, ends)
                if completed is not None:
                    self.trouble, self.troubled_at = "", 0.0
                    return self._asked(pending, found, completed, rest)
                found = "lookup"
            self._troubled(found)
            tries, failures = self._counted(answer, tries, failures)
            other = self._instead(of, pending, answer, failures)
            if other is not None:
                pending = Pending.of(other, is_part=pending.is_part)
                continue
            if tries >= TRIES or self._clock() - self.troubled_at > self._retry_for:
                error, self.trouble, self.troubled_at = self.trouble, "", 0.0
                return Asked(error=error)
            await self._pause(tries + failures)
        return None

    @staticmethod
    def _asked(pending: Pending, page: PullPage, completed: Completed, rest: list[Pending]) -> Asked:
        """What belongs to the page's rows, then its own next page, then what waited behind it."""
        own = [] if page.following is None else [Pending.of(page.following, is_part=pending.is_part)]
        parts = [Pending.of(part, is_part=True) for part in page.parts]
        dropped = page.dropped + completed.dropped
        return Asked(completed.rows, [*parts, *own, *rest], 1 + completed.requests, page.total, dropped)

    def _read(self, of: Pass, pending: Pending, answer: Answer) -> PullPage | str:
        """The page, or in a word why there is none."""
        match answer:
            case Found(_, value, headers):
                try:
                    said = PullAnswer(value, headers)
                    return self._pull.read(self._settings, of.scope, pending.request, said)
                except Rejected as rejected:
                    return rejected.reason
                except Exception as error:  # noqa: BLE001 - a reader's fault must not end the worker
                    log.error(  # noqa: TRY400 - a traceback may name persons
                        "store %s: a page of %s cannot be read (%s): a fault of this program's",
                        self._store,
                        of.kind,
                        type(error).__name__,
                        extra={"event": "sync.page_unreadable"},
                    )
                    return "unreadable"
            case Missing() if pending.is_part:
                return PullPage((), None)
            case _:
                return label(answer)

    def _heard(self, answer: Answer) -> None:
        """The shop's clock."""
        if not isinstance(answer, Found) or "date" not in answer.headers:
            return
        try:
            said_ms = int(parsedate_to_datetime(answer.headers["date"]).timestamp() * 1_000)
        except (ValueError, OverflowError):
            return
        skew = said_ms - int(self._clock() * 1_000)
        self._skew_ms = skew if abs(skew) <= MOST_SKEW else 0

    def _troubled(self, why: str) -> None:
        if not self.trouble:
            self.troubled_at = self._clock()
            log.warning(
                "store %s: the next page does not come (%s); it is asked for again by itself",
                self._store,
                why,
                extra={"event": "sync.page_fails"},
            )
        self.trouble = why

    @staticmethod
    def _counted(answer: Answer, tries: int, failures: int) -> tuple[int, int]:
        """How often it was refused or no page, and how often it failed; an absent shop is waited for."""
        match answer:
            case TooMany() | Unauthorised():
                return tries, failures
            case Failed():
                return tries, failures + 1
            case _:
                return tries + 1, failures

    def _instead(self, of: Pass, pending: Pending, answer: Answer, failures: int) -> ApiRequest | None:
        """Another form of a request that is refused, or that failed a few times in a row."""
        if self._pull.instead is None:
            return None
        match answer:
            case Refused(status):
                return self._pull.instead(self._settings, of.scope, pending.request, status)
            case Failed() if failures and failures % SMALLER == 0:
                return self._pull.instead(self._settings, of.scope, pending.request, 0)
            case _:
                return None

    async def _pause(self, times: int) -> None:
        if times:
            seconds = min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(times - 1, 20))
            await asyncio.sleep(seconds * (0.5 + self._random() / 2))


__all__ = ["Asked", "Pages"]
