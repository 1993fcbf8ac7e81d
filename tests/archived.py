"""Messages and files of an archive for tests: without a Kafka."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipeline import config
from pipeline.archive.files import Archive
from pipeline.archive.layout import ArchiveFile, day_of, named
from pipeline.archive.parquet import FileContent
from pipeline.kafka.messages import LibrdkafkaMessage, TopicPartition
from pipeline.kafka.ranges import OffsetRange

PLACE = TopicPartition("shop.orders", 0)
#: 2026-11-30, 10:00 in UTC.
TEN_O_CLOCK = 1_796_032_800_000
DAY = "2026-11-30"


def message(offset: int, *, body: bytes | None = b"{}", at_ms: int = TEN_O_CLOCK) -> LibrdkafkaMessage:
    """An order's event."""
    headers = [("pipeline-store", b"acme-es"), ("x-shop", None)]
    key = b"acme-es|order|%d" % offset
    return LibrdkafkaMessage(PLACE.topic, PLACE.partition, offset, at_ms, key, body, headers)


def content_of(messages: Iterable[LibrdkafkaMessage]) -> bytes:
    """The content of a file with these messages."""
    content = FileContent(PLACE)
    for one in messages:
        content.add(one)
    return content.finish()


def file(start: int, end: int, revision: int = 0, digest: str = "0" * 16) -> ArchiveFile:
    """A file by its name alone."""
    return ArchiveFile(PLACE, start, end, revision, DAY, 4, digest)


def archive_in(directory: Path, url: str = "") -> Archive:
    """An archive of a test's own: on disk, where no address is given."""
    tree = {
        "data_dir": str(directory / "data"),
        "archive": {"url": url or (directory / "archive").as_uri()},
    }
    return Archive(config.parse(tree, {}))


def written(archive: Archive, start: int, end: int, at_ms: int = TEN_O_CLOCK) -> ArchiveFile:
    """A file of the archive with a message at each of these offsets."""
    content = content_of(message(offset, at_ms=at_ms) for offset in range(start, end))
    found = named(OffsetRange(PLACE, start, end), day_of(at_ms), content)
    archive.storage.write(found.path, content)
    return found


def offsets_in(archive: Archive, start: int = 0, end: int = 2**62) -> list[int]:
    """The offsets of a partition that can be read, as they are read."""
    archive.listing()
    return [
        row.offset()
        for piece in archive.coverage(PLACE).pieces(start, end)
        if piece.file is not None
        for rows in archive.messages(piece.file, piece.start, piece.end)
        for row in rows
    ]
