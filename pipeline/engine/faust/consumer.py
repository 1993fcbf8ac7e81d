"""Faust's consumer, reading in rounds: lists of records instead of one task and one event per message."""

# ruff: noqa: SLF001 - this module and recovery.py are where Faust's private parts are used (docs/adr/0002)

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

import faust
from aiokafka.errors import ConsumerStoppedError, KafkaError
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from pipeline.engine.faust.thread import ConsumerThread
from pipeline.engine.faust.turns import Turns
from pipeline.engine.rounds import Round
from pipeline.kafka.messages import ReceivedMessage
from pipeline.kafka.messages import TopicPartition as Place

log = logging.getLogger(__name__)

#: Seconds a fetch takes at most; shorter while a partition waits for room in the buffer.
LOOK, LOOK_WHILE_FULL = 0.5, 0.02
#: A difference to the end of a partition that need not be of records: what ends a transaction has an offset.
MARKERS = 16
#: Bodies an agent may have waiting, in bytes: a body may have megabytes.
BUFFER_BYTES = 64 * 1024 * 1024


class RoundConsumer(driver.Consumer):
    """Gives each agent rounds as the values of its stream, and commits what `release` says is done.

    Membership, assignment, seeking and the commit timer stay Faust's.
    """

    #: Records an agent may have waiting; set by the runtime.
    buffer: int = 4_000
    #: Whose backlog may be read now; set by the runtime.
    turns: Turns
    #: Ends rounds in progress before partitions are revoked; set by the runtime.
    pause: Callable[[], Awaitable[None]]
    #: Ends the process; set by the runtime.
    on_fatal: Callable[[BaseException], None]
    #: Called, in another thread, with the member id that the group has dropped; set by the runtime.
    on_lost: Callable[[str], None]
    #: Called with the member id under which the worker joined; set by the runtime.
    on_joined: Callable[[str], None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._thread: ConsumerThread
        self._next: dict[TP, int] = {}
        self._handed: dict[TP, int] = {}
        self._asked: set[TP] = set()
        self._reached: dict[TP, int] = {}
        self._withheld: set[TP] = set()
        self._is_usable: Callable[[int], bool] | None = None
        self._had_its_turn: set[TP] = set()
        self._last_contact = time.monotonic()

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        # On asyncio's own loop: aiokafka does not catch what uvloop raises when a broker dies in the
        # middle of a write, and is without metadata, coordinator and heartbeats ever after.
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # What to commit: one number per partition instead of a list of acknowledged offsets.

    def release(self, done: Mapping[Place, int]) -> None:
        """Everything before these offsets is processed and may be committed."""
        for place, offset in done.items():
            tp = TP(*place)
            self._next[tp] = offset
            self.turns.released(tp, offset)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:  # noqa: ARG002
        return iter(list(self._next))

    def _new_offset(self, tp: TP) -> int | None:
        return self._next.get(tp)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish and commit the rounds in progress while the group waits."""
        with self._fatal_errors():
            self.stop_flow()
            self.app.flow_control.suspend()
            self.app.flow_control.clear()
            await self._thread.call_thread(self._thread.stop_looking)
            await self.pause()
            await self.maybe_wait_for_commit_to_finish()
            await self.commit()
            for tp in revoked:
                self._next.pop(tp, None)
            await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Keep aiokafka from fetching changelogs: `recovery.BulkRecovery` reads them."""
        with self._fatal_errors():
            changelogs = [TopicPartition(*tp) for tp in assigned if self._is_changelog_tp(tp)]
            await self._thread.call_thread(self._pause_fetching, changelogs)
            self._contact()
            for known in (self._handed, self._asked, self._reached, self._withheld):
                known.clear()
            self.turns.clear()
            self.on_joined(self._thread.member_id)
            await super().on_partitions_assigned(assigned, generation_id)

    @contextlib.contextmanager
    def _fatal_errors(self) -> Iterator[None]:
        """Aiokafka logs what a rebalance callback raises, and continues without partitions: end instead."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is
            self.on_fatal(error)

    async def _pause_fetching(self, tps: Iterable[TopicPartition]) -> None:
        self._thread._ensure_consumer().pause(*tps)

    async def verify_all_partitions_active(self) -> None:
        """Faust's own monitor watches events per partition, which rounds do not have; see the lag metric."""

    # Nothing is read without a heartbeat in time: the partitions may be another worker's already.

    def silence(self) -> float:
        """Seconds since the group last acknowledged this worker."""
        return time.monotonic() - self._last_contact

    def _contact(self, at: float | None = None) -> None:
        self._last_contact = max(self._last_contact, time.monotonic() if at is None else at)

    # Reading.

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self._read_round()
        except ConsumerStoppedError:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise

    async def _read_round(self) -> None:
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]  # mode's annotation is too narrow
            return
        if self.silence() > self.app.conf.broker_session_timeout:
            await asyncio.sleep(LOOK)  # Kafka may be away for hours: nothing can be read meanwhile
            return
        wanted, full = self._with_room()
        if not wanted:
            await asyncio.sleep(LOOK_WHILE_FULL)
            return
        generation = self.app.consumer_generation_id
        records = await self._take_turns(wanted, LOOK_WHILE_FULL if full else LOOK)
        if not self.flow_active or generation != self.app.consumer_generation_id:
            # Dropped: the next assignment starts from the committed offsets, and these are not of it.
            return
        self._hand_over(records, generation)
        for tp in self._asked:
            position = self._thread.next_offset(tp)
            if position is not None:
                self._reached[tp] = position

    async def _take_turns(self, wanted: set[TP], seconds: float) -> Mapping[TP, list[ReceivedMessage]]:
        """The records there are; a partition that filled a whole fetch comes after the others in the next.

        aiokafka empties what it has of one partition before it turns to another: behind a backlog of one,
        records of all others would wait for dozens of rounds.
        """
        others = wanted - self._had_its_turn
        records: Mapping[TP, list[ReceivedMessage]] = {}
        if others and others != wanted:
            records = await self._getmany(others, 0)
        records = records or await self._getmany(wanted, seconds)
        most = self.app.conf.broker_max_poll_records
        self._had_its_turn = {TP(*tp) for tp, batch in records.items() if len(batch) >= most // 2}
        for tp in self._had_its_turn:
            self.turns.read(tp, records[tp][-1].offset + 1)
        return records

    def _with_room(self) -> tuple[set[TP], bool]:
        """The partitions to read from now, and whether others are held back because their agent is full."""
        active = self._get_active_partitions()
        if self._is_usable is not None:
            active = {tp for tp in active if self._is_usable(tp.partition)}
        index = self.app.topics._tp_index  # type: ignore[attr-defined]
        channels = {channel for tp in active for channel in index.get(tp, ())}
        busy = {channel for channel in channels if self._is_full(channel)}
        full = {tp for tp in active if busy and not busy.isdisjoint(index.get(tp, ()))}
        resting = self.turns.not_now()
        return (active - full - self._withheld - resting, bool(full or resting))

    def _is_full(self, channel: Any) -> bool:
        rounds: list[Round] = [event.value for event in channel.queue._queue]
        too_many = sum(waiting.count for waiting in rounds) >= self.buffer
        return too_many or sum(waiting.size for waiting in rounds) >= BUFFER_BYTES

    def _hand_over(self, records: Mapping[TP, list[ReceivedMessage]], generation: int) -> None:
        rounds: dict[Any, list[tuple[Place, list[ReceivedMessage]]]] = {}
        for aiotp, batch in records.items():
            tp, place = TP(aiotp.topic, aiotp.partition), Place(aiotp.topic, aiotp.partition)
            self._handed[tp] = batch[-1].offset + 1
            for channel in self.app.topics._tp_index.get(tp, ()):  # type: ignore[attr-defined]
                rounds.setdefault(channel, []).append((place, batch))
        for channel, batches in rounds.items():
            count = sum(len(batch) for _, batch in batches)
            size = sum(len(record.value or b"") for _, batch in batches for record in batch)
            self._put(channel.queue, Round(tuple(batches), count, size), generation)

    def _put(self, queue: Any, new: Round, generation: int) -> None:
        """Behind the rounds that wait, or into the last of them.

        A round costs its agent a confirmation whatever is in it: one per fetch would pile up.
        """
        waiting: deque[Any] = queue._queue
        last = waiting[-1] if waiting else None
        most = self.app.conf.broker_max_poll_records
        if last is None or last.message.generation_id != generation or last.value.count + new.count > most:
            queue.force_put_nowait(self._event(new, generation))
        else:
            waiting[-1] = self._event(last.value.joined(new), generation)

    def _event(self, value: Round, generation: int) -> faust.Event:
        """A round in the form of Faust's streams; the generation lets them drop it after a rebalance."""
        place, records = value.batches[0]
        first, tp = records[0], TP(*place)
        message = ConsumerMessage(
            tp.topic,
            tp.partition,
            first.offset,
            first.timestamp / 1000,
            0,
            None,
            None,
            None,
            None,
            tp=tp,
            generation_id=generation,
        )
        return faust.Event(self.app, None, value, None, message)

    async def leave(self) -> None:
        """Leave the group; see `ConsumerThread.leave`."""
        try:
            await self._thread.leave()
        except (faust.exceptions.ConsumerNotStarted, KafkaError, TimeoutError) as error:
            log.warning("the group was not left, and gives this worker up by itself: %r", error)

    # For operators.

    def behind(self) -> dict[Place, range]:
        """The offsets not dealt with yet, by partition."""
        found: dict[Place, range] = {}
        with contextlib.suppress(faust.exceptions.ConsumerNotStarted):
            for tp in self.assignment():
                end, start = self.highwater(tp), self._next.get(tp, self._committed_offset[tp])
                if end is not None and not self._is_changelog_tp(tp):
                    place, done = Place(*tp), start or 0
                    found[place] = range(self.dealt_with(place) if 0 < end - done <= MARKERS else done, end)
        return found

    def dealt_with(self, place: Place) -> int:
        """The offset before which no record of a partition waits; 0 where that is not known yet.

        It is beyond the last record's where what follows is no record: the end of a transaction.
        """
        tp = TP(*place)
        self._asked.add(tp)
        done, handed = self._next.get(tp, 0), self._handed.get(tp, 0)
        return max(done, self._reached.get(tp, 0)) if done >= handed else done

    def read_when(self, usable: Callable[[int], bool]) -> None:
        """Read only what is in partitions, by their numbers, that are usable; asked before each reading."""
        self._is_usable = usable

    def withhold(self, place: Place) -> None:
        """Read no more of a partition until it is assigned again: then from what is committed."""
        self._withheld.add(TP(*place))


class RoundTransport(driver.Transport):
    """Faust's Kafka transport with our consumer."""

    Consumer = RoundConsumer
