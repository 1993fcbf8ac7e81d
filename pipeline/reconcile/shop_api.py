"""The orders that a shop's API lists, asked for through the sync worker that owns the store."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.config import Settings
from pipeline.errors import PipelineError
from pipeline.kafka.topics import SYNC_APP, SYNC_COMMANDS_TOPIC
from pipeline.records import partition_of
from pipeline.sync.listed import ListedOrder
from pipeline.sync.listing import ORDERS_PATH
from pipeline.sync.requests import ADVICE
from pipeline.workers.client import WorkerAnswer, WorkerClient

#: Seconds for which no worker may answer, between two questions then, and for one question.
SILENT, PAUSE, ASK = 60.0, 1.0, 10.0
#: Times that a list is begun anew because its worker is gone.
ANEW = 10
#: What an answer's `trouble` may be that no waiting mends.
HOPELESS = frozenset({"unauthorised", "redirect"})
#: The way out of whatever keeps the shop from being asked.
INSTEAD = "or give its list with --shop FILE; --shop events does without"
_ORDERS = TypeAdapter(list[ListedOrder])

#: Asks the worker: parameters -> answer.
Ask = Callable[[Mapping[str, str]], WorkerAnswer]
#: Told of what is done: how much, of how much; 0 where that is not known.
Progress = Callable[[int, int], object]


class ApiOrders:
    """The list of one store.

    Args:
        store: its name.
        ask: asks the worker that owns it.
        since_ms: orders that changed since then, epoch milliseconds; None: all.
        clock: seconds.
        sleep: waits so many seconds.
        progress: told after each page.
        say: told in words of what is waited for.

    Attributes:
        as_of_ms: the shop's now when the reading began.
        listed: rows that were read.
        dropped: of these, rows that could not be completed.
    """

    def __init__(
        self,
        store: str,
        ask: Ask,
        since_ms: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        progress: Progress = lambda _done, _of: None,
        say: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._store, self._ask, self._since_ms = store, ask, since_ms
        self._clock, self._sleep, self._progress, self._say = clock, sleep, progress, say
        self._anew = 0
        self._said = ""
        self.as_of_ms = 0
        self.listed = self.dropped = 0

    def pages(self) -> Iterator[list[ListedOrder]]:
        """Every order, the newest statement of each last; some may come again.

        Raises:
            PipelineError: no worker answers, or the shop does not.
        """
        reading, number = _name(), 1
        while True:
            found = self._page(reading, number)
            if found is None:
                self._begin_anew()
                reading, number = _name(), 1
                continue
            self.listed, self.dropped = int(found["read"]), int(found["dropped"])
            if number == 1:
                self.as_of_ms = int(found["as_of_ms"])
            self._tell(found)
            yield _orders(found)
            if found["is_last"]:
                return
            number += 1

    def _begin_anew(self) -> None:
        self._anew += 1
        if self._anew > ANEW:
            raise PipelineError(
                f"the worker that lists the orders was lost {self._anew} times",
                store=self._store,
                hint="see the log of `pipeline worker sync`",
            )

    def _page(self, reading: str, number: int) -> Mapping[str, Any] | None:
        """The answer with a page; None where the worker does not have the reading any more."""
        query = {"store": self._store, "reading": reading, "page": str(number)}
        if self._since_ms is not None:
            query["since_ms"] = str(self._since_ms)
        answered = self._clock()
        while True:
            answer = self._ask(query)
            now = self._clock()
            if answer.found is None:
                if answer.error == "gone":
                    return None
                if answer.error != "busy" and now - answered > SILENT:
                    raise PipelineError(
                        f"no sync worker lists the shop's orders: {answer.why}",
                        store=self._store,
                        hint=f"start `pipeline worker sync`, which `pipeline up` does; {INSTEAD}",
                    )
                self._say_once(f"waiting for the sync worker: {answer.why}")
                self._sleep(PAUSE)
                continue
            answered = now
            self._require_hope(answer.found)
            if answer.found.get("is_read"):
                self._said = ""
                return answer.found

    def _require_hope(self, found: Mapping[str, Any]) -> None:
        error, trouble = str(found.get("error") or ""), str(found.get("trouble") or "")
        if error or trouble in HOPELESS:
            why = error or trouble
            raise PipelineError(
                f"the shop's API does not list the orders ({why})",
                store=self._store,
                hint=f"{ADVICE.get(why, 'run it again later')}; {INSTEAD}",
            )
        if trouble:
            self._say_once(f"the shop's API does not answer as it should ({trouble}); it is asked again")

    def _say_once(self, what: str) -> None:
        if what != self._said:
            self._said = what
            self._say(f"{self._store}: {what}")

    def _tell(self, found: Mapping[str, Any]) -> None:
        """Rows of all where the shop counts them, else the time of change that was reached."""
        total, newest_ms = found.get("total"), found.get("newest_ms")
        if total:
            self._progress(min(self.listed, int(total)), int(total))
        elif newest_ms and self._since_ms is not None:
            of = max(1, self.as_of_ms - self._since_ms)
            self._progress(min(of, max(0, int(newest_ms) - self._since_ms)), of)
        else:
            self._progress(self.listed, 0)

    def remarks(self) -> list[str]:
        """What the list lacks, in words; complete once the orders are through."""
        return [f"{self.dropped:,} orders are larger than is read"] if self.dropped else []


def asking(settings: Settings, client: WorkerClient, store: str) -> Ask:
    """Asks the sync worker that owns a store."""
    partition = partition_of(store, settings.kafka.account_partitions)

    def ask(query: Mapping[str, str]) -> WorkerAnswer:
        return client.have(SYNC_APP, SYNC_COMMANDS_TOPIC, partition, ORDERS_PATH, query, ASK)

    return ask


def _orders(found: Mapping[str, Any]) -> list[ListedOrder]:
    try:
        return _ORDERS.validate_python(found["orders"])
    except ValidationError as error:
        raise PipelineError(
            f"the sync worker's list cannot be read ({error.error_count()} fields)",
            hint="it is of another release: restart it",
        ) from None


def _name() -> str:
    return secrets.token_hex(8)


__all__ = ["ApiOrders", "asking"]
