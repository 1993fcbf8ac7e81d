"""Where the events of one topic are kept: in Kafka, or in the spool until Kafka takes them.

Each topic has an intake of its own, with its own connection, so that one which Kafka does not take holds up
none of the others (`pipeline.gateway.intakes`).

Two states. *Direct*: events go to Kafka, and the spool holds nothing that Kafka was not given before.
*Spooling*: events go to the spool, behind what lies there, while it is drained into Kafka in order.

Direct ends (`_trip`) when a message is refused, fails, or is not confirmed in time. All unconfirmed messages
then move to the spool in the order they came, before any later one; what Kafka has of them nevertheless
comes twice with one delivery id, which deduplication absorbs. The producer is thrown away with its queue, so
none of it arrives late. Spooling ends when Kafka has confirmed something since, and all that was spooled has
at least been queued: the producer keeps the order between that and what follows directly.

A spooled event is deleted once it and all before it are confirmed. A crash in between repeats some. An event
that Kafka refuses for good (too large, not valid) is moved to `refused`, and the next one is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from pipeline.errors import BrokerError
from pipeline.gateway.message import Message, Stored
from pipeline.gateway.produce import Link
from pipeline.gateway.spool import TopicSpool
from pipeline.gateway.spool_log import Row
from pipeline.kafka.producer import Refused
from pipeline.metrics import GATEWAY_DRAINED, GATEWAY_PRODUCE_SECONDS, GATEWAY_TOPIC_UP

log = logging.getLogger(__name__)

#: How often the producer is polled while something is in flight, and otherwise; seconds.
BUSY_TICK, IDLE_TICK = 0.001, 0.05
#: What of the spool is in flight at once, at most.
WINDOW_EVENTS, WINDOW_BYTES = 2_000, 32_000_000
#: With so few left in the spool, what arrives waits for them.
GATE_EVENTS = 500
RETRY_MIN, RETRY_MAX = 0.1, 5.0


class _Direct:
    """A message a shop waits for."""

    __slots__ = ("future", "intake", "link", "message", "since")

    def __init__(
        self, intake: Intake, link: Link, message: Message, future: asyncio.Future[Stored], since: float
    ) -> None:
        self.intake = intake
        self.link = link
        self.message = message
        self.future = future
        self.since = since

    def reported(self, error: Any, _message: Any) -> None:
        self.intake.on_direct(self, error)


class _Drained:
    """A message of the spool in flight to Kafka."""

    __slots__ = ("confirmed", "intake", "link", "refused", "row")

    def __init__(self, intake: Intake, link: Link, row: Row) -> None:
        self.intake = intake
        self.link = link
        self.row = row
        self.confirmed = False
        self.refused = ""

    def reported(self, error: Any, _message: Any) -> None:
        self.intake.on_drained(self, error)


class Intake:
    """Takes the messages of one topic and keeps them; runs on one event loop.

    Args:
        spool: for what Kafka does not take; this becomes its only user.
        connect: makes a connection to Kafka; called in a thread. BrokerError means: not now.
        confirm_timeout: how long Kafka may take to confirm, in seconds.
        clock: monotonic seconds.
        serves: whether webhooks come to it; else it only drains, and the metrics do not tell of its topic.

    Attributes:
        direct: whether events go to Kafka directly.
        task: runs until `close`; ends before only by a defect, and the process must end with it.
    """

    def __init__(
        self,
        spool: TopicSpool,
        connect: Callable[[], Link],
        *,
        confirm_timeout: float,
        clock: Callable[[], float],
        serves: bool = True,
    ) -> None:
        self._spool = spool
        self._connect = connect
        self._confirm_timeout = confirm_timeout
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._link: Link | None = None
        self.direct = False
        #: Called when events stop going to Kafka directly.
        self.on_trip: Callable[[], None] = lambda: None
        self._doubting: asyncio.Task[None] | None = None
        self._proven = False
        self._failed: str | None = None
        self._waiting: dict[_Direct, None] = {}
        self._draining: deque[_Drained] = deque()
        self._draining_bytes = 0
        self._deleted = self._cursor = spool.start
        #: Events held back, for milliseconds, while the last of the spool goes to the producer: under load
        #: there would always be one more in the spool, and it would never be found empty.
        self._gate: list[tuple[Message, asyncio.Future[Stored]]] | None = None
        self._gate_since = 0.0
        self._retry_delay = RETRY_MIN
        self._retry_at = clock()
        self._retired: set[asyncio.Future[None]] = set()
        self._closing = False
        self._said_down = ""
        self._settled = asyncio.Event()
        self._wake = asyncio.Event()
        spool.on_change = self._wake.set
        self._timer = self._loop.call_soon(self._tick)
        self._ticks_fast = False
        self.task = self._loop.create_task(self._drain())
        self._up = GATEWAY_TOPIC_UP.labels(spool.topic) if serves else None
        self._say_up(0)

    def submit(self, message: Message) -> asyncio.Future[Stored]:
        """Keep a message. The future says where it is safe, or raises `Overloaded`."""
        future: asyncio.Future[Stored] = self._loop.create_future()
        if self.direct and self._link is not None:
            self._send(self._link, message, future)
        elif self._gate is not None:
            self._gate.append((message, future))
        else:
            self._spool.append(message, future)
        return future

    def complaint(self) -> str | None:
        """Why no event could be kept now; None when it could."""
        reason = None if self.direct else self._spool.refuses_all()
        return None if reason is None else f"Kafka does not take {self._spool.topic} now, and {reason}"

    def doubt(self) -> None:
        """Events of another topic do not reach Kafka: ask whether those of this one would."""
        if self.direct and self._link is not None and (self._doubting is None or self._doubting.done()):
            self._doubting = self._loop.create_task(self._probe(self._link))

    @property
    def _unsent(self) -> int:
        return self._spool.unrefused - len(self._draining)

    async def close(self) -> None:
        """Wait for messages in flight as long as Kafka may take, spool the rest, close the connection."""
        self._closing = True
        self._wake.set()
        await self.task
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), self._confirm_timeout)
        self._timer.cancel()
        self._trip("the gateway stops")
        if self._doubting is not None:
            await self._doubting
        await asyncio.gather(*self._retired)

    def on_direct(self, entry: _Direct, error: Any) -> None:
        """Kafka's answer for a message that a shop waits for."""
        if entry.link is not self._link:
            return  # it moved to the spool
        if error is not None:
            if entry.link.refuses(error):
                del self._waiting[entry]
                self._spool.append(entry.message, entry.future, refused=str(error))
            else:
                self._failed = self._failed or str(error)
            return
        self._proven = True
        del self._waiting[entry]
        GATEWAY_PRODUCE_SECONDS.observe(self._clock() - entry.since)
        if not entry.future.done():
            entry.future.set_result(Stored.KAFKA)

    def on_drained(self, entry: _Drained, error: Any) -> None:
        """Kafka's answer for a message of the spool."""
        if entry.link is not self._link:
            return  # it will be read again
        if error is None:
            self._proven = entry.confirmed = True
            GATEWAY_DRAINED.inc()
        elif entry.link.refuses(error):
            entry.confirmed, entry.refused = True, str(error)
        else:
            self._failed = self._failed or str(error)
            return
        self._delete()

    def _delete(self) -> None:
        """All up to the first that is not decided."""
        while self._draining and self._draining[0].confirmed:
            entry = self._draining.popleft()
            self._draining_bytes -= entry.row.size
            self._deleted = entry.row.place
            self._spool.delete_through(entry.row, entry.refused)
        self._wake.set()

    def _send(self, link: Link, message: Message, future: asyncio.Future[Stored]) -> None:
        entry = _Direct(self, link, message, future, self._clock())
        try:
            topic, key, body, headers = message
            link.send(topic, body, key, None, headers, entry.reported)
        except Refused as refusal:
            if not refusal.for_good:
                self._trip(str(refusal))
            self._spool.append(message, future, refused=str(refusal) if refusal.for_good else "")
            return
        self._waiting[entry] = None
        if not self._ticks_fast:
            self._tick_in(BUSY_TICK)

    def _tick(self) -> None:
        try:
            self._look()
        except Exception:
            # Without ticks nothing is ever confirmed: the process must end.
            self.task.cancel()
            raise

    def _look(self) -> None:
        if self._link is not None:
            self._link.poll()
            oldest = next(iter(self._waiting), None)
            if self._failed is not None:
                self._trip(self._failed)
            elif oldest is not None and self._clock() - oldest.since > self._confirm_timeout:
                self._trip(f"no confirmation within {self._confirm_timeout:g} s")
            elif self._gate is not None and self._clock() - self._gate_since > self._confirm_timeout:
                self._proven = False
                self._leave_gate()
        elif self._clock() >= self._retry_at:
            self._wake.set()
        busy = bool(self._waiting or self._draining)
        if self._closing and not self._waiting and not (self._draining and self._proven):
            self._settled.set()
        self._tick_in(BUSY_TICK if busy else IDLE_TICK)

    def _tick_in(self, seconds: float) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._tick)
        self._ticks_fast = seconds == BUSY_TICK

    def _trip(self, reason: str) -> None:
        """Give this connection up: everything unconfirmed goes to the spool, in order."""
        link, self._link = self._link, None
        if link is None:
            return
        if self._waiting or not self._closing:
            self._say_down(reason)
        link.purge()
        closed = self._loop.run_in_executor(None, link.close)
        self._retired.add(closed)
        closed.add_done_callback(self._retired.discard)
        self._retry_delay = RETRY_MIN if self._proven else min(2 * self._retry_delay, RETRY_MAX)
        self._retry_at = self._clock() + self._retry_delay
        self.direct = self._proven = False
        self._failed = None
        self._say_up(0)
        self._draining.clear()
        self._draining_bytes = 0
        self._cursor = self._deleted
        waiting, self._waiting = self._waiting, {}
        for entry in waiting:
            self._spool.append(entry.message, entry.future)
        self._leave_gate()
        self._wake.set()
        self.on_trip()

    def _say_up(self, value: int) -> None:
        if self._up is not None:
            self._up.set(value)

    def _say_down(self, reason: str) -> None:
        """Once for each reason; librdkafka adds its counts and times in brackets."""
        gist = reason.partition(" (")[0]
        if gist != self._said_down or self._waiting:
            log.warning(
                "Kafka does not take %s: %s; its events go to the spool, %d at once",
                self._spool.topic,
                reason,
                len(self._waiting),
            )
        self._said_down = gist

    def _leave_gate(self) -> None:
        """What was held back goes to the spool after all."""
        gate, self._gate = self._gate or [], None
        for message, future in gate:
            self._spool.append(message, future)

    async def _drain(self) -> None:
        """Drain the spool to Kafka, then send directly; for as long as the gateway runs."""
        while not self._closing:
            link = self._link
            if link is None:
                await self._reconnect()
            elif self.direct:
                await self._pause()
            elif self._unsent:
                await self._drain_some(link)
            elif self._proven:
                self._turn_direct(link)
            elif self._draining:
                await self._pause()
            else:
                await self._probe(link)

    def _turn_direct(self, link: Link) -> None:
        log.info("Kafka takes %s directly", self._spool.topic)
        self._said_down = ""
        self._say_up(1)
        self.direct = True
        gate, self._gate = self._gate or [], None
        for message, future in gate:
            if self.direct:
                self._send(link, message, future)
            else:  # one of them was refused
                self._spool.append(message, future)

    async def _pause(self) -> None:
        await self._wake.wait()
        self._wake.clear()

    async def _reconnect(self) -> None:
        if self._clock() < self._retry_at:
            await self._pause()
            return
        try:
            self._link = await self._loop.run_in_executor(None, self._connect)
        except BrokerError as error:
            self._retry_delay = min(2 * self._retry_delay, RETRY_MAX)
            self._retry_at = self._clock() + self._retry_delay
            self._say_down(error.message)

    async def _probe(self, link: Link) -> None:
        """With nothing in the spool to try it on, ask whether Kafka is there."""
        complaint = await self._loop.run_in_executor(None, link.probe, self._spool.topic)
        if self._link is not link:
            return
        if complaint is None:
            self._proven = True
        else:
            self._trip(complaint)

    async def _drain_some(self, link: Link) -> None:
        free = WINDOW_EVENTS - len(self._draining)
        if free <= 0 or self._draining_bytes >= WINDOW_BYTES:
            await self._pause()
            return
        rows = await self._spool.read(self._cursor, free, WINDOW_BYTES - self._draining_bytes)
        if self._link is not link:
            return
        if self._proven and self._gate is None and self._unsent - len(rows) < GATE_EVENTS:
            self._gate, self._gate_since = [], self._clock()
        if not rows:  # they are being written
            await self._pause()
        for row in rows:
            entry = _Drained(self, link, row)
            try:
                topic, key, body, headers = row.message
                link.send(topic, body, key, None, headers, entry.reported)
            except Refused as refusal:
                if not refusal.for_good:
                    self._trip(str(refusal))
                    return
                entry.confirmed, entry.refused = True, str(refusal)
            self._cursor = row.place
            self._draining.append(entry)
            self._draining_bytes += row.size
        self._delete()
        if not self._ticks_fast:
            self._tick_in(BUSY_TICK)
