"""The settings of topics while messages are removed from them, and how they come to be as they were.

What they were is written to a file before they are switched. Where that file is lost, or another machine
puts them back, they become those of the table of topics.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO

import orjson

from pipeline import private
from pipeline.config import Settings
from pipeline.kafka.admin import Cluster
from pipeline.kafka.tombstones import WHILE_REMOVING, is_being_removed_from
from pipeline.kafka.topics import table

#: Milliseconds for which a broker keeps the files of segments that it has rewritten: a reader may be in one.
FILE_DELAY_MS = 5_000
_SEGMENT, _FILES = "segment.ms", "file.delete.delay.ms"
_CHANGED = (*WHILE_REMOVING, _SEGMENT, _FILES)

#: Settings that topics have of their own; None: it is the brokers'.
_Own = dict[str, dict[str, str | None]]


class SwitchedTopics:
    """Switches topics, and back; one process of a data directory at a time.

    Args:
        settings: the program's.
        cluster: an admin connection.
        file_delay_ms: see `FILE_DELAY_MS`.

    Attributes:
        directory: where what must outlive the process is kept.

    Raises:
        InUse: another removal runs.
        PipelineError: the data directory cannot be used.
    """

    def __init__(self, settings: Settings, cluster: Cluster, file_delay_ms: int = FILE_DELAY_MS) -> None:
        self.directory = private.directory(settings.data_dir / "removal")
        self._lock: IO[str] | None = private.hold(
            self.directory / "lock", "removing messages from Kafka", "wait until it is done"
        )
        self._file = self.directory / "topics.json"
        self._cluster = cluster
        self._wanted = {topic.name: topic.config for topic in table(settings)}
        self._while = {_FILES: str(file_delay_ms)}
        self._before: _Own = self._read(self._file)

    def close(self) -> None:
        """Let others remove messages."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def left_open(self) -> dict[str, bool]:
        """Topics in which something was begun and not ended; whether they are switched."""
        found = self._cluster.facts(self._wanted).topics
        switched = {name: is_being_removed_from(topic.config) for name, topic in found.items()}
        return {name: is_on for name, is_on in switched.items() if is_on or name in self._before}

    def begin(self, topics: Collection[str]) -> None:
        """Write down what the settings of these topics are, before anything is done about them.

        Raises:
            BrokerError: the cluster does not answer.
        """
        for topic, own in self._cluster.overrides(topics).items():
            if not is_being_removed_from(own):
                self._before[topic] = {name: own.get(name) for name in _CHANGED}
        self._write()

    def switch(self, topics: Collection[str]) -> None:
        """Have the brokers compact these topics.

        Raises:
            BrokerError: the cluster refuses.
        """
        self._cluster.alter({topic: {**WHILE_REMOVING, **self._while} for topic in topics})

    def roll(self, topics: Collection[str], after_ms: int | None) -> None:
        """Have topics begin a new segment with the first message after so long; None: as they did before."""
        segments = {topic: self._was(topic)[_SEGMENT] for topic in topics}
        self._cluster.alter(
            {topic: {_SEGMENT: was if after_ms is None else str(after_ms)} for topic, was in segments.items()}
        )

    def back(self, topics: Collection[str]) -> None:
        """Put the settings back as they were.

        Raises:
            BrokerError: the cluster does not answer, or refuses; to be repeated.
        """
        self._cluster.alter({topic: self._was(topic) for topic in topics})
        for topic in topics:
            self._before.pop(topic, None)
        self._write()

    def _was(self, topic: str) -> Mapping[str, str | None]:
        wanted = self._wanted.get(topic, {})
        return self._before.get(topic) or {name: wanted.get(name) for name in _CHANGED}

    @staticmethod
    def _read(path: Path) -> _Own:
        try:
            found = orjson.loads(path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self) -> None:
        partial = self._file.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(orjson.dumps(self._before))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._file)
