"""Messages of version 0.2 and before, whose keys are shared: compaction would keep the newest of each alone.

The embedded broker is told that what lies there is compacted already, by the file in which it keeps that. It
then looks for older messages only of the keys that come after, which are those of the tombstones. No client
can tell another cluster so: there the caller decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import orjson

from pipeline.errors import BrokerError
from pipeline.kafka.keys import entity_key
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.ranges import OffsetRange, clamped
from pipeline.kafka.reader import RangeReader

#: First line of the file, and what it is called.
_VERSION, _NAME = "0", "cleaner-offset-checkpoint"
_FIELDS = 3


class SharedKeys(BrokerError):  # noqa: N818 - a fact
    """A topic holds messages of earlier versions that would be lost; nothing was done."""


class EarlierKeys:
    """Looks for messages that share keys, and remembers up to where there were none of earlier versions.

    Args:
        directory: for that memory; without it, all is looked through again.
    """

    def __init__(self, directory: Path) -> None:
        self._file = directory / "own-keys.json"
        self._own = self._read()

    def shared(
        self, reader: RangeReader, topics: Collection[str], keep: Collection[bytes]
    ) -> list[TopicPartition]:
        """The partitions in which messages share a key that is not one to be removed.

        Reads each only up to the first of them. Messages without a key go in any compaction.

        Args:
            reader: of the cluster.
            topics: histories, by their full names.
            keep: keys whose sharing does no harm.
        """
        places = reader.offsets.partitions(*topics) if topics else []
        starts = {place: self._own.get(f"{place.topic} {place.partition}") for place in places}
        ranges = clamped(reader.offsets.extents(places), starts)
        found = [one.place for one in ranges if self._is_shared(reader, one, keep)]
        self._write()
        return found

    def _is_shared(self, reader: RangeReader, one: OffsetRange, keep: Collection[bytes]) -> bool:
        seen: set[int] = set()
        own = True
        for batch in reader.read([one], on_lost=lambda _: None):
            for message in batch.raw:
                key = message.key()
                if key is None or entity_key(key) is not key or key in keep:
                    continue
                own = False
                known = len(seen)
                seen.add(hash(key))
                if len(seen) == known:
                    return True
            if own:
                self._own[f"{one.place.topic} {one.place.partition}"] = batch.next
        return False

    def _read(self) -> dict[str, int]:
        try:
            found = orjson.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self) -> None:
        partial = self._file.with_suffix(".partial")
        partial.write_bytes(orjson.dumps(self._own))
        partial.replace(self._file)


def checkpoint_files(data_dir: Path) -> list[Path]:
    """The files of the embedded brokers of a data directory."""
    return sorted((data_dir / "kafka").glob(f"broker-*/log/{_NAME}"))


def count_as_compacted(files: Iterable[Path], ends: Mapping[TopicPartition, int]) -> None:
    """Have embedded brokers take partitions for compacted up to these offsets.

    A broker reads the file whenever it looks for something to compact, and replaces it after it has.

    Args:
        files: of all brokers.
        ends: of the partitions; one that is further already stays so.

    Raises:
        BrokerError: a file is of another form.
    """
    for file in files:
        known = _read(file)
        for place, end in ends.items():
            known[place] = max(end, known.get(place, 0))
        partial = file.with_suffix(".partial")
        lines = [f"{topic} {partition} {offset}" for (topic, partition), offset in known.items()]
        partial.write_text("\n".join([_VERSION, str(len(known)), *lines, ""]), encoding="utf-8")
        partial.replace(file)


def are_compacted(files: Iterable[Path], ends: Mapping[TopicPartition, int]) -> bool:
    """Whether all brokers take the partitions for compacted up to there."""
    return all(_read(file).get(place, 0) >= end for file in files for place, end in ends.items())


def _read(file: Path) -> dict[TopicPartition, int]:
    # Before it has compacted anything, it is empty.
    version, _, *rows = file.read_text(encoding="utf-8").splitlines() or [_VERSION, "0"]
    parts = [row.rsplit(" ", 2) for row in rows if row]
    if version != _VERSION or not all(len(part) == _FIELDS and part[2].isdecimal() for part in parts):
        raise BrokerError(f"{file} is of another form than this version of Kafka has")
    return {TopicPartition(topic, int(number)): int(offset) for topic, number, offset in parts}


__all__ = ["EarlierKeys", "SharedKeys", "are_compacted", "checkpoint_files", "count_as_compacted"]
