"""A table of raw bytes: kept in RocksDB, and logged to Kafka; it comes and goes partition by partition."""

from __future__ import annotations

import shutil
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from pipeline.engine.restore import RestoreJob
from pipeline.engine.store import Closed, Memory, PartitionStore
from pipeline.errors import PipelineError

Changes = dict[bytes, bytes | None]
#: For a key that no step in flight has set.
NOTHING_UNSTORED = object()
#: Called with the partitions that came or went.
Hook = Callable[[frozenset[int]], Awaitable[None]]


class NotAssigned(PipelineError):  # noqa: N818 - a fact, not a failure
    """A partition that this worker does not hold (any more): the work on it belongs to another one."""


class StateTable:
    """Keys and values of the partitions this worker holds.

    Every call names its partition. A value written by a step
    (`steps.Step.write`) is seen by `get` at once, and by a restarted worker once the broker has confirmed it.

    Args:
        name: in logs and metrics, and of its files.
        changelog: the full name of its topic.
        directory: the worker's own.
        memory: shared by all stores.
        ttl: seconds an entry is kept after its last write; None: for ever.
        on_loaded: called with the partitions whose content was (re)loaded, before their first event.
        on_lost: called with the partitions that went to another worker, before their files are closed.
    """

    def __init__(
        self,
        name: str,
        changelog: str,
        directory: Path,
        memory: Memory,
        *,
        ttl: int | None = None,
        on_loaded: Hook | None = None,
        on_lost: Hook | None = None,
    ) -> None:
        self.name = name
        self.changelog = changelog
        self.ttl = ttl
        self._directory = directory
        self._memory = memory
        self._on_loaded = on_loaded
        self._on_lost = on_lost
        self._held: set[int] = set()
        self._stores: dict[int, PartitionStore] = {}
        self._loaded: set[int] = set()
        self._unstored: dict[int, Changes] = {}
        #: Where the changelog ends as far as it was read or written by us, and what others wrote before that.
        self._ends: dict[int, int] = {}
        self._foreign: list[tuple[int, int, int]] = []

    @property
    def assigned(self) -> frozenset[int]:
        """The partitions that are held, restored or not yet."""
        return frozenset(self._held)

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions that are held and restored."""
        return frozenset(self._loaded)

    def get(self, partition: int, key: bytes) -> bytes | None:
        """The newest value of a key, stored or not yet.

        Raises:
            NotAssigned: the partition is not held.
        """
        unstored = self._unstored.get(partition)
        if unstored is not None and key in unstored:
            return unstored[key]
        return self._store(partition).get(key)

    def multi_get(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """As `get`, for many keys at a fraction of the price."""
        store = self._store(partition)
        unstored = self._unstored.get(partition)
        if not unstored:
            return store.multi_get(keys)
        stored = iter(store.multi_get([key for key in keys if key not in unstored]))
        return [unstored[key] if key in unstored else next(stored) for key in keys]

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values as stored, without what is not confirmed yet; meant for `on_loaded`.

        Raises:
            NotAssigned: the partition is not held, or is revoked meanwhile.
        """
        try:
            yield from self._store(partition).items()
        except Closed as closed:
            raise NotAssigned(f"partition {partition} of table {self.name} went away meanwhile") from closed

    def rows(self, partition: int) -> int:
        """About how many keys a partition has.

        Raises:
            NotAssigned: the partition is not held.
        """
        return self._store(partition).rows

    def _store(self, partition: int) -> PartitionStore:
        if partition not in self._loaded:
            raise NotAssigned(f"partition {partition} of table {self.name} is not held by this worker")
        return self._stores[partition]

    # What follows is called by the engine.

    def put_unstored(self, partition: int, key: bytes, value: bytes | None) -> object:
        """Let reads see a value whose changelog record is in flight; returns what `take_back` needs."""
        if partition not in self._loaded:
            raise NotAssigned(f"partition {partition} of table {self.name} is not held by this worker")
        unstored = self._unstored.setdefault(partition, {})
        before = unstored.get(key, NOTHING_UNSTORED)
        unstored[key] = value
        return before

    def take_back(self, partition: int, changes: Changes, before: Mapping[bytes, object]) -> None:
        """Let reads see what they saw before these values, which will never be logged, were put."""
        unstored = self._unstored.get(partition, {})
        for key, value in changes.items():
            if unstored.get(key, NOTHING_UNSTORED) is not value:
                continue
            was = before[key]
            if was is NOTHING_UNSTORED:
                del unstored[key]
            else:
                unstored[key] = cast("bytes | None", was)

    def store_confirmed(self, partition: int, changes: Changes, offset: int) -> None:
        """Store what the changelog now holds up to `offset`."""
        if partition not in self._loaded:
            return  # lost meanwhile: the changelog has it, and the new owner of the partition reads it there
        self._stores[partition].apply(changes, offset, int(time.time()))
        end = self._ends[partition]
        if offset + 1 - len(changes) > end:
            self._foreign.append((partition, end, offset + 1))
        self._ends[partition] = offset + 1
        unstored = self._unstored.get(partition, {})
        for key, value in changes.items():
            if unstored.get(key, NOTHING_UNSTORED) is value:
                del unstored[key]

    def ends_at_rest(self) -> list[tuple[int, int]]:
        """(partition, end of its changelog) of the partitions to which nothing is being written."""
        return [
            (partition, end) for partition, end in self._ends.items() if not self._unstored.get(partition)
        ]

    def see_end(self, partition: int, before: int, end: int) -> None:
        """The changelog of an idle partition was found to end here; `ends_at_rest` had said `before`."""
        if end > before and self._ends.get(partition) == before and not self._unstored.get(partition):
            self._foreign.append((partition, before, end))
            self._ends[partition] = end

    def take_foreign(self) -> list[tuple[int, int, int]]:
        """(partition, start, end) of offsets among which others have written."""
        found, self._foreign = self._foreign, []
        return found

    def compact(self, partition: int) -> None:
        """Rewrite a partition's files without what was deleted; see `PartitionStore.compact`. For a thread.

        Raises:
            NotAssigned: the partition is not held.
        """
        self._store(partition).compact()

    def reopen(self, partition: int) -> bool:
        """Begin a partition's files anew (`PartitionStore.reopen`); False while its rows are read through.

        Raises:
            NotAssigned: the partition is not held.
        """
        store = self._store(partition)
        if store.is_read_through:
            return False
        store.reopen()
        return True

    def delete_left_behind(self) -> list[str]:
        """Delete the files of partitions that are not held, and damaged ones; returns their names.

        The changelog has all that they hold.
        """
        held = {f"{self.name}-{partition}.db" for partition in self._held | self._stores.keys()}
        gone: list[str] = []
        for path in sorted(self._directory.glob(f"{self.name}-*")):
            stem, _, kind = path.name.rpartition(".")
            whole = kind == "db" and path.name not in held
            if path.is_dir() and (whole or kind == "gone" or ".damaged-" in path.name):
                # Renamed in one move, as half a store cannot be opened.
                doomed = path.with_name(f"{stem}.gone")
                if path != doomed:
                    shutil.rmtree(doomed, ignore_errors=True)
                    path.rename(doomed)
                shutil.rmtree(doomed)
                gone.append(path.name)
        return gone

    async def hold(self, partitions: set[int]) -> None:
        """Keep exactly these partitions: close those revoked; new ones are opened by the restore."""
        gone = self._held - partitions
        lost = frozenset(gone & self._loaded)
        if lost and self._on_lost is not None:
            await self._on_lost(lost)
        for partition in gone:
            self._close(partition)
        self._held = set(partitions)

    def open_jobs(self) -> list[RestoreJob]:
        """Open the held partitions and say what must be read; for the restore's thread."""
        for partition in self._held:
            if partition not in self._stores:
                path = self._directory / f"{self.name}-{partition}.db"
                self._stores[partition] = PartitionStore(path, self._memory, self.ttl)
        return [RestoreJob(self.changelog, number, self._stores[number]) for number in sorted(self._held)]

    async def restored(self, jobs: Sequence[RestoreJob]) -> None:
        """These partitions are complete. For one that had fallen behind, `on_loaded` is called again."""
        mine = [job for job in jobs if job.topic == self.changelog and job.partition in self._held]
        fresh = frozenset(job.partition for job in mine if job.applied or job.partition not in self._loaded)
        self._loaded.update(job.partition for job in mine)
        self._ends.update({job.partition: job.end for job in mine})
        if fresh and self._on_loaded is not None:
            await self._on_loaded(fresh)

    def _close(self, partition: int) -> None:
        self._loaded.discard(partition)
        self._ends.pop(partition, None)
        self._foreign = [place for place in self._foreign if place[0] != partition]
        self._unstored.pop(partition, None)
        store = self._stores.pop(partition, None)
        if store is not None:
            store.close()

    def close(self) -> None:
        """Close all files."""
        for partition in list(self._stores):
            self._close(partition)


__all__ = ["Changes", "Hook", "NotAssigned", "StateTable"]
