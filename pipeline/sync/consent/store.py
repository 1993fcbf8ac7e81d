"""Brings the statements of one store to its shop, again where that failed."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pipeline.metrics import SYNC_CONSENT_SECONDS, SYNC_CONSENTS
from pipeline.notifier import Notifier
from pipeline.shops.api import ApiRequest
from pipeline.shops.callbacks import Statement
from pipeline.shops.consent import Impossible, Wanted
from pipeline.sync.answers import Answer, Failed, Refused, label
from pipeline.sync.consent.waiting import Row, Waiting, WaitingStatements
from pipeline.sync.consent.writing import Halted, Outcome, Writing
from pipeline.sync.lanes import ShopLane
from pipeline.sync.requests import ShopRequests

log = logging.getLogger(__name__)

#: Seconds between two tries of one statement: doubled each time, up to the last.
FIRST_RETRY, LONGEST_RETRY = 1.0, 300.0
#: Tries of what the shop refuses as such.
REFUSED_TRIES = 3
#: A failure within this time after a success is the statement's own, not the shop's.
SHOP_WORKS = 3_600.0


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where a statement leads; `settled` and `buried` return once Kafka has it.

    Attributes:
        load: the row of a store's key, and what the shop said last by itself; None where the row is gone.
        settled: forgets a row, unless a newer statement took its place; given the accounts that were written.
        buried: as that, and writes its dead letter.
    """

    load: Callable[[str, bytes], tuple[Row, Statement | None] | None]
    settled: Callable[[bytes, Row, Sequence[str]], Awaitable[None]]
    buried: Callable[[bytes, Row, Impossible], Awaitable[None]]


class StoreConsents:
    """The statements of one store, one after the other.

    Args:
        store: its name.
        writing: brings one of them to the shop; None: its platform cannot.
        requests_of: all that are made to its shop; None while there is no way to make one.
        outlets: where they lead.
        retry_for: seconds after which one that alone fails is given up.
        clock: seconds since the epoch.
        random: a number from 0 to 1.

    Attributes:
        waiting: what is to be brought to the shop.
    """

    def __init__(
        self,
        store: str,
        *,
        writing: Writing | None,
        requests_of: Callable[[], ShopRequests | None],
        outlets: Outlets,
        retry_for: float,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._store = store
        self._writing = writing
        self._requests_of = requests_of
        self._outlets = outlets
        self._retry_for = retry_for
        self._clock = clock
        self._random = random
        self._news = Notifier()
        self.waiting = WaitingStatements()

    def add(self, key: bytes, said: Statement) -> None:
        """A statement came."""
        self.waiting.add(key, said)
        self._news.notify()

    async def run(self) -> None:
        """Bring what comes to the shop, until cancelled."""
        while True:
            taken = self.waiting.take(self._clock())
            if taken is None:
                due = self.waiting.due()
                await self._news.wait(math.inf if due is None else due - self._clock())
                continue
            try:
                await self._bring(taken)
            except asyncio.CancelledError:
                self.waiting.put_back(taken, self._clock(), failed=False)
                raise

    async def _bring(self, taken: Waiting) -> None:
        loaded = self._outlets.load(self._store, taken.key)
        if loaded is None:  # settled by an earlier owner of the partition, or erased
            self.waiting.settle(taken)
            return
        row, shop_said = loaded
        wrote: list[str] = []
        result = await self._result(row, shop_said, wrote)
        if isinstance(result, Halted):
            given_up = self._verdict(taken, row, result.answer)
            if given_up is None:
                self._again(taken, result.answer)
                return
            result = given_up
        if isinstance(result, Impossible):
            self._say_dead(row, result)
            await self._outlets.buried(taken.key, row, result)
        else:
            await self._outlets.settled(taken.key, row, wrote)
        self._count(row, result)
        self.waiting.settle(taken)

    async def _result(
        self, row: Row, shop_said: Statement | None, wrote: list[str]
    ) -> Outcome | Halted | Impossible:
        writing, requests, said = self._writing, self._requests_of(), row.said
        if writing is None:
            return Impossible("no_write_back", "newsletters cannot be written at shops of this platform")
        if requests is None:
            return Halted(Failed("unreachable"))
        lane = ShopLane.WITHDRAWAL if said.rank[1] else ShopLane.LIVE

        async def ask(request: ApiRequest) -> Answer:
            return await requests.send(request, lane)

        return await writing.bring(Wanted(said.address, said.state, said.at_ms), shop_said, ask, wrote)

    def _verdict(self, taken: Waiting, row: Row, answer: Answer) -> Impossible | None:
        """Why a statement is given up; None while it is tried again."""
        if isinstance(answer, Refused) and taken.attempts + 1 >= REFUSED_TRIES:
            return Impossible("write_refused", f"the shop's API answers {answer.status}")
        now, requests = self._clock(), self._requests_of()
        old = now - row.event.received_ms / 1_000 > self._retry_for
        works = requests is not None and now - requests.worked_at < SHOP_WORKS
        if isinstance(answer, Failed) and old and works:
            return Impossible("write_failed", f"the shop answers others, but not for it: {answer.what}")
        return None

    def _again(self, taken: Waiting, answer: Answer) -> None:
        """Try it later; where the shop wants a pause, `ShopRequests` keeps it."""
        own_fault = isinstance(answer, Failed | Refused)
        seconds = min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(taken.attempts, 20)) if own_fault else 0.0
        if own_fault:
            log.info(
                "store %s: a newsletter statement is not at the shop yet (%s), try %d; again in %.0f s",
                self._store,
                label(answer),
                taken.attempts + 1,
                seconds,
                extra={"event": "consent.again"},
            )
        self.waiting.put_back(taken, self._clock() + seconds * (0.5 + self._random() / 2), failed=own_fault)

    def _say_dead(self, row: Row, why: Impossible) -> None:
        log.warning(
            "store %s: the statement at %s cannot be written at the shop, a dead letter (%s): %s",
            self._store,
            row.place,
            why.reason,
            why.detail,
            extra={"event": "consent.dead"},
        )

    def _count(self, row: Row, result: Outcome | Impossible) -> None:
        outcome = Outcome.DEAD if isinstance(result, Impossible) else result
        state = row.said.state
        SYNC_CONSENTS.labels(self._store, state, outcome).inc()
        if outcome is Outcome.WRITTEN:
            SYNC_CONSENT_SECONDS.labels(state).observe(self._clock() - row.event.received_ms / 1_000)
        if outcome is Outcome.AWAITS:
            log.info(
                "store %s: the statement at %s awaits the person's confirmation, for which the shop asks",
                self._store,
                row.place,
                extra={"event": "consent.awaits"},
            )
