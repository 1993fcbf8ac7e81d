"""The process of a run: reads the range, repeats what is chosen, and stays little ahead of delivery.

How far it is lies on `replay.runs`, written once what was repeated is confirmed. Whoever goes on after it was
killed repeats at most what was let out since; that changes nothing (docs/adr/0013).
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from pipeline.config import Settings
from pipeline.errors import PipelineError
from pipeline.kafka.errors import KafkaUnreachable
from pipeline.kafka.keys import unique_key
from pipeline.kafka.messages import LibrdkafkaMessage, TopicPartition
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.ranges import MessageBatch, OffsetRange
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.replays import ReplayMark, replay_headers
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import REPLAY, full_name
from pipeline.replay.ahead import Ahead
from pipeline.replay.planning import calls_per_minute, rejected_places
from pipeline.replay.run import ENDED, Control, Run, RunStatus
from pipeline.replay.runs import Runs
from pipeline.replay.selection import Chooser
from pipeline.replay.window import Throttle, Window

log = logging.getLogger(__name__)

#: Seconds between two looks at what is under way, and between two words of how far it is.
LOOK, CHECKPOINT, HEARTBEAT = 0.3, 2.0, 5.0
#: Seconds after which Kafka is tried again once it did not answer.
AGAIN = 5.0
#: Events repeated at once.
MOST_AT_ONCE = 1_000


class TakenOverError(PipelineError):
    """Another process works on this run."""


class Runner:
    """One run's process.

    Args:
        settings: the program's.
        runs: where its state lies.
        name: the run's id.
        shown: told after each look how far it is.
        stop: set from elsewhere to end the process; the run itself is left as it is.
    """

    def __init__(
        self,
        settings: Settings,
        runs: Runs,
        name: str,
        *,
        shown: Callable[[Run], object] = lambda _run: None,
        stop: threading.Event | None = None,
    ) -> None:
        self._settings = settings
        self._runs = runs
        self._run = runs.get(name)
        self._shown = shown
        self._stop = stop or threading.Event()
        self._prefix = settings.kafka.topic_prefix
        self._replay = full_name(settings, REPLAY)
        self._window = Window.of(calls_per_minute(settings, sorted(self._run.plan.choice.stores)))
        self._throttle = Throttle()
        self._owner = secrets.token_hex(4)
        self._source: EventSource | None = None
        self._written = self._worked = time.monotonic()

    def work(self) -> Run:
        """Work until the run is over, or `stop` is set; returns it as it is then.

        Raises:
            TakenOverError: another process took the run over.
            PipelineError: Kafka does not answer, or the range is gone; the run can be resumed.
        """
        run = self._run
        if run.state.status in ENDED:
            return run
        run.state.epoch, run.state.owner = run.state.epoch + 1, self._owner
        run.state.status, run.state.error = RunStatus.RUNNING, ""
        while True:
            try:
                self._work()
                break
            except KafkaUnreachable as error:
                log.warning("replay %s waits for Kafka: %s", run.plan.run, error)
                self._worked = time.monotonic()
                if self._stop.wait(AGAIN):
                    break
            except PipelineError as error:
                if not isinstance(error, TakenOverError):
                    run.state.status, run.state.error = RunStatus.FAILED, error.message
                    with contextlib.suppress(PipelineError):
                        self._write()
                raise
        self._shown(run)
        return run

    def _work(self) -> None:
        run = self._run
        ahead = Ahead(self._settings, run.state)
        producer = Producer(
            client_config(self._settings), max_message_bytes=self._settings.kafka.max_message_bytes
        )
        try:
            self._write()
            places = rejected_places(self._settings, run.plan.choice)
            chooser = Chooser(run.plan.choice, places)
            while not self._stop.is_set() and self._round(ahead, producer, chooser):
                self._shown(run)
            self._write()
        finally:
            self._let_go()
            ahead.close()
            producer.close()

    def _round(self, ahead: Ahead, producer: Producer, chooser: Chooser) -> bool:
        """One look, and what there is room for; whether there is more to do."""
        run, state = self._run, self._run.state
        control = self._obey()
        under_way = ahead.look()
        self._clock(ahead, working=state.status is RunStatus.RUNNING)
        if control.wanted is RunStatus.CANCELLED:
            state.status = RunStatus.CANCELLED
            return False
        if control.wanted is RunStatus.PAUSED:
            self._let_go()
            if state.status is not RunStatus.PAUSED:
                state.status = RunStatus.PAUSED
                self._write()
        else:
            state.status = RunStatus.RUNNING
            room = min(self._window.room(under_way), MOST_AT_ONCE)
            did = self._repeat(producer, chooser, self._throttle.room(room))
            if not did and run.done >= run.plan.offsets and under_way == 0:
                state.status = RunStatus.DONE
                return False
        if time.monotonic() - self._written > (CHECKPOINT if under_way else HEARTBEAT):
            self._write()
        self._stop.wait(LOOK)
        return True

    def _obey(self) -> Control:
        """What is wanted now.

        Raises:
            TakenOverError: another process took the run over.
        """
        found = self._runs.get(self._run.plan.run)
        mine = self._run.state.epoch, self._owner
        if (found.state.epoch, found.state.owner) > mine:
            raise TakenOverError("another process works on this replay")
        self._run.control = found.control
        self._throttle.per_minute = found.control.per_minute
        return found.control

    def _clock(self, ahead: Ahead, *, working: bool) -> None:
        now = time.monotonic()
        seconds, self._worked = now - self._worked, now
        self._window.ended(ahead.ended_free(), seconds)
        if working:
            self._run.state.working += seconds
            self._throttle.passed(seconds)

    def _repeat(self, producer: Producer, chooser: Chooser, room: int) -> int:
        """Repeat up to so many of the next chosen events; returns how many, or how many were passed over."""
        run, state = self._run, self._run.state
        if room <= 0 or run.done >= run.plan.offsets:
            return 0
        if self._source is None:
            self._source = EventSource(self._settings, run, chooser)
        chosen, read, nexts = self._source.take(room, until=time.monotonic() + CHECKPOINT)
        producer.send_all([self._outgoing(message) for message in chosen])
        state.next, state.read, state.sent = nexts, state.read + read, state.sent + len(chosen)
        self._throttle.took(len(chosen))
        return len(chosen) or read

    def _outgoing(self, message: LibrdkafkaMessage) -> Outgoing:
        plan = self._run.plan
        topic = message.topic.removeprefix(self._prefix)
        mark = ReplayMark(plan.run, topic, message.partition, message.offset, plan.mode, plan.trigger)
        key, headers = unique_key(message.key or b""), replay_headers(message.headers, mark)
        return Outgoing(self._replay, message.value, key, message.partition, headers)

    def _let_go(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def _write(self) -> None:
        self._written = time.monotonic()
        self._runs.write(self._run.state)


class EventSource:
    """The chosen events of what is left of a run, in the order of each partition."""

    def __init__(self, settings: Settings, run: Run, chooser: Chooser) -> None:
        self._prefix = settings.kafka.topic_prefix
        self._chooser = chooser
        self._reader = RangeReader(client_config(settings))
        parts = run.plan.parts
        self._numbers = {
            TopicPartition(self._prefix + part.topic, part.partition): number
            for number, part in enumerate(parts)
        }
        self._ends = [part.end for part in parts]
        self._nexts = list(run.state.next)
        ranges = [
            OffsetRange(place, self._nexts[number], self._ends[number])
            for place, number in self._numbers.items()
        ]
        # What was deleted meanwhile is gone for good: the rest is repeated.
        self._batches: Iterator[MessageBatch] = self._reader.read(ranges, on_lost=lambda _: None)
        #: Number of the part, offset, and the message where it is chosen.
        self._rest: deque[tuple[int, int, LibrdkafkaMessage | None]] = deque()
        self._over = False

    def take(self, most: int, *, until: float) -> tuple[list[LibrdkafkaMessage], int, list[int]]:
        """Up to `most` chosen events, how many were read for that, and each part's next offset."""
        chosen: list[LibrdkafkaMessage] = []
        read = 0
        while len(chosen) < most and time.monotonic() < until and self._more():
            number, offset, message = self._rest.popleft()
            self._nexts[number] = offset + 1
            read += 1
            if message is not None:
                chosen.append(message)
        if self._over and not self._rest:
            self._nexts = list(self._ends)
        return chosen, read, list(self._nexts)

    def _more(self) -> bool:
        while not self._rest and not self._over:
            batch = next(self._batches, None)
            if batch is None:
                self._over = True
                break
            number = self._numbers[batch.place]
            topic, partition = batch.place.topic.removeprefix(self._prefix), batch.place.partition
            takes = self._chooser.takes
            for raw in batch.raw:
                offset = raw.offset()
                taken = takes(topic, partition, offset, raw.key())
                self._rest.append((number, offset, LibrdkafkaMessage.of(raw) if taken else None))
        return bool(self._rest)

    def close(self) -> None:
        """Let go of the connection; what was read and not taken is read again."""
        self._reader.__exit__(None, None, None)


__all__ = ["EventSource", "Runner", "TakenOverError"]
