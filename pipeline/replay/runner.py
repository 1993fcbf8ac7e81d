"""The process of a run: reads the range, repeats what is chosen, and stays little ahead of delivery.

How far it is lies on `replay.runs`, written once what was repeated is confirmed. Whoever goes on after it was
killed repeats at most what was let out since; that changes nothing (docs/adr/0014-replay.md).
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable

from pipeline.config import Settings
from pipeline.errors import BrokerError, PipelineError
from pipeline.kafka.errors import KafkaUnreachable
from pipeline.kafka.keys import unique_key
from pipeline.kafka.messages import LibrdkafkaMessage
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.replays import ReplayMark, replay_headers
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import REPLAY, full_name
from pipeline.replay.ahead import Ahead
from pipeline.replay.planning import calls_per_minute, rejected_places
from pipeline.replay.run import ENDED, Control, Run, RunStatus
from pipeline.replay.runs import Runs
from pipeline.replay.selection import Chooser
from pipeline.replay.source import ChosenCount, EventSource
from pipeline.replay.window import Throttle, Window

log = logging.getLogger(__name__)

#: Seconds between two looks at what is under way, and between two words of how far it is.
LOOK, CHECKPOINT, HEARTBEAT = 0.3, 2.0, 5.0
#: Seconds after which Kafka is tried again once it did not answer.
AGAIN = 5.0
#: So often without getting on, a client that breaks means more than a broker that was killed.
BROKEN_IN_A_ROW = 5
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
        self._count: ChosenCount | None = None
        self._was: tuple[int, ...] = ()
        self._was_broken: tuple[int, ...] = ()
        self._broken = 0
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
        while not self._stop.is_set():
            try:
                self._work()
                break
            except TakenOverError:
                raise
            except Exception as error:
                if not self._passes(error):
                    self._fail(error)
                    raise
                log.warning("replay %s waits for Kafka: %s", run.plan.run, error)
                self._worked = time.monotonic() + AGAIN
                self._stop.wait(AGAIN)
        self._shown(run)
        return run

    def _passes(self, error: Exception) -> bool:
        """Whether to try again with new clients: Kafka is away, or a client broke with a broker."""
        if isinstance(error, KafkaUnreachable):
            return True
        if type(error) is not BrokerError:
            return False
        self._broken = 1 if self._was != self._was_broken else self._broken + 1
        self._was_broken = self._was
        return self._broken < BROKEN_IN_A_ROW

    def _fail(self, error: Exception) -> None:
        """Keep why the run does not go on, for whoever looks at it."""
        run = self._run
        why = error.message if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"
        run.state.status, run.state.error = RunStatus.FAILED, why
        log.error(
            "replay %s failed: %s; `pipeline replay resume %s` goes on where it was",
            run.plan.run,
            why,
            run.plan.run,
            extra={"event": "replay.failed"},
            exc_info=None if isinstance(error, PipelineError) else error,
        )
        # Whoever watches the runs sees it interrupted where even that cannot be written.
        with contextlib.suppress(PipelineError):
            self._write()

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
            if run.plan.choice.is_partial and run.state.chosen is None:
                self._count = ChosenCount(self._settings, run.plan, chooser)
            while not self._stop.is_set() and self._round(ahead, producer, chooser):
                self._shown(run)
            if run.state.status not in ENDED:
                run.state.status = RunStatus.STOPPED
            self._write()
        finally:
            self._let_go()
            self._end_count()
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
                # What ends while it rests says nothing of its rate.
                state.status, state.points = RunStatus.PAUSED, []
                self._write()
        else:
            state.status = RunStatus.RUNNING
            room = min(self._window.room(under_way), MOST_AT_ONCE)
            did = self._repeat(producer, chooser, self._throttle.room(room))
            if not did and run.done >= run.plan.offsets and under_way == 0 and self._count is None:
                state.status = RunStatus.DONE
                return False
        if time.monotonic() - self._written > (CHECKPOINT if under_way else HEARTBEAT):
            self._write()
        self._rest(time.monotonic() + LOOK)
        return True

    def _rest(self, until: float) -> None:
        """Until the next look; meanwhile the chosen events are counted."""
        if self._count is not None and self._count.go_on(until):
            self._run.state.chosen, self._run.state.ids = self._count.events, self._count.ids
            self._end_count()
        self._stop.wait(max(0.0, until - time.monotonic()))

    def _end_count(self) -> None:
        if self._count is not None:
            self._count.close()
            self._count = None

    def _obey(self) -> Control:
        """What is wanted now.

        Raises:
            TakenOverError: another process took the run over.
        """
        found = self._runs.get(self._run.plan.run)
        mine = self._run.state.epoch, self._owner
        if (found.state.epoch, found.state.owner) > mine:
            raise TakenOverError("another process works on this replay")
        if found.control.per_minute != self._run.control.per_minute:
            self._run.state.points = []  # the rate so far was that of another limit
        self._run.control = found.control
        self._throttle.per_minute = found.control.per_minute
        return found.control

    def _clock(self, ahead: Ahead, *, working: bool) -> None:
        run, state = self._run, self._run.state
        now = time.monotonic()
        seconds, self._worked = now - self._worked, now
        self._window.ended(ahead.ended_free(), seconds)
        state.window = self._window.size
        state.looked(ahead.waiting)
        if state.got_on() != self._was:
            self._was, state.moved_ms = state.got_on(), int(time.time() * 1_000)
        if working:
            state.working += seconds
            self._throttle.passed(seconds)
            run.measure()

    def _repeat(self, producer: Producer, chooser: Chooser, room: int) -> int:
        """Repeat up to so many of the next chosen events; returns how many, or how many were passed over."""
        run, state = self._run, self._run.state
        if room <= 0 or run.done >= run.plan.offsets:
            return 0
        if self._source is None:
            self._source = EventSource(self._settings, run.plan, state.next, chooser)
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


__all__ = ["Runner", "TakenOverError"]
