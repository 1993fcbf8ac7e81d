"""Polls the workers' counts until every record has its receipt."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping

import httpx

from pipeline.demo import totals as account
from pipeline.demo.totals import PipelineTotals

LOOK_SECONDS = 0.5
#: Polls in a row that must find everything at rest: a record between two workers is in neither's figures.
_LOOKS_AT_REST = 3


class SettlementWatch:
    """The account over all workers.

    Args:
        urls: of the processes' HTTP sides.
        note: called with each new state of the counts.
        transport: where requests go; None is the network.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        note: Callable[[PipelineTotals], None],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._urls = urls
        self._note = note
        self._client = httpx.AsyncClient(timeout=5, transport=transport, trust_env=False)
        self._pages: dict[str, str] = {}
        self.account = PipelineTotals()

    async def look(self) -> bool:
        """Read all pages; whether every worker answered. One that does not keeps its last figures."""
        answered = await asyncio.gather(*(self._read(name, url) for name, url in self._urls.items()))
        self.account = account.read(self._pages.values())
        self._note(self.account)
        return all(answered)

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def until_rest(self, kept: Counter[tuple[str, str]], patience: float) -> str:
        """Poll until every event kept is translated and every record settled.

        Args:
            kept: (store, kind) -> events that must have been translated at least.
            patience: seconds without any progress that end the wait.

        Returns:
            Why it ended before; empty where it did not.
        """
        looks, best, since = 0, (-1, -1), time.monotonic()
        while looks < _LOOKS_AT_REST:
            fresh = await self.look()
            short = [row for row, count in kept.items() if self._judged(row) < count]
            looks = looks + 1 if fresh and not short and self.account.is_at_rest else 0
            now = (self.account.received, self.account.settled)
            if now > best:
                best, since = now, time.monotonic()
            elif not looks and time.monotonic() - since > patience:
                still = [] if fresh else ["a process does not answer"]
                still += [f"{self._judged(row)} of {kept[row]} events of {' '.join(row)}" for row in short]
                return f"nothing moved for {patience:g} s: {'; '.join([*still, *self.account.unrest()])}"
            await asyncio.sleep(LOOK_SECONDS)
        return ""

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _judged(self, row: tuple[str, str]) -> int:
        return self.account.events.get(row, Counter()).total()

    async def _read(self, name: str, url: str) -> bool:
        try:
            answer = await self._client.get(f"{url}/metrics")
        except httpx.TransportError:
            return False
        if answer.is_success:
            self._pages[name] = answer.text
        return answer.is_success
