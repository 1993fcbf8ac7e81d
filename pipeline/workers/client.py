"""Asks the worker that holds a partition, and says of whoever does not answer that it did not."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from pydantic import SecretStr

from pipeline.config import Settings, is_loopback
from pipeline.errors import BrokerError
from pipeline.http_access import ACTION
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.topics import full_name
from pipeline.workers.directory import WorkerDirectory, WorkerPlace

#: Seconds for one question to a worker and for one to Kafka, and bytes of an answer.
ASK_SECONDS, KAFKA_SECONDS, MOST_BYTES = 2.0, 3.0, 16_000_000
#: The status of a worker that does not hold the partition.
ELSEWHERE = 421


@dataclass(frozen=True, slots=True)
class WorkerAnswer:
    """What came of a question.

    Attributes:
        found: the answer; None where there was none.
        worker: which worker was asked last; empty where none was.
        why: why there is no answer, in words.
        error: the same, as one of a bounded set of words.
        more: what the worker said besides.
    """

    found: Mapping[str, Any] | None
    worker: str = ""
    why: str = ""
    error: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


class WorkerClient:
    """Asks workers. Blocks. What is learnt of the group is kept for as long as this lives: a command.

    Args:
        settings: where Kafka is, and the token; None: only addresses that are named can be asked.
        transport: where questions go; None is the network.
    """

    def __init__(self, settings: Settings | None, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        self._token: SecretStr | None = settings.http_token if settings is not None else None
        self._http = httpx.Client(timeout=ASK_SECONDS, transport=transport, trust_env=False)
        self._directory: WorkerDirectory | None = None
        self._workers: dict[str, list[WorkerPlace] | None] = {}

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(
        self, app_id: str, topic: str, partition: int, path: str, query: Mapping[str, str]
    ) -> WorkerAnswer:
        """Ask the worker of a stage that holds a partition.

        Args:
            app_id: the stage's.
            topic: of the partition; without the prefix.
            partition: its number.
            path: of the page.
            query: its parameters.
        """
        owner = self._owner(app_id, topic, partition)
        if isinstance(owner, WorkerAnswer):
            return owner
        return self.ask_at(owner.url, path, query, name=owner.name)

    def have(  # noqa: PLR0917 - as `ask`
        self, app_id: str, topic: str, partition: int, path: str, query: Mapping[str, str], seconds: float
    ) -> WorkerAnswer:
        """Have the worker of a stage that holds a partition do something.

        After a failure Kafka is asked anew who holds it.

        Args:
            app_id: the stage's.
            topic: of the partition; without the prefix.
            partition: its number.
            path: of the action.
            query: its parameters.
            seconds: for its answer.
        """
        owner = self._owner(app_id, topic, partition)
        if isinstance(owner, WorkerAnswer):
            self._workers.pop(app_id, None)
            return owner
        answer = self.act(owner.url, path, query, seconds)
        if answer.found is not None and answer.worker != owner.name:
            answer = _another(owner.url, answer.worker, owner.name)
        if answer.found is None:
            self._workers.pop(app_id, None)
        return answer

    def _owner(self, app_id: str, topic: str, partition: int) -> WorkerPlace | WorkerAnswer:
        """The worker that holds a partition; an answer that says why there is none."""
        stage = app_id.removeprefix("pipeline-")
        try:
            workers = self._known(app_id)
        except BrokerError as error:
            return WorkerAnswer(None, why=error.message, error="no_kafka")
        if workers is None:
            return WorkerAnswer(
                None, why=f"Kafka does not say who is in the group {app_id}", error="no_kafka"
            )
        if not workers:
            return WorkerAnswer(None, why=f"no {stage} worker runs", error="no_worker")
        place = TopicPartition(full_name(self._settings, topic), partition) if self._settings else None
        owner = next((worker for worker in workers if place in worker.partitions), None)
        if owner is None:
            why = (
                f"no {stage} worker holds partition {partition} of {topic}: the group is giving them out anew"
            )
            self._workers.pop(app_id, None)
            return WorkerAnswer(None, why=why, error="no_owner")
        if not owner.url:
            why = (
                f"{stage} worker {owner.name} does not say where its HTTP side is: it is of an older release"
            )
            return WorkerAnswer(None, owner.name, why, "no_address")
        return owner

    def ask_at(self, url: str, path: str, query: Mapping[str, str], *, name: str = "") -> WorkerAnswer:
        """Ask the worker at an address, and the one that it names where it does not hold the partition.

        Args:
            url: of its HTTP side.
            path: of the page.
            query: its parameters.
            name: the worker that is meant: the answer of another one counts for nothing.
        """
        answer, owner = self._get(url, path, query, name)
        if owner is not None and owner.url and owner.url != url:
            answer, _ = self._get(owner.url, path, query, owner.name)
        return answer

    def act(self, url: str, path: str, query: Mapping[str, str], seconds: float) -> WorkerAnswer:
        """Have the worker at an address do something, which may take so many seconds.

        Args:
            url: of its HTTP side; empty where it does not say.
            path: of the action.
            query: its parameters.
            seconds: for its answer.
        """
        if not url:
            return WorkerAnswer(None, why="it does not say where its HTTP side is", error="no_address")
        headers = {ACTION: "1"}
        if self._token is not None and not is_loopback(url):
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        try:
            address = f"{url.rstrip('/')}{path}"
            answer = self._http.post(address, params=query, headers=headers, timeout=seconds)
            body = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return WorkerAnswer(None, why=_silence(url, error, seconds), error="no_answer")
        if answer.status_code == httpx.codes.OK and isinstance(body, dict):
            return WorkerAnswer(body, str(body.get("worker", "")))
        said = body if isinstance(body, dict) else {}
        why = f"{url} answers {answer.status_code}: {str(said.get('detail') or 'no reason')[:500]}"
        return WorkerAnswer(None, why=why, error=str(said.get("error") or "refused")[:100])

    def _known(self, app_id: str) -> list[WorkerPlace] | None:
        if self._settings is None:
            return None
        if self._directory is None:
            self._directory = WorkerDirectory(self._settings)
        if app_id not in self._workers:
            self._workers[app_id] = self._directory.workers(app_id, KAFKA_SECONDS)
        return self._workers[app_id]

    def _get(
        self, url: str, path: str, query: Mapping[str, str], name: str
    ) -> tuple[WorkerAnswer, WorkerPlace | None]:
        headers = {}
        # This machine's workers ask for none, and whoever else listens here is to have none.
        if self._token is not None and not is_loopback(url):
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        try:
            status, body = self._read(f"{url.rstrip('/')}{path}", query, headers)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return WorkerAnswer(None, name, _silence(url, error), "no_answer"), None
        said = str(body.get("worker", ""))
        if status == httpx.codes.OK and (not name or said == name):
            return WorkerAnswer(body, said), None
        if status == httpx.codes.OK:
            return _another(url, said, name), None
        why = f"{url} answers {status}: {str(body.get('detail') or body.get('hint') or 'no reason')[:500]}"
        answer = WorkerAnswer(None, name or said, why, str(body.get("error") or "refused")[:100], body)
        owner = body.get("owner")
        if status == ELSEWHERE and isinstance(owner, Mapping):
            place = WorkerPlace(str(owner.get("worker", "")), str(owner.get("url", "")))
            if urlsplit(place.url).scheme == "http":
                return answer, place
        return answer, None

    def _read(
        self, url: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON, within bounds of size and time."""
        until = time.monotonic() + ASK_SECONDS
        with self._http.stream("GET", url, params=query, headers=headers) as answer:
            found = bytearray()
            for part in answer.iter_bytes():
                found += part
                if len(found) > MOST_BYTES or time.monotonic() > until:
                    raise ValueError("its answer is too long")
        body = orjson.loads(found)
        if not isinstance(body, dict):
            raise ValueError("its answer is no object")  # noqa: TRY004 - as where it is no JSON
        return answer.status_code, body


def _another(url: str, worker: str, name: str) -> WorkerAnswer:
    why = f"{url} is worker {worker or 'unknown'}, not {name}: ask on the machine it runs on"
    return WorkerAnswer(None, name, why, "another_worker")


def _silence(url: str, error: Exception, seconds: float = ASK_SECONDS) -> str:
    if isinstance(error, httpx.TimeoutException):
        return f"{url} has not answered within {seconds:g} s"
    if isinstance(error, httpx.HTTPError):
        return f"{url} does not answer"
    return f"{url} answers with something else"
