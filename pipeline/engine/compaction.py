"""Rewrites a worker's files without what was deleted: RocksDB and its logs keep deleted rows for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import orjson

from pipeline.engine.table import StateTable
from pipeline.http_access import problem

#: The path that a worker is asked at; digits of a partition's number; seconds between two looks.
COMPACT, MOST_DIGITS, LOOK = "/state/compact", 8, 0.05


class Compaction:
    """Rewrites the files of partitions, one request after the other.

    Args:
        tables: the worker's.
        worker: its name.
        not_ready: why it cannot be done now; None where it can.
    """

    def __init__(
        self, tables: Sequence[StateTable], worker: str, not_ready: Callable[[], str | None]
    ) -> None:
        self._tables = tables
        self._worker = worker
        self._not_ready = not_ready
        #: Held while files are rewritten: no partition comes or goes meanwhile.
        self._files = asyncio.Lock()
        self._running: asyncio.Task[tuple[int, bytes]] | None = None

    async def page(self, query: Mapping[str, str]) -> tuple[int, bytes]:
        """Rewrite files, and delete those left behind by partitions that are others' now, and damaged ones.

        The query's `partitions` are numbers with commas: of those that are held, which are rewritten.
        """
        numbers = query.get("partitions", "").split(",")
        if not all(number.isdecimal() and len(number) < MOST_DIGITS for number in numbers):
            return problem(400, "query", "it names partitions, as numbers with commas", worker=self._worker)
        # A task of its own: whoever asked may hang up, and its thread is waited for all the same.
        self._running = asyncio.create_task(self._rewrite(set(map(int, numbers))))
        return await asyncio.shield(self._running)

    async def finish(self) -> None:
        """Wait for the files being rewritten; once `not_ready` says why, no others are."""
        async with self._files:
            pass

    async def _rewrite(self, chosen: set[int]) -> tuple[int, bytes]:
        async with self._files:
            if refused := self._refused():
                return refused
            gone = [name for table in self._tables for name in table.delete_left_behind()]
            held = [(table, number) for table in self._tables for number in chosen & table.partitions]
            for table, number in held:
                if refused := self._refused():
                    return refused
                await asyncio.to_thread(table.compact, number)
                while not table.reopen(number):  # noqa: ASYNC110 - rarely: a start reads its rows through
                    await asyncio.sleep(LOOK)
        done = sorted({number for _, number in held})
        said = {"worker": self._worker, "partitions": done, "files": len(held), "left_behind": gone}
        return 200, orjson.dumps(said)

    def _refused(self) -> tuple[int, bytes] | None:
        reason = self._not_ready()
        return None if reason is None else problem(503, "not_ready", reason, worker=self._worker)
