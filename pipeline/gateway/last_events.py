"""When each store last sent something, over restarts: a store without events for long must not look new."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

import orjson

from pipeline.gateway.directory import OURS_ALONE, read_own
from pipeline.gateway.webhooks import Route

log = logging.getLogger(__name__)

#: A kill -9 forgets no more than what came within this.
WRITE_SECONDS = 30.0
#: The names of these files begin with it.
NAME = "last-events"
#: Thousands of stores have a tenth of it.
MOST_BYTES = 1_000_000


class LastEvents:
    """The file with the moments of `Route.last_kept`; what cannot be read or written is logged only."""

    def __init__(self, path: Path, routes: Mapping[str, Route]) -> None:
        self._path = path
        self._routes = routes
        self._written: dict[str, float] = {}
        self._failed = False

    def restore(self) -> None:
        """Give the routes what was written before, by this process and those beside it."""
        beside = self._path.parent.glob(f"{NAME}*.json")
        for path in sorted({self._path, *beside}):
            self._restore(path)

    def _restore(self, path: Path) -> None:
        try:
            found = orjson.loads(read_own(path, MOST_BYTES))
            moments = {str(store): float(moment) for store, moment in found.items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, AttributeError) as error:
            log.warning("%s cannot be read, so no store is known to have sent anything: %s", path, error)
            return
        # A moment in the future comes from a wrong clock: the store would count as active until then.
        now = time.time()
        for store, route in self._routes.items():
            route.last_kept = max(route.last_kept, min(moments.get(store, 0.0), now))

    async def keep(self) -> None:
        """Write them now and then, until cancelled."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await asyncio.get_running_loop().run_in_executor(None, self.write)

    def write(self) -> None:
        """Write them, if there is something new."""
        moments = {store: route.last_kept for store, route in self._routes.items()}
        if moments == self._written:
            return
        beside = self._path.with_suffix(".new")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | OURS_ALONE, 0o600)
            with open(descriptor, "wb") as file:  # noqa: PTH123 - opened with its mode
                file.write(orjson.dumps(moments))
            beside.replace(self._path)
        except OSError as error:
            if not self._failed:
                log.warning("%s cannot be written: %s", self._path, error.strerror)
            self._failed = True
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            return
        self._written, self._failed = moments, False
