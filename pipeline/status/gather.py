"""Asks every process once, all at the same time, and puts together what they said. Blocks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import httpx

from pipeline.config import Settings, is_loopback
from pipeline.errors import BrokerError
from pipeline.kafka.topics import DELIVER_APP, SYNC_APP, TRANSLATE_APP
from pipeline.local import addresses
from pipeline.status import series
from pipeline.status.facts import Snapshot
from pipeline.status.places import Place, merged
from pipeline.status.snapshot import ProcessPage, snapshot
from pipeline.workers.directory import WorkerDirectory, WorkerPlace

#: Seconds for one process and for one question to Kafka, and bytes of a page: 500 accounts have 5 MB.
ASK_SECONDS, KAFKA_SECONDS, MOST_BYTES = 3.0, 2.0, 64_000_000
#: Processes asked at once.
AT_ONCE = 16
APPS = (TRANSLATE_APP, DELIVER_APP, SYNC_APP)
#: Who is in a group, or why nobody says so.
_Members = list[WorkerPlace] | None | BrokerError


class Gatherer:
    """Finds the processes and asks them; keeps connections, and nothing that they said. A context manager.

    Args:
        settings: the program's.
        urls: of processes that are in no consumer group, on other machines: gateways above all.
        ask_seconds: for the answer of one process.
        kafka_seconds: for one question to Kafka.
        transport: where questions go; None is the network.
        wall: epoch seconds.
    """

    def __init__(
        self,
        settings: Settings,
        urls: Sequence[str] = (),
        *,
        ask_seconds: float = ASK_SECONDS,
        kafka_seconds: float = KAFKA_SECONDS,
        transport: httpx.BaseTransport | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._urls = tuple(urls)
        self._wall = wall
        self._ask_seconds, self._kafka_seconds = ask_seconds, kafka_seconds
        self._http = httpx.Client(timeout=ask_seconds, transport=transport, trust_env=False)
        self._threads = ThreadPoolExecutor(AT_ONCE, "status")
        self._directory: WorkerDirectory | None = None
        self._finding = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._http.close()

    def gather(self) -> Snapshot:
        """What is known now; whoever does not answer is in it as such."""
        members = {app: self._threads.submit(self._members, app) for app in APPS}
        here = [Place(name, url) for name, url in addresses.read(self._settings.data_dir).items()]
        named = [Place("", url.rstrip("/")) for url in self._urls]
        # Those whose address is known are asked while Kafka says who else there is.
        asked = {place.url: self._threads.submit(self._ask, place) for place in [*here, *named]}
        workers, notes = _found(members)
        places = merged(here, named, workers)
        for place in places:
            if place.url and place.url not in asked:
                asked[place.url] = self._threads.submit(self._ask, place)
        pages = [self._page(place, asked) for place in places]
        if not any(page.name == "gateway" for page in pages):
            notes.append(
                "no gateway is known: those of other machines are named with --process http://host:port"
            )
        return snapshot(self._settings, pages, self._wall(), notes)

    @staticmethod
    def _page(place: Place, asked: dict[str, Future[ProcessPage]]) -> ProcessPage:
        if not place.url:
            return ProcessPage(place.name, "", place.worker, why=place.why)
        page = asked[place.url].result()
        name = page.name or place.name or "process"
        return ProcessPage(name, place.url, place.worker, page.series, page.why)

    def _ask(self, place: Place) -> ProcessPage:
        """Its metrics; and where it is not ready, why."""
        try:
            found = series.read(self._text(f"{place.url}/metrics"))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError) as error:
            return ProcessPage(place.name, place.url, why=self._silence(place.url, error))
        kinds = [labels.get("process", "") for labels, _ in found.of("pipeline_ready")]
        name = place.name or next(iter(kinds), "").removeprefix("pipeline-")
        if found.value("pipeline_ready"):
            return ProcessPage(name, place.url, series=found)
        return ProcessPage(name, place.url, series=found, why=self._why_not_ready(place.url))

    def _why_not_ready(self, url: str) -> str:
        try:
            return self._text(f"{url}/readyz", good=False).strip()[:500]
        except (httpx.HTTPError, ValueError) as error:
            return self._silence(url, error)

    def _text(self, url: str, *, good: bool = True) -> str:
        """A page, within bounds of size and time."""
        until = time.monotonic() + self._ask_seconds
        token = None if is_loopback(url) else self._settings.http_token
        headers = {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}
        with self._http.stream("GET", url, headers=headers) as answer:
            if good and answer.status_code != httpx.codes.OK:
                raise ValueError(f"it answers {answer.status_code}")
            found = bytearray()
            for part in answer.iter_bytes():
                found += part
                if len(found) > MOST_BYTES or time.monotonic() > until:
                    raise ValueError("its answer is too long")
        return found.decode(errors="replace")

    def _silence(self, url: str, error: Exception) -> str:
        if isinstance(error, httpx.TimeoutException):
            return f"{url} has not answered within {self._ask_seconds:g} s"
        if isinstance(error, httpx.HTTPError | httpx.InvalidURL):
            return f"{url} does not answer"
        return f"{url} answers with something else than metrics"

    def _members(self, app: str) -> _Members:
        try:
            with self._finding:  # the groups are asked for at once, by one client
                if self._directory is None:
                    self._directory = WorkerDirectory(self._settings)
            return self._directory.workers(app, self._kafka_seconds)
        except BrokerError as error:
            return error


def _found(members: dict[str, Future[_Members]]) -> tuple[dict[str, list[WorkerPlace] | None], list[str]]:
    """The workers of each stage, None where nobody says who they are; and what could not be asked."""
    workers: dict[str, list[WorkerPlace] | None] = {}
    whys: list[str] = []
    for app, asking in members.items():
        answer = asking.result()
        stage = app.removeprefix("pipeline-")
        if isinstance(answer, BrokerError):
            whys.append(answer.message)
        elif answer is None:
            whys.append("Kafka does not say who is in the consumer groups")
        workers[stage] = answer if isinstance(answer, list) else None
    return workers, list(_once(whys))


def _once(texts: Iterable[str]) -> dict[str, None]:
    return dict.fromkeys(texts)
