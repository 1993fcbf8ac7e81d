"""Messages whose header names are no UTF-8: aiokafka cannot read them, and with them nothing behind them.

Kafka takes any bytes as a header's name. Where aiokafka's reader of a batch fails, the batch is read again
here, with bytes of names that are no UTF-8 replaced: the stage then sees a message that is not
foreign, and continues.
"""

# ruff: noqa: SLF001 - one of the modules where private parts of others are used (docs/adr/0002)

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

#: Base offset and length of what follows; and where the format's number stands.
_HEAD, _MAGIC_AT = struct.Struct(">qi"), 16
_FORMAT = 2


class _Bytes(bytearray):
    """Bytes whose slices decode with replacements."""

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Bytes(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        del errors
        return super().decode(encoding, "replace")


class RereadableRecords:
    """aiokafka's batches of one fetch, with the bytes they were read from."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        batches = MemoryRecords(data)
        self.has_next, self.next_batch = batches.has_next, batches.next_batch
        self.size_in_bytes = batches.size_in_bytes


class LenientRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """The records of one partition's fetch; a batch that aiokafka cannot read is read here."""

    _records: Any
    next_fetch_offset: int

    def __next__(self) -> Any:
        """The next record.

        Raises:
            CorruptRecordException: the batch is damaged indeed.
        """
        try:
            return super().__next__()
        except (CorruptRecordException, UnicodeDecodeError) as error:
            batch, rest = self._batch_of(self._records.data, self.next_fetch_offset, error)
            self._records = RereadableRecords(rest)
            self._records_iterator = self._again(batch)
            return next(self)

    def _again(self, batch: Any) -> Iterator[Any]:
        rows = iter(batch)
        batch._buffer = _Bytes(batch._buffer)
        for record in rows:
            if record.offset >= self.next_fetch_offset:
                found = self._consumer_record(self._tp, record)
                self.next_fetch_offset = record.offset + 1
                yield found
        self.next_fetch_offset = batch.next_offset
        yield from self._unpack_records()

    @staticmethod
    def _batch_of(data: bytes, offset: int, error: Exception) -> tuple[Any, bytes]:
        """The batch in which an offset lies, and what comes after it."""
        start = 0
        while start + _HEAD.size <= len(data):
            end = start + _HEAD.size + _HEAD.unpack_from(data, start)[1]
            if end > len(data) or data[start + _MAGIC_AT] != _FORMAT:
                break
            batch = _DefaultRecordBatchPy(data[start:end])
            if batch.next_offset > offset:
                if not batch.validate_crc():
                    break
                return batch, data[end:]
            start = end
        raise error


def install() -> None:
    """Let aiokafka's fetcher use both; the package has no setting for it."""
    fetcher.MemoryRecords = RereadableRecords
    fetcher.PartitionRecords = LenientRecords
