"""Shops that sell while things break, each order told by a webhook as real shops tell it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Self

import httpx

from tests.processes import wait_until
from tests.proof import truth
from tests.proof.running import RunningShop
from tests.shop_bodies import Sent


class TradingShop:
    """A shop that sells; a webhook is sent again until it is answered, and given up where it is refused.

    Args:
        shop: which has what is sold, and whose API lists it.
        seed: of what is bought.

    Attributes:
        tells: whether its webhooks are switched on; what is sold while they are not its API alone knows.
        ahead: seconds by which its clock is ahead.
        answers: how often each status was answered; 0: there was no answer.
    """

    def __init__(self, shop: RunningShop, seed: int) -> None:
        self.shop = shop
        self.tells: Callable[[], bool] = lambda: True
        self.ahead = 0.0
        self.answers: Counter[int] = Counter()
        self._rng = Random(seed)  # noqa: S311 - a shop, not a key
        self._numbers = 1_000_000  # those below are of webhooks that others send
        self._untold: deque[tuple[int, Sent]] = deque()
        self._lock = threading.Lock()

    def sell(self, count: int = 1) -> None:
        """Sell something now."""
        with self._lock:
            placed = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=5)
            sales = [truth.sells(self.shop.shop, self._rng, placed) for _ in range(count)]
            self.shop.holds((sale, "made") for sale in sales)
            for sale in sales if self.tells() else ():
                sent = self.shop.webhook(sale)
                self._numbers += 1
                self._untold.append((self._numbers, sent))

    def sends_half(self) -> int:
        """Send half of what tells one of its orders, once; the status of the answer."""
        self._numbers += 1
        sale = next(iter(self.shop.shop.sales.values()))
        return self.shop.post(self.shop.webhook(sale), self._numbers, cut=True)

    def tell(self) -> None:
        """Send what is not told yet, in order, up to the first that gets no answer or a 5xx."""
        while self._untold:
            number, sent = self._untold[0]
            status = 0
            with contextlib.suppress(httpx.HTTPError):
                status = self.shop.post(sent, number, time.time() + self.ahead)
            self.answers[status] += 1
            if not status or status >= httpx.codes.INTERNAL_SERVER_ERROR:
                return
            self._untold.popleft()

    @property
    def untold(self) -> int:
        """Webhooks that are not answered yet."""
        return len(self._untold)


class Trade:
    """All shops, each in a thread of its own; a context manager.

    Args:
        shops: that sell.
        every: seconds between two orders of a shop.
    """

    def __init__(self, shops: Iterable[RunningShop], every: float) -> None:
        self.shops = {shop.store: TradingShop(shop, number) for number, shop in enumerate(shops)}
        self._every = every
        self._open, self._over = threading.Event(), threading.Event()
        self._idle = {name: threading.Event() for name in self.shops}
        self._threads = [threading.Thread(target=self._work, args=(name,)) for name in self.shops]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def opens(self) -> None:
        """Sell from now on."""
        self._open.set()

    def rests(self, within: float) -> None:
        """Sell no more, and wait until all that was sold is told.

        Raises:
            TimeoutError: it is not.
        """
        self._open.clear()
        for idle in self._idle.values():
            idle.clear()
        wait_until(
            lambda: (
                all(idle.is_set() for idle in self._idle.values())
                and not any(shop.untold for shop in self.shops.values())
            ),
            within,
            every=0.1,
        )

    def _work(self, name: str) -> None:
        shop, idle = self.shops[name], self._idle[name]
        while not self._over.wait(self._every):
            if self._open.is_set():
                shop.sell()
            shop.tell()
            if not self._open.is_set():
                idle.set()
