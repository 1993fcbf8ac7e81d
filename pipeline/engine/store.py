"""The local copy of one partition of a table: a RocksDB of raw bytes that knows how far it has come."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from rocksdict import (
    AccessType,
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from pipeline.errors import PipelineError

#: The key that holds the store's position; keys of ours never start with a zero byte.
POSITION_KEY = b"\x00position"
_POSITION = struct.Struct(">qq")

CACHE_BYTES = 64 * 1024 * 1024
#: Of all stores together: what is written stays in memory up to this before it is flushed.
WRITE_BUFFERS_BYTES = 16 * 1024 * 1024
WRITE_BUFFER_BYTES = 4 * 1024 * 1024
#: By which a write buffer grows. Hundreds of stores that hold a key each must not fill the budget.
ARENA_BYTES = 32 * 1024


class Memory:
    """What all stores of a process share: one block cache and one budget for write buffers."""

    def __init__(self) -> None:
        self.cache = Cache(CACHE_BYTES)
        self.buffers = WriteBufferManager(WRITE_BUFFERS_BYTES, allow_stall=False)

    def options(self) -> Options:
        """Settings of one small database among many."""
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_manager(self.buffers)
        options.set_write_buffer_size(WRITE_BUFFER_BYTES)
        options.set_arena_block_size(ARENA_BYTES)
        options.set_max_write_buffer_number(3)
        options.set_max_open_files(256)
        options.set_keep_log_file_num(2)
        options.set_compression_type(DBCompressionType.lz4())
        blocks = BlockBasedOptions()
        blocks.set_block_cache(self.cache)
        blocks.set_bloom_filter(10, block_based=False)
        blocks.set_cache_index_and_filter_blocks(True)
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(True)
        options.set_block_based_table_factory(blocks)
        return options


@dataclass(frozen=True, slots=True)
class Position:
    """The changelog offset up to which the store holds everything, and when it got there (epoch seconds)."""

    offset: int
    at: int


class PartitionStore:
    """One partition's keys and values.

    A write and the position it reaches are one atomic write, so a crash leaves the store at some position,
    never between two.
    """

    def __init__(self, path: Path, memory: Memory, ttl: int | None = None) -> None:
        self.path = path
        self._memory = memory
        self._ttl = ttl
        self._unlogged = WriteOptions()
        self._unlogged.disable_wal = True
        self._db = self._open()

    def _open(self) -> Rdict:
        if self._gone.exists():
            shutil.rmtree(self._gone)
        self.path.mkdir(parents=True, exist_ok=True)
        access = AccessType.read_write() if self._ttl is None else AccessType.with_ttl(self._ttl)
        options = self._memory.options()
        try:
            # For the column family too: else rocksdict takes the stored ones, and their filter of old entries
            # is applied once more with each opening, to bytes that are no moment, and drops what is new.
            return Rdict(
                str(self.path), options=options, column_families={"default": options}, access_type=access
            )
        except Exception as error:
            if "lock" not in str(error).lower():
                raise
            raise PipelineError(
                f"the state store {self.path} is in use by another process",
                hint="give each worker on this machine its own --worker name",
            ) from error

    @property
    def position(self) -> Position | None:
        """How far the store has come; None where it is new."""
        raw = self._db.get(POSITION_KEY)
        return None if raw is None else Position(*_POSITION.unpack(raw))

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        return cast("bytes | None", self._db.get(key))

    def multi_get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of many keys, in their order."""
        return cast("list[bytes | None]", self._db.get(list(keys))) if keys else []

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values, in key order."""
        for key, value in self._db.items():
            if key != POSITION_KEY:
                yield key, value

    def apply(
        self, changes: Mapping[bytes, bytes | None], offset: int, at: int, *, logged: bool = True
    ) -> None:
        """Write changes (None deletes) together with the position they reach.

        Args:
            changes: new values by key.
            offset: the changelog offset of the last of them.
            at: now, in epoch seconds.
            logged: False leaves out the write-ahead log: faster; a crash goes back to an earlier position.
        """
        batch = WriteBatch(raw_mode=True)
        put, delete = batch.put, batch.delete
        for key, value in changes.items():
            if value is None:
                delete(key)
            else:
                put(key, value)
        put(POSITION_KEY, _POSITION.pack(offset, at))
        if logged:
            self._db.write(batch)
        else:
            self._db.write(batch, self._unlogged)

    def flush(self) -> None:
        """Make everything written so far survive a crash."""
        self._db.flush()

    def wipe(self) -> None:
        """Forget everything: the changelog has it."""
        self._db.close()
        # Away in one move: killed halfway through, there would be a store that cannot be opened.
        self.path.rename(self._gone)
        self._db = self._open()

    @property
    def _gone(self) -> Path:
        return self.path.with_suffix(".gone")

    def close(self) -> None:
        """Close the files; the object is of no use afterwards."""
        self._db.close()
