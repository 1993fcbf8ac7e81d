"""The local copy of one partition of a table: a RocksDB of raw bytes that knows how far it has come."""

from __future__ import annotations

import logging
import re
import shutil
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

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

from pipeline.engine.manifest import is_whole
from pipeline.errors import PipelineError
from pipeline.metrics import STATE_REBUILT

log = logging.getLogger(__name__)

#: What RocksDB says where the machine is at fault and not the files: these are kept as they are.
_MACHINE = re.compile(
    r"no space left|quota exceeded|too many open files|permission denied|operation not permitted"
    r"|read-only file system|cannot allocate memory|file too large|stale (nfs )?file handle"
    r"|transport endpoint is not connected|no such device",
    re.IGNORECASE,
)
#: Its message if another process has the store. Messages about damaged blocks contain `lock`, too.
_IN_USE = re.compile(r"while lock file|lock hold by", re.IGNORECASE)
#: Damaged stores of a worker that are kept for an examination; older ones are deleted.
KEPT_ASIDE = 3
#: The key that holds the store's position; keys of tables never start with a zero byte.
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
        # RocksDB begins 16 threads for each opening, which cost more than the few files of a store.
        options.set_max_file_opening_threads(1)
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


class Damaged(PipelineError):  # noqa: N818 - a fact about files
    """A store whose files cannot be read. It is marked: the next opening renames it, and it is restored."""


class Closed(PipelineError):  # noqa: N818 - a fact, not a failure
    """The store was closed while it was being looked through."""


class PartitionStore:
    """One partition's keys and values.

    A write and the position it reaches are one atomic write, so a crash leaves the store at some position,
    never between two. Damaged files are renamed when the store is opened, and replaced by an empty store: the
    changelog has everything.
    """

    def __init__(self, path: Path, memory: Memory, ttl: int | None = None) -> None:
        self.path = path
        self._memory = memory
        self._ttl = ttl
        self._unlogged = WriteOptions()
        self._unlogged.disable_wal = True
        self._scans: set[_Scan] = set()
        self._db = self._open()

    def _open(self) -> Rdict:
        _delete(self._gone)
        if self._mark.exists():
            self._set_aside("it could not be read")
            _delete(self._mark)
        if not is_whole(self.path):
            self._set_aside("the list of its files is cut off")
        try:
            return self._opened()
        except Exception as error:
            if _MACHINE.search(str(error)):
                raise PipelineError(f"the state store {self.path} cannot be opened: {error}") from error
            if _IN_USE.search(str(error)):
                raise PipelineError(
                    f"the state store {self.path} is in use by another process",
                    hint="give each worker on this machine its own --worker name",
                ) from error
            self._set_aside(str(error))
        return self._opened()

    def _opened(self) -> Rdict:
        self.path.mkdir(parents=True, exist_ok=True)
        access = AccessType.read_write() if self._ttl is None else AccessType.with_ttl(self._ttl)
        options = self._memory.options()
        # For the column family too: else rocksdict takes the stored ones, and their filter of old entries
        # is applied once more with each opening, to bytes that are no moment, and drops what is new.
        return Rdict(
            str(self.path), options=options, column_families={"default": options}, access_type=access
        )

    def _set_aside(self, why: str) -> None:
        """Rename what is there, so that an empty store replaces it, and keep only the newest of such."""
        if not self.path.exists():
            return
        aside = self.path.with_suffix(f".damaged-{time.time_ns()}")
        self.path.rename(aside)
        STATE_REBUILT.labels(self.path.stem.rpartition("-")[0]).inc()
        log.error(
            "the state store %s is damaged (%s): set aside as %s, and restored from its changelog",
            self.path,
            " ".join(why.split()),
            aside.name,
        )
        kept = sorted(self.path.parent.glob("*.damaged-*"), key=lambda path: path.suffix)
        for old in kept[:-KEPT_ASIDE]:
            _delete(old)

    def start_anew(self) -> None:
        """Rename a damaged store while it is open; it is empty afterwards."""
        self.close()
        self._db = self._open()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Mark the store if its files cannot be read, so that the next opening renames it.

        Raises:
            Damaged: instead of what RocksDB said.
        """
        try:
            yield
        except Exception as error:
            raise self._judged(error) from error

    def _judged(self, error: Exception) -> PipelineError:
        if _MACHINE.search(str(error)):
            return PipelineError(f"the state store {self.path} cannot be used: {error}")
        try:
            self._mark.touch()
        except OSError as failed:
            log.warning("%s cannot be written: %s", self._mark, failed)
        return Damaged(
            f"the state store {self.path} is damaged: {' '.join(str(error).split())}",
            hint="the next start sets it aside and restores it from its changelog",
        )

    @property
    def position(self) -> Position | None:
        """How far the store has come; None where it is new.

        Raises:
            Damaged: as for every read or write.
        """
        with self._readable():
            raw = self._db.get(POSITION_KEY)
            return None if raw is None else Position(*_POSITION.unpack(raw))

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        try:
            return cast("bytes | None", self._db.get(key))
        except Exception as error:
            raise self._judged(error) from error

    def multi_get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of many keys, in their order."""
        if not keys:
            return []
        try:
            return cast("list[bytes | None]", self._db.get(list(keys)))
        except Exception as error:
            raise self._judged(error) from error

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values, in key order.

        Raises:
            Closed: the store was closed meanwhile.
        """
        scan = _Scan(self._db)
        self._scans.add(scan)
        try:
            yield from scan
            if not scan.let_go_of:
                with self._readable():
                    scan.check_end()
        finally:
            scan.let_go()
            self._scans.discard(scan)

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
        with self._readable():
            if logged:
                self._db.write(batch)
            else:
                self._db.write(batch, self._unlogged)

    @property
    def rows(self) -> int:
        """About how many there are, without reading them."""
        with self._readable():
            return int(self._db.property_int_value("rocksdb.estimate-num-keys") or 0)

    def flush(self) -> None:
        """Make everything written so far survive a crash."""
        with self._readable():
            self._db.flush()

    def compact(self) -> None:
        """Rewrite the files without what was deleted or overwritten; reads and writes go on. For a thread."""
        with self._readable():
            self._db.flush()
            self._db.compact_range(None, None)

    @property
    def is_read_through(self) -> bool:
        """Whether `items` is in use."""
        return bool(self._scans)

    def reopen(self) -> None:
        """Close and open the files: the list of them, which names keys, begins anew, and so do its logs."""
        self.close()
        self._db = self._open()
        for old in self.path.glob("LOG.old.*"):
            old.unlink(missing_ok=True)

    def wipe(self) -> None:
        """Forget everything: the changelog has it."""
        self.close()
        # Renamed in one move: a kill halfway through a deletion would leave a store that cannot be opened.
        self.path.rename(self._gone)
        self._db = self._open()

    @property
    def _gone(self) -> Path:
        return self.path.with_suffix(".gone")

    @property
    def _mark(self) -> Path:
        return self.path.with_suffix(".damaged")

    def close(self) -> None:
        """Close the files; the object cannot be used afterwards."""
        # An iterator keeps the files open, and their lock: one that is still used raises.
        for scan in self._scans:
            scan.let_go()
        self._db.close()


class _Scan:
    """The rows of a store, which can be closed while they are iterated."""

    def __init__(self, db: Rdict) -> None:
        self.let_go_of = False
        self._db: Rdict | None = db
        self._rows: Iterator[tuple[bytes, bytes]] | None = cast(
            "Iterator[tuple[bytes, bytes]]", iter(db.items())
        )
        self._last: bytes | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[bytes, bytes]:
        if self._rows is None:
            raise Closed("the store was closed while it was being read")
        row = next(self._rows)
        self._last = row[0]
        return next(self) if row[0] == POSITION_KEY else row

    def check_end(self) -> None:
        """See that the last row was the last: a block that cannot be read ends the rows as if they were all.

        Raises:
            Exception: what RocksDB says of it.
        """
        assert self._db is not None  # noqa: S101 - for the type checker
        rows = self._db.iter()
        if self._last is None:
            rows.seek_to_first()
        else:
            rows.seek(self._last)
            if rows.valid():
                rows.next()
        rows.status()

    def let_go(self) -> None:
        """Free what RocksDB keeps for this."""
        self.let_go_of = True
        self._rows = self._db = None


def _delete(path: Path) -> None:
    """A directory or a file, where there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
