"""Messages as Parquet: offset, arrival, key, headers and body, compressed by zstd."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import PipelineError
from pipeline.kafka.messages import LibrdkafkaMessage, TopicPartition

#: Bytes of keys, headers and bodies of one row group: what a reader holds at once.
GROUP_BYTES = 8 * 1024 * 1024
#: Of zstd: higher ones take much longer for little (benchmarks/RESULTS.md).
LEVEL = 3
#: What a row costs besides its bytes, about.
_ROW_BYTES = 64
#: Only of these: a statistic of a column is some of its values, in clear.
_STATISTICS = ["offset", "arrival"]
SCHEMA = pa.schema(
    [
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("arrival", pa.timestamp("ms", tz="UTC"), nullable=False),
        pa.field("key", pa.binary()),
        pa.field("headers", pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))),
        pa.field("body", pa.binary()),
    ]
)


class ArchivedMessage:
    """A message of the archive, with the methods that the client's own messages have."""

    __slots__ = ("_batch", "_key", "_offset", "_place", "_row")

    def __init__(self, place: TopicPartition, batch: Any, row: int, offset: int, key: bytes | None) -> None:
        self._place = place
        self._batch = batch
        self._row = row
        self._offset = offset
        self._key = key

    def topic(self) -> str:
        """Its full name, with the prefix."""
        return self._place.topic

    def partition(self) -> int:
        """As it was in Kafka."""
        return self._place.partition

    def offset(self) -> int:
        """As it was in Kafka."""
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        """The kind of it, which is the brokers' (2), and epoch milliseconds."""
        return 2, self._batch.column(1)[self._row].value

    def key(self) -> bytes | None:
        """As it was in Kafka."""
        return self._key

    def headers(self) -> list[tuple[str, bytes | None]]:
        """As they were in Kafka."""
        return [(pair["name"], pair["value"]) for pair in self._batch.column(3)[self._row].as_py()]

    def value(self) -> bytes | None:
        """The body."""
        body: bytes | None = self._batch.column(4)[self._row].as_py()
        return body

    def error(self) -> None:
        """It is a message."""


class FileContent:
    """The content of one file, as it grows.

    Args:
        place: where its messages are from; stands in the file for those who find it elsewhere.

    Attributes:
        rows: so many messages.
        raw_bytes: of their keys, headers and bodies.
    """

    def __init__(self, place: TopicPartition) -> None:
        named = {"pipeline.topic": place.topic, "pipeline.partition": str(place.partition)}
        self._sink = pa.BufferOutputStream()
        self._writer = pq.ParquetWriter(
            self._sink,
            SCHEMA.with_metadata(named),
            compression="zstd",
            compression_level=LEVEL,
            use_dictionary=False,
            write_statistics=_STATISTICS,
        )
        self._columns: tuple[list[Any], ...] = ([], [], [], [], [])
        self._group_bytes = 0
        self.rows = self.raw_bytes = 0

    def add(self, message: LibrdkafkaMessage) -> None:
        """Append a message; offsets ascend."""
        values = (message.offset, message.timestamp, message.key, message.headers, message.value)
        for column, value in zip(self._columns, values, strict=True):
            column.append(value)
        size = size_of(message)
        self.rows, self.raw_bytes, self._group_bytes = (
            self.rows + 1,
            self.raw_bytes + size,
            self._group_bytes + size,
        )
        if self._group_bytes >= GROUP_BYTES:
            self._write_group()

    def finish(self) -> bytes:
        """The content; nothing can be added any more."""
        self._write_group()
        self._writer.close()
        content: bytes = self._sink.getvalue().to_pybytes()
        return content

    def _write_group(self) -> None:
        if self._columns[0]:
            arrays = [
                pa.array(column, field.type) for column, field in zip(self._columns, SCHEMA, strict=True)
            ]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
        self._columns, self._group_bytes = ([], [], [], [], []), 0


def size_of(message: LibrdkafkaMessage) -> int:
    """Bytes that a message is counted with."""
    headers = sum(len(name) + len(value or b"") for name, value in message.headers)
    return _ROW_BYTES + len(message.key or b"") + len(message.value or b"") + headers


class Unreadable(PipelineError):  # noqa: N818 - a state
    """A file of the archive is damaged, or none of its kind."""


def messages(content: bytes, place: TopicPartition, start: int, end: int) -> Iterator[list[ArchivedMessage]]:
    """The messages of a file with these offsets, a row group at a time.

    Raises:
        Unreadable: the content is not what a file of the archive holds.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        if file.schema_arrow.names != SCHEMA.names:
            raise Unreadable("a file of the archive has other columns")
        for group in _groups(file, start, end):
            # One batch: rows are looked up in it by their number.
            batch = file.read_row_group(group).combine_chunks()
            offsets, keys = batch.column(0).to_pylist(), batch.column(2).to_pylist()
            found = [
                ArchivedMessage(place, batch, row, offset, key)
                for row, (offset, key) in enumerate(zip(offsets, keys, strict=True))
                if start <= offset < end
            ]
            if found:
                yield found
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(f"a file of the archive cannot be read: {error}") from error


def first_since(content: bytes, at_ms: int) -> int | None:
    """The first offset of a file whose arrival is not earlier, epoch milliseconds; None where there is none.

    Raises:
        Unreadable: see `messages`.
    """
    try:
        rows = pq.read_table(pa.BufferReader(content), columns=["offset", "arrival"])
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(f"a file of the archive cannot be read: {error}") from error
    arrivals = rows.column("arrival").cast(pa.int64()).to_pylist()
    for offset, arrival in zip(rows.column("offset").to_pylist(), arrivals, strict=True):
        if arrival >= at_ms:
            return int(offset)
    return None


def _groups(file: Any, start: int, end: int) -> Iterable[int]:
    """The numbers of the row groups that can hold any of these offsets."""
    for group in range(file.num_row_groups):
        statistics = file.metadata.row_group(group).column(0).statistics
        if (
            statistics is None
            or not statistics.has_min_max
            or (statistics.max >= start and statistics.min < end)
        ):
            yield group


__all__ = ["ArchivedMessage", "FileContent", "Unreadable", "first_since", "messages", "size_of"]
