"""Requests as they lie on `erase.requests`: of each the newest rows, whoever wrote them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from pipeline.config import Settings
from pipeline.erase.found import Found
from pipeline.errors import PipelineError
from pipeline.kafka.erase_requests import PARTITION, TOPIC, Asked, Progress, RequestStatus, key_of
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import full_name

#: Requests that nothing remains to be done about.
ENDED = frozenset({RequestStatus.DONE, RequestStatus.DROPPED})


@dataclass(slots=True)
class Request:
    """One request.

    Attributes:
        asked: what is asked for.
        progress: how far it is.
        found: the rows of what was found, by their keys.
    """

    asked: Asked
    progress: Progress
    found: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether nothing remains to be done."""
        return self.progress.status in ENDED

    def is_overdue(self, now_ms: int) -> bool:
        """Whether its days are over, and it is not done."""
        return not self.is_over and now_ms > self.asked.due_ms

    def what_was_found(self) -> Found | None:
        """What is to be removed; None where it was not looked for to the end, or cannot be read."""
        if not self.found or self.progress.status is not RequestStatus.WORKING:
            return None
        try:
            return Found.of_rows(self.found.values())
        except (ValueError, TypeError, LookupError):
            return None


class Requests:
    """Reads and writes requests; a context manager. Blocks.

    Args:
        settings: the program's.
    """

    def __init__(self, settings: Settings) -> None:
        config = client_config(settings)
        self.place = TopicPartition(full_name(settings, TOPIC), PARTITION)
        self._reader = RangeReader(config)
        self._producer = Producer(config, max_message_bytes=settings.kafka.max_message_bytes, linger_ms=1)
        self._next = 0
        self._asked: dict[str, Asked] = {}
        self._progress: dict[str, Progress] = {}
        self._found: dict[str, dict[bytes, bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.__exit__(kind, error, trace)
        self._producer.close()

    def read(self) -> dict[str, Request]:
        """Every request, the oldest first, as they are now."""
        ranges = self._reader.ranges(self.place.topic, start={self.place: self._next})
        for batch in self._reader.read(ranges, on_lost=lambda _: None):
            for message in batch.messages():
                self._take(message.key or b"", message.value)
            self._next = batch.next
        found = {
            name: Request(asked, self._progress.get(name) or Progress(id=name), self._found.get(name, {}))
            for name, asked in self._asked.items()
        }
        return dict(sorted(found.items(), key=lambda item: item[1].asked.asked_ms))

    def get(self, name: str) -> Request:
        """One request.

        Raises:
            PipelineError: there is none of that id.
        """
        found = self.read().get(name)
        if found is None:
            raise PipelineError(f"there is no request {name!r}", hint="`pipeline erase list` shows all")
        return found

    def ask(self, asked: Asked) -> Request:
        """Write down what is asked for; returns once it is confirmed."""
        self._write(asked.id, "asked", asked.model_dump_json().encode())
        return self.get(asked.id)

    def advance(self, request: Request, **changes: object) -> None:
        """Write down how far a request is; returns once it is confirmed."""
        request.progress = request.progress.model_copy(update={**changes, "changed_ms": now_ms()})
        self._write(request.asked.id, "progress", request.progress.model_dump_json().encode())

    def name_nobody(self, request: Request) -> None:
        """Take the person out of what was asked for."""
        request.asked = request.asked.model_copy(update={"email": "", "customer": ""})
        self._write(request.asked.id, "asked", request.asked.model_dump_json().encode())

    def keep_found(self, request: Request, found: Found) -> None:
        """Keep what was found; returns once it is confirmed."""
        # Rows of before stay: a kill halfway leaves these whole, and what is there twice does no harm.
        known = len(request.found)
        rows = {
            key_of(request.asked.id, f"found-{request.progress.tries}-{known + number:06}"): row
            for number, row in enumerate(found.rows())
        }
        self._producer.send_all(Outgoing(self.place.topic, row, key, PARTITION) for key, row in rows.items())
        request.found |= rows

    def _write(self, name: str, row: str, value: bytes) -> None:
        self._producer.send_all([Outgoing(self.place.topic, value, key_of(name, row), PARTITION)])

    def _take(self, key: bytes, value: bytes | None) -> None:
        name, bar, row = key.decode(errors="replace").rpartition("|")
        if not bar:
            return
        if row.startswith("found-"):
            rows = self._found.setdefault(name, {})
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
            return
        try:
            if row == "asked" and value:
                self._asked[name] = Asked.model_validate_json(value)
            elif row == "progress" and value:
                self._progress[name] = Progress.model_validate_json(value)
        except ValidationError:
            return  # of another release


def now_ms() -> int:
    """Epoch milliseconds."""
    return int(time.time() * 1_000)
