"""The archive's files by their names. Pure.

A name says which offsets its file covers, and its size and digest, so that a listing alone says what is
there: an upload that was cut off has another size than its name, and does not count.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.ranges import OffsetRange

#: Characters of the SHA-256 in a name.
_DIGEST = 16
_NAME = re.compile(
    r"(?P<topic>[A-Za-z0-9._-]+)/partition=(?P<partition>\d+)/day=(?P<day>\d{4}-\d\d-\d\d)/"
    r"(?P<start>\d{20})-(?P<end>\d{20})\.(?P<revision>\d+)\.(?P<size>\d+)\.(?P<digest>[0-9a-f]{16})\.parquet"
)
#: What a file is called while it is written, on disks: begins with a dot, ends with this.
UNFINISHED = ".part"


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file of the archive.

    Attributes:
        place: topic, with the prefix, and partition.
        start, end: offsets that it covers, `end` not included. Compaction may leave gaps between its rows.
        revision: counts how often it was written anew without removed rows; the greatest counts.
        day: of the arrival of its rows, in UTC.
        size: in bytes.
        digest: the beginning of its content's SHA-256.
    """

    place: TopicPartition
    start: int
    end: int
    revision: int
    day: str
    size: int
    digest: str

    @property
    def path(self) -> str:
        """Where it lies in the archive."""
        topic, partition = self.place
        name = f"{self.start:020}-{self.end:020}.{self.revision}.{self.size}.{self.digest}.parquet"
        return f"{topic}/partition={partition}/day={self.day}/{name}"

    def holds(self, content: bytes) -> bool:
        """Whether this is its content, whole and unchanged."""
        return len(content) == self.size and digest_of(content) == self.digest


def named(piece: OffsetRange, day: str, content: bytes, revision: int = 0) -> ArchiveFile:
    """The file that this content of these offsets is to be."""
    size, digest = len(content), digest_of(content)
    return ArchiveFile(piece.place, piece.start, piece.end, revision, day, size, digest)


def digest_of(content: bytes) -> str:
    """As it stands in names."""
    return hashlib.sha256(content).hexdigest()[:_DIGEST]


def parsed(path: str) -> ArchiveFile | None:
    """The file of a path in the archive; None where it is no file of ours."""
    found = _NAME.fullmatch(path)
    if found is None or int(found["end"]) <= int(found["start"]):
        return None
    return ArchiveFile(
        TopicPartition(found["topic"], int(found["partition"])),
        int(found["start"]),
        int(found["end"]),
        int(found["revision"]),
        found["day"],
        int(found["size"]),
        found["digest"],
    )


def day_of(at_ms: int) -> str:
    """The day of an arrival, epoch milliseconds, in UTC."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%Y-%m-%d")


__all__ = ["UNFINISHED", "ArchiveFile", "day_of", "digest_of", "named", "parsed"]
