"""All that is pending of one account: a queue for each kind of record."""

from __future__ import annotations

from pipeline.deliver.schedule.pending_queue import PendingQueue
from pipeline.events import Lane
from pipeline.records import RecordKind


class PendingIndex:
    """An account's pending queues, one a kind."""

    def __init__(self) -> None:
        self._queues = {kind: PendingQueue() for kind in RecordKind}

    def __getitem__(self, kind: RecordKind) -> PendingQueue:
        return self._queues[kind]

    def copy(self) -> PendingIndex:
        """A copy; see `PendingQueue.copy`."""
        copied = PendingIndex()
        copied._queues = {kind: queue.copy() for kind, queue in self._queues.items()}
        return copied

    def open(self) -> None:
        """See `PendingQueue.open`."""
        for queue in self._queues.values():
            queue.open()

    def waits_in(self, lane: Lane) -> bool:
        """Whether anything waits in a lane."""
        return any(queue.waiting_in(lane) for queue in self._queues.values())

    @property
    def empty(self) -> bool:
        """Whether nothing waits or is in flight."""
        return not any(len(queue) for queue in self._queues.values())
