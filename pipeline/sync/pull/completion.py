"""Completes the rows of a page: asks for what their list does not say, in as many rounds as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import NamedTuple

from pipeline.shops.api import FETCHED, FOUND, MAX_DOCUMENTS, ApiRequest, documents_in, without
from pipeline.shops.base import StoreContext
from pipeline.shops.pull import PulledRow, PullPage, PullPass, ShopPull, completed
from pipeline.shops.settings import StoreSettings
from pipeline.sync.answers import Found, Missing, Refused
from pipeline.sync.lanes import ShopLane
from pipeline.sync.requests import ShopRequests

#: Tries of one request, so that one that fails costs no whole page.
TRIES = 3

Asked = list[tuple[str, int, bytes]]


class Completed(NamedTuple):
    """Rows with what belongs to them.

    Attributes:
        rows: complete, in the page's order.
        requests: that it took.
        dropped: rows that need more documents than one event may hold, or one that the shop refuses to give.
    """

    rows: list[PulledRow]
    requests: int = 0
    dropped: int = 0


class Completion:
    """Completes the rows of one store.

    Args:
        store: as its platform's functions see it; None: `ShopPull.needs` is not asked.
        pull: the platform's.
        withheld: fields whose texts are not kept.
        requests: all that are made to the shop.
    """

    def __init__(
        self,
        store: StoreContext | None,
        pull: ShopPull[StoreSettings],
        withheld: Sequence[str],
        requests: ShopRequests,
    ) -> None:
        self._store = store
        self._pull = pull
        self._withheld = withheld
        self._requests = requests

    async def complete(
        self, page: PullPage, reads: PullPass, lane: ShopLane, ends: Callable[[], bool]
    ) -> Completed | None:
        """The rows of a page; None where requests failed, all were refused, or `ends` says to stop.

        As many rows at once as the shop stands requests: one after the other would take the shop's time for
        each, and leave its limit unused.
        """
        first, left = dict(page.lookups), iter(enumerate(page.rows))
        found: dict[int, tuple[PulledRow | None, int]] = {}
        failed = False

        def stops() -> bool:
            return failed or ends()

        async def work() -> None:
            nonlocal failed
            for place, row in left:
                whole = await self._whole(row, first.get(place, ()), reads, lane, stops)
                if whole is None:
                    failed = True
                    return
                found[place] = whole

        async with asyncio.TaskGroup() as group:
            for _ in range(self._requests.parallel):
                group.create_task(work())
        if failed:
            return None
        rows = [row for place in range(len(page.rows)) if (row := found[place][0]) is not None]
        if not rows and len(found) > 1:
            return None  # no row alone is refused: the list is at fault
        requests = sum(asked for _, asked in found.values())
        return Completed(rows, requests, len(found) - len(rows))

    async def _whole(
        self,
        row: PulledRow,
        first: Sequence[str],
        reads: PullPass,
        lane: ShopLane,
        ends: Callable[[], bool],
    ) -> tuple[PulledRow | None, int] | None:
        """The row, None where it cannot be completed, and how many requests it took."""
        wanted, requests = list(first) or self._needed(row, reads), 0
        while wanted:
            if requests + len(wanted) > MAX_DOCUMENTS:
                return None, requests
            answers: Asked = []
            for path in wanted:
                answer = await self._answer(path, lane, ends)
                if answer is None:
                    return None
                if isinstance(answer, Refused):
                    return None, requests + len(answers) + 1
                answers.append(answer)
            row, requests = completed(row, answers), requests + len(answers)
            wanted = self._needed(row, reads)
        return row, requests

    def _needed(self, row: PulledRow, reads: PullPass) -> list[str]:
        """What must still be asked, given the documents that the row has."""
        needs = self._pull.needs
        light = reads in {PullPass.CONSENT, PullPass.PRESENT}
        if needs is None or self._store is None or light or not row.topic.startswith(FETCHED):
            return []
        documents = documents_in(row.body) if row.body else {}
        return [path for path in needs(row, documents, self._store) if path not in documents]

    async def _answer(
        self, path: str, lane: ShopLane, ends: Callable[[], bool]
    ) -> tuple[str, int, bytes] | Refused | None:
        """What a path says; `Refused` where this one alone is: a right that is missing concerns all rows."""
        for _ in range(TRIES):
            if ends():
                return None
            answer = await self._requests.send(ApiRequest(path), lane)
            match answer:
                case Found(body):
                    return path, FOUND, without(body, self._withheld)
                case Missing(status):
                    return path, status, b""
                case Refused(status) if status != HTTPStatus.FORBIDDEN:
                    return answer
                case _:
                    continue
        return None
