"""Faust's thread around aiokafka's consumer: how it fetches, and whether the group has this member."""

# ruff: noqa: SLF001 - one of the modules where Faust's private parts are used (docs/adr/0002)

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from pipeline.engine.faust import lenient

lenient.install()

#: Milliseconds a broker may take to say that partitions have nothing new. aiokafka asks it one thing at a
#: time, and leaves out the partitions it still has records of: in a backlog these then wait for that answer.
#: Faust's 1,500 let them stand still for half of the time.
FETCH_WAIT_MS = 50
#: Seconds that leaving the group may take; without an answer the others miss this member a session later.
LEAVE_SECONDS = 3.0


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's thread around aiokafka's consumer, which ends the process once the group has dropped it.

    aiokafka would join again under the same name. Two processes with one name would then take the place of
    each other for ever, and both handle every event.
    """

    #: The `RoundConsumer` that made it.
    consumer: Any
    _look: asyncio.Future[Any] | None = None
    _leaves = False

    async def _fetch_records(self, *args: Any, **options: Any) -> Any:
        look = self._look = asyncio.ensure_future(super()._fetch_records(*args, **options))
        try:
            await asyncio.wait([look])
        finally:
            look.cancel()
        return {} if look.cancelled() else look.result()

    async def stop_looking(self) -> None:
        """End a fetch before the group's new assignment.

        It would continue through it and return records of the new assignment, which would be dropped
        and never read again: if nothing was committed yet, nothing sets the position back.
        """
        if self._look is not None:
            self._look.cancel()
            await asyncio.wait([self._look])

    async def leave(self) -> None:
        """Leave the group for good, at once: the others need not wait for this member's session to end.

        aiokafka never lets a member with an instance id go, so that a restart goes unnoticed.
        """
        self._leaves = True
        coordinator = self._ensure_consumer()._coordinator
        coordinator._group_instance_id = None
        # Not by `call_thread`: a rebalance that must end first needs the queue of those calls.
        leaving = asyncio.run_coroutine_threadsafe(coordinator.close(), self.thread_loop)
        await asyncio.wait_for(asyncio.wrap_future(leaving), LEAVE_SECONDS)

    @property
    def member_id(self) -> str:
        """What the group calls this worker; it changes whenever it joins."""
        return str(self._ensure_consumer()._coordinator.member_id)

    def next_offset(self, tp: TP) -> int | None:
        """The next offset to be fetched; beyond the last record where what follows it is none."""
        consumer = self._consumer
        subscription = None if consumer is None else consumer._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        place = TopicPartition(*tp)
        if assignment is None or place not in assignment.tps:
            return None
        state = assignment.state_value(place)
        return int(state.position) if state.has_valid_position else None

    async def on_start(self) -> None:
        """Shorten the fetcher's wait, and watch the calls that show whether the group has this member."""
        await super().on_start()
        consumer = self._ensure_consumer()
        consumer._fetcher._fetch_max_wait_ms = FETCH_WAIT_MS
        coordinator = consumer._coordinator
        for name in ("_do_heartbeat", "_do_commit_offsets"):
            setattr(coordinator, name, self._watched(coordinator, getattr(coordinator, name)))

    def _watched(
        self, coordinator: Any, call: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        async def watched(*args: Any) -> Any:
            member, asked = coordinator.member_id, time.monotonic()
            try:
                answer = await call(*args)
                if answer is True:  # a heartbeat: the session counts from it, not from its answer
                    self.consumer._contact(asked)
                return answer
            finally:
                if member and not coordinator.member_id and not self._leaves:
                    self.consumer.on_lost(member)

        return watched
