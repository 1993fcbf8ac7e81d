"""How many processes run the tests, and which files each takes.

Tests that start processes and a broker wait for much of their time, and must not be slowed down; tests of
rules only compute. So there is a process more than processors, which takes the last files and gives way.
Others that look at a real clock are marked `real_time`: these files stand behind those that start a broker.
"""

from __future__ import annotations

import os

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

#: Each has a broker and what its tests start.
_MOST = 4
#: Of the spare process: enough to give way, and not so much that it stands still.
NICE = 5


def count() -> int:
    """Processes that run tests."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, _MOST) + 1


def number_of(worker: str) -> int:
    """Its number, from xdist's name for it; one that takes a dead one's place has a further number."""
    return int(worker.removeprefix("gw"))


def is_spare(number: int, of: int) -> bool:
    """Whether it is the one more than processors."""
    return number + 1 == of == count()


class FromBothEnds(LoadFileScheduling):  # type: ignore[misc]
    """The spare process takes the last file that is left, the others the first."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        if is_spare(number_of(node.gateway.id), self.numnodes):
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)
