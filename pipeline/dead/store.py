"""Reads dead letters and what was done about them, and writes the latter; the shell around the rules."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress

from pipeline.config import Settings
from pipeline.dead.letter import Letter, LetterId, read
from pipeline.dead.selection import Selection
from pipeline.dead.state import DeadLetterState, LetterStates, LetterStatus
from pipeline.errors import PipelineError
from pipeline.kafka import topics
from pipeline.kafka.errors import TopicMissing
from pipeline.kafka.messages import LibrdkafkaMessage, TopicPartition
from pipeline.kafka.ranges import LostRange, OffsetRange
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config


@dataclass(frozen=True, slots=True)
class Found:
    """A letter with its message and how it stands."""

    letter: Letter
    message: LibrdkafkaMessage
    status: LetterStatus


class DeadLetterReader:
    """Reads the letters under one prefix; a context manager. Blocks.

    Args:
        settings: whose prefix it is.
        console: for progress, where it is a terminal.
        stop: called several times a second; True ends a reading by `Stopped`.

    Attributes:
        states: what was done about them, once `read_states` was called.
        lost: letters that were deleted while they were read.

    Raises:
        BrokerError: Kafka does not answer, or there is no topic of dead letters.
    """

    def __init__(
        self, settings: Settings, console: Console, *, stop: Callable[[], bool] | None = None
    ) -> None:
        self.settings = settings
        self._console = console
        self._stop = stop
        self.lost: list[LostRange] = []
        self._reader = RangeReader(client_config(settings))
        topic = topics.full_name(settings, topics.DEADLETTERS)
        with ExitStack() as opened:
            opened.enter_context(self._reader)
            self._extents = self._reader.offsets.extents(self._reader.offsets.partitions(topic))
            opened.pop_all()
        self.states = LetterStates(
            {place.partition: (extent.low, extent.high) for place, extent in self._extents.items()}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.__exit__(kind, error, trace)

    def read_states(self, keep: LetterId | None = None, *, required: bool = False) -> DeadLetterState | None:
        """Fold what was done about letters so far; returns the row of one of them.

        Raises:
            TopicMissing: nothing could be written down of what is done now, and `required` says that it must.
        """
        topic = topics.full_name(self.settings, topics.DEADLETTER_STATES)
        found: DeadLetterState | None = None
        try:
            ranges = self._reader.ranges(topic)
        except TopicMissing as missing:
            if required:
                prefix = self.settings.kafka.topic_prefix
                missing.hint = f'make it by `pipeline topics` with kafka.topic_prefix = "{prefix}"'
                raise
            return None  # nothing was done yet
        with self._progress(f"reading {topic}", ranges) as batches:
            for message in batches:
                row = self.states.add(message.key, message.value)
                if row is not None and keep is not None and message.key == str(keep).encode():
                    found = row
        return found

    def letters(self, selection: Selection, what: str = "reading dead letters") -> Iterator[Found]:
        """The letters that are meant, partition by partition as they come."""
        with self._progress(what, self._ranges(selection)) as messages:
            for message in messages:
                letter = read(LetterId(message.partition, message.offset), message.timestamp, message.headers)
                if selection.matches(letter):
                    yield Found(letter, message, self.states.status(letter))

    def letter_and_row(self, place: LetterId) -> tuple[Found, DeadLetterState | None]:
        """One letter, and what was last done about it.

        Raises:
            PipelineError: there is none (any more).
        """
        if self._holds(place):
            row = self.read_states(keep=place)
            found = next(self.letters(Selection(ids=frozenset({place})), f"reading {place}"), None)
            if found is not None:
                return found, row
        days = self.settings.kafka.dead_retention_days
        raise PipelineError(
            f"there is no dead letter {place} (any more)",
            hint=f"they are kept for {days} days; `pipeline dead list --each` lists ids",
        )

    def missing(self, ids: Iterable[LetterId]) -> list[LetterId]:
        """Which of these are beyond what the topic holds."""
        return [place for place in ids if not self._holds(place)]

    def _holds(self, place: LetterId) -> bool:
        topic = topics.full_name(self.settings, topics.DEADLETTERS)
        extent = self._extents.get(TopicPartition(topic, place.partition))
        return extent is not None and extent.low <= place.offset < extent.high

    def _ranges(self, selection: Selection) -> list[OffsetRange]:
        """As little as holds the letters that are meant, up to the ends there were at the beginning."""
        since = self._times(selection.since_ms)
        until = self._times(selection.until_ms)
        found: list[OffsetRange] = []
        for place, extent in sorted(self._extents.items()):
            start = since.get(place, extent.low)
            end = until.get(place, extent.high)
            if selection.ids:
                mine = [one.offset for one in selection.ids if one.partition == place.partition]
                start, end = max(start, min(mine, default=end)), min(end, max(mine, default=-1) + 1)
            if max(start, extent.low) < min(end, extent.high):
                found.append(OffsetRange(place, max(start, extent.low), min(end, extent.high)))
        return found

    def _times(self, at_ms: int | None) -> Mapping[TopicPartition, int]:
        if at_ms is None:
            return {}
        found = self._reader.offsets.since(self._extents, at_ms)
        return {
            place: self._extents[place].high if offset is None else offset for place, offset in found.items()
        }

    @contextmanager
    def _progress(self, what: str, ranges: list[OffsetRange]) -> Iterator[Iterator[LibrdkafkaMessage]]:
        """The messages of some ranges, with a bar and the time that is left, for a terminal."""
        with Progress(console=self._console, disable=not self._console.is_terminal, transient=True) as bar:
            task = bar.add_task(what, total=sum(map(len, ranges)))
            batches = self._reader.read(
                ranges,
                progress=lambda done, _: bar.update(task, completed=done),
                stop=self._stop,
                on_lost=self.lost.append,
            )
            # One at a time: a batch has up to 10,000, and a letter has a dozen headers.
            yield (LibrdkafkaMessage.of(raw) for batch in batches for raw in batch.raw)


def whoever() -> str:
    """Who runs this, as the system knows them."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"
