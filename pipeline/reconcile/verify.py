"""Asks Connectif for purchases one by one, within what the account's other calls leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import islice
from typing import NamedTuple

from pipeline.config_accounts import AccountSettings
from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.errors import PipelineError
from pipeline.spare_calls import SpareCalls

#: Times that one purchase is asked for while there is no answer, and seconds before the second time.
TRIES, PAUSE = 5, 1.0
#: Purchases without an answer in a row, after which it is given up: Connectif is away.
AWAY = 20
#: Calls at once.
AT_ONCE = 4


class Verified(NamedTuple):
    """What Connectif said of a purchase; `found` is None where it gave no answer."""

    id: str
    found: bool | None
    total: Decimal | None


def seconds_needed(count: int, per_minute: int, account: AccountSettings) -> float:
    """How long so many purchases take, if others leave the calls."""
    return max(0, -(-count // per_minute) - 1) * account.window_seconds


class Verifier:
    """See the module.

    Args:
        name: the account's.
        account: its settings.
        per_minute: calls a minute at most.
        timeout: seconds of a call.
        progress: told how many are asked for.
    """

    def __init__(
        self,
        name: str,
        account: AccountSettings,
        per_minute: int,
        *,
        timeout: float,
        progress: Callable[[int], object] = lambda _done: None,
    ) -> None:
        self._name, self._account, self._timeout = name, account, timeout
        self._spare = SpareCalls(name, account, per_minute, "read purchases")
        self._progress = progress
        self._unanswered = 0
        self.done = 0

    @property
    def calls(self) -> int:
        """How many were made."""
        return self._spare.made

    def run(self, purchase_ids: Iterable[str], put: Callable[[list[Verified]], object]) -> None:
        """Ask for each, and hand on what was said.

        Raises:
            PipelineError: the key is not allowed to read purchases, or Connectif is away.
        """
        ids = iter(purchase_ids)
        asyncio.run(self._all(ids, put))

    async def _all(self, ids: Iterator[str], put: Callable[[list[Verified]], object]) -> None:
        async with ConnectifClient(self._name, self._account, timeout=self._timeout) as client:
            while batch := list(islice(ids, AT_ONCE)):
                found = await asyncio.gather(*(self._one(client, purchase_id) for purchase_id in batch))
                put(list(found))
                self.done += len(found)
                self._progress(self.done)
                if self._unanswered >= AWAY:
                    raise PipelineError(
                        f"Connectif gave no answer for {self._unanswered} purchases in a row",
                        store=self._name,
                        hint="see whether it can be reached; what was asked before is in the report",
                    )

    async def _one(self, client: ConnectifClient, purchase_id: str) -> Verified:
        for attempt in range(1, TRIES + 1):
            answer = await self._spare.call(lambda: client.get_purchase(purchase_id))
            if answer.kind in {AnswerKind.OK, AnswerKind.CREATED, AnswerKind.ABSENT}:
                self._unanswered = 0
                return Verified(purchase_id, answer.kind is not AnswerKind.ABSENT, _total(answer))
            await asyncio.sleep(PAUSE * 2**attempt if attempt < TRIES else 0)
        self._unanswered += 1
        return Verified(purchase_id, None, None)


def _total(answer: Answer) -> Decimal | None:
    """What Connectif holds as the total; None where it does not say."""
    body = answer.body
    total = body.get("totalPrice") if isinstance(body, dict) else None
    if isinstance(total, int | Decimal) and not isinstance(total, bool):
        amount = Decimal(total)
        return amount if amount.is_finite() else None
    return None
