"""What processes use, across the deaths of each: processor time and resident memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import psutil

from pipeline.local.supervisor import ProcessStatus


class Usage:
    """Adds up what is seen at each look; what a process used between the last look and its death is missed.

    Attributes:
        cpu: process -> seconds of a processor, of all that had its name.
        rss: process -> MB at the last look.
        most: process -> the most MB at any look.
    """

    def __init__(self) -> None:
        self.cpu: dict[str, float] = {}
        self.rss: dict[str, float] = {}
        self.most: dict[str, float] = {}
        #: (process id, when it began) -> seconds at its last look.
        self._seen: dict[tuple[int, float], float] = {}

    def look(self, statuses: Iterable[ProcessStatus]) -> None:
        """Look at all that run."""
        for status in statuses:
            with contextlib.suppress(psutil.Error):
                if status.pid is not None:
                    self._add(status.name, psutil.Process(status.pid))

    def _add(self, name: str, process: psutil.Process) -> None:
        times = process.cpu_times()
        used = float(times.user + times.system)
        one = process.pid, process.create_time()
        self.cpu[name] = self.cpu.get(name, 0.0) + used - self._seen.get(one, 0.0)
        self._seen[one] = used
        self.rss[name] = float(process.memory_info().rss) / 1e6
        self.most[name] = max(self.most.get(name, 0.0), self.rss[name])
