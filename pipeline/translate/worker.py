"""The translate stage: one agent over `shop.*` and `shop.replay`, a table of entities and one of tallies."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import orjson
from prometheus_client import REGISTRY

from pipeline.config import Settings
from pipeline.engine.engine import Engine
from pipeline.engine.rounds import Round
from pipeline.engine.steps import Step
from pipeline.engine.table import NotAssigned
from pipeline.engine.worker import Stage, run
from pipeline.events import Kind, Lane, RawEvent
from pipeline.http_access import problem
from pipeline.kafka.keys import entity_key, partition_of_key
from pipeline.kafka.messages import ReceivedMessage as Message
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.replays import ERASES, ReplayMode, event_headers
from pipeline.kafka.tombstones import is_removal
from pipeline.kafka.topics import (
    DEADLETTERS,
    REPLAY,
    TRANSLATE_APP,
    full_name,
    letter_partition,
)
from pipeline.logs import Sparingly, of_delivery
from pipeline.metrics import (
    TRANSLATE_AGE_SECONDS,
    TRANSLATE_ROUND_SECONDS,
    TRANSLATE_SLOW,
)
from pipeline.otel import tracer_of
from pipeline.shops.base import Rejected
from pipeline.shops.platform import AnyPlatform
from pipeline.shops.registry import PLATFORMS
from pipeline.tracing import Tracer, delivery_in
from pipeline.translate.emit import Again
from pipeline.translate.entity_page import ENTITY_PAGE, asked_entity, remembered_entity
from pipeline.translate.entity_states import EntityStates
from pipeline.translate.held_partitions import HeldPartitions
from pipeline.translate.outbox import Outbox
from pipeline.translate.reading import (
    UNKNOWN,
    UnknownStore,
    dead_letter,
    mark_of,
    read,
    store_of,
    stores_of,
)
from pipeline.translate.replayed import apply_again
from pipeline.translate.round_work import RoundWork
from pipeline.translate.rules import (
    MESSAGE_OVERHEAD,
    EventPosition,
    Feed,
    Result,
    apply,
    bounded,
    max_record_bytes,
    rejection,
)
from pipeline.translate.state import EntityState
from pipeline.translate.totals import AccountCollector, StoreTallies

log = logging.getLogger(__name__)

#: After this many unexpected errors in a row the bodies are not the cause: end, make no more dead letters.
BUGS_IN_A_ROW = 25
#: An event that takes longer than this is logged and counted.
SLOW_SECONDS = 1.0
#: After this long other tasks run: health checks, confirmations, the group's callbacks.
BREATH_SECONDS = 0.1
#: After so long a step is submitted: the events of other partitions do not wait for the whole round.
STEP_SECONDS = 0.5


class Translator:
    """Turns rounds of messages into steps."""

    def __init__(
        self,
        engine: Engine,
        platforms: Mapping[str, AnyPlatform],
        clock: Callable[[], float] = time.time,
        tracer: Tracer | None = None,
    ) -> None:
        settings = engine.settings
        self._engine = engine
        self._clock = clock
        self._stores = stores_of(settings, platforms)
        self._holding = HeldPartitions()
        for store in (*self._stores.feeds, UNKNOWN):  # from 0 on, so that the first one is seen
            for kind in Kind:
                TRANSLATE_SLOW.labels(store, kind)
        self._strange, self._dead = Sparingly(), Sparingly()
        self._max_bytes = settings.kafka.max_message_bytes - MESSAGE_OVERHEAD
        self._max_record = max_record_bytes(settings.kafka.max_message_bytes)
        self._kinds = {full_name(settings, kind.topic): kind for kind in Kind}
        self._replay = full_name(settings, REPLAY)
        self._deadletters = full_name(settings, DEADLETTERS)
        self._outbox = Outbox(settings, tracer)
        self._bugs = 0
        self._in_hand = asyncio.Lock()
        self._moved: set[tuple[str, str]] = set()
        self.books = StoreTallies()
        self.entities = engine.table("entities", ttl_days=settings.translate.state_days)
        self.tallies = engine.table("tally", on_loaded=self._load_books, on_lost=self._forget)
        engine.agent("translate", [*(kind.topic for kind in Kind), REPLAY], self.handle)
        engine.on_pause(self._finish_round)
        engine.background(self._holding.remind)
        engine.concerns.append(self._holding.complaint)
        engine.pages[ENTITY_PAGE] = self.entity_page

    async def _load_books(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self.books.load(partition, self.tallies.items(partition))

    async def _forget(self, partitions: frozenset[int]) -> None:
        await self.books.forget(partitions)
        await self._holding.forget(partitions)

    async def entity_page(self, query: Mapping[str, str]) -> tuple[int, bytes]:
        """The page that says what is remembered of an entity."""
        asked = asked_entity(query)
        if asked is None:
            return problem(400, "query", "it names a store, a kind and an id of an entity")
        topic = asked.kind.topic
        partition = partition_of_key(asked.key, self._engine.settings.kafka.shop_partitions)
        try:
            row = self.entities.get(partition, asked.key)
        except NotAssigned:
            return await self._engine.elsewhere(topic, partition)
        place = TopicPartition(full_name(self._engine.settings, topic), partition)
        held = self._holding.reason(place)
        passed = self._engine.dealt_with(topic, partition)
        said = remembered_entity(asked, row, partition=partition, next_offset=passed, held=held)
        return 200, orjson.dumps({"worker": self._engine.worker, **said})

    async def _finish_round(self) -> None:
        """Wait for the round in progress: its partitions must not be revoked while it yields to the loop."""
        async with self._in_hand:
            pass

    async def handle(self, events: Round) -> None:
        """Translate one round and hand its effects to the engine, the lightest partition first."""
        batches = list(events.batches)
        if len(batches) > 1:
            batches.sort(key=_weight)
        async with self._in_hand:
            while batches:
                await self._step(batches)

    async def _step(self, batches: list[tuple[TopicPartition, list[Message]]]) -> None:
        """One step of a round: as many of the partitions as are translated in its time, at least one."""
        started = time.perf_counter()
        with self._engine.begin() as step:
            work = RoundWork(step)
            # Nothing is written before all is translated: from the first write on nothing else may run.
            states: dict[int, EntityStates] = {}
            done = 0
            for tp, messages in batches:
                if done and time.perf_counter() - started > STEP_SECONDS:
                    break
                # One for all topics of a partition: a replay repeats events of entities of theirs.
                known = states.setdefault(tp.partition, EntityStates(self.entities, tp.partition))
                await self._translate(work, tp, messages, known)
                done += 1
            del batches[:done]
            for changed in states.values():
                changed.write(step)
            for partition, store, row in self.books.changed():
                step.write(self.tallies, partition, store, row)
            work.export()
            self._announce(work)
            TRANSLATE_ROUND_SECONDS.observe(time.perf_counter() - started)
            await self._engine.submit(step)

    def _announce(self, work: RoundWork) -> None:
        """Log what is counted for no store of the settings."""
        for (topic, reason), count in work.strange.items():
            emitted = self._strange.happened((topic, reason), count)
            if emitted:
                log.warning(
                    "%s: %d messages are no events of a store of the settings (%s): dead letters",
                    topic,
                    emitted,
                    reason,
                )

    async def _translate(
        self, work: RoundWork, tp: TopicPartition, messages: list[Message], states: EntityStates
    ) -> None:
        """One partition's messages of a round, up to one that has to wait."""
        if self._holding.is_behind(tp, messages[0].offset):
            return
        self._holding.release(tp)
        states.load(messages)
        handle = self._of_replay if tp.topic == self._replay else self._message
        oldest: int | None = None
        began = breath = time.perf_counter()
        for message in messages:
            try:
                live = None
                if message.value or not is_removal(message.headers):
                    live = handle(work, tp, message, states)
            except UnknownStore as unknown:
                self._holding.hold(tp, message.offset, unknown.store)
                self._engine.withhold(tp)
                break
            if live is not None and (oldest is None or live < oldest):
                oldest = live
            work.step.done(tp, message.offset)
            ended = time.perf_counter()
            if ended - began > SLOW_SECONDS:
                self._slow(tp, message, ended - began)
            if ended - breath > BREATH_SECONDS:
                await asyncio.sleep(0)
                ended = breath = time.perf_counter()
            began = ended
        if oldest is not None:
            TRANSLATE_AGE_SECONDS.observe(max(0.0, self._clock() - oldest / 1_000))

    def _message(
        self, work: RoundWork, tp: TopicPartition, message: Message, states: EntityStates
    ) -> int | None:
        """One message; returns when the gateway had it, where it is a live event.

        Raises:
            UnknownStore: it has to wait, and so has what comes behind it.
        """
        kind = self._kinds[tp.topic]
        place = EventPosition(kind.topic, tp.partition, message.offset)
        live: int | None = None
        try:
            event, feed = read(message.key, message.value, message.headers, kind, self._stores)
        except Rejected as rejected:
            store, account = store_of(message.headers, self._stores.feeds), ""
            result = rejection(rejected)
            if store == UNKNOWN:
                work.strange[tp.topic, rejected.reason] += 1
        else:
            store, account = event.store, feed.account
            result = self._event(work, event, place, states, feed)
            if event.lane is Lane.LIVE:
                live = event.received_ms
        if result.rejection is not None:
            self._dead_letter(work.step, message, place, result.rejection, account)
        self.books.count(place, store, kind, result, account)
        work.counted[store, kind, result.outcome] += 1
        return live

    def _of_replay(self, work: RoundWork, tp: TopicPartition, message: Message, states: EntityStates) -> None:
        if any(name == ERASES for name, _ in message.headers):
            states.forget_person(entity_key(message.key or b""))
        else:
            self._repeated(work, tp, message, states)

    def _repeated(self, work: RoundWork, tp: TopicPartition, message: Message, states: EntityStates) -> None:
        """One message of a replay: an event that lies in `shop.*`, once more."""
        here = EventPosition(REPLAY, tp.partition, message.offset)
        store, account = store_of(message.headers, self._stores.feeds), ""
        kind: Kind | None = None
        place, is_redriven = here, False
        try:
            mark, kind = mark_of(message.headers, tp.partition)
            place, is_redriven = EventPosition(kind.topic, mark.partition, mark.offset), mark.is_redriven
            event, feed = read(message.key, message.value, event_headers(message.headers), kind, self._stores)
        except Rejected as rejected:
            result = rejection(rejected)
        except UnknownStore:
            # It lies in its topic still: nothing else of the replay waits for it.
            result = rejection(Rejected("unknown_store", detail="the store is not in the settings"))
        else:
            account = feed.account
            again = Again(resend=mark.mode is ReplayMode.FORCE, run_workflows=mark.trigger)
            result = self._event(work, event, place, states, feed, again)
        if result.rejection is not None:
            self._dead_letter(work.step, message, place, result.rejection, account)
            if is_redriven:
                work.refused_again[account, store, kind or UNKNOWN, result.reason] += 1
        self.books.count(here, store, kind or UNKNOWN, result, account, True)
        work.repeated[store, kind or UNKNOWN, result.outcome] += 1

    def _slow(self, tp: TopicPartition, message: Message, seconds: float) -> None:
        store = store_of(message.headers, self._stores.feeds)
        if tp.topic in self._kinds:
            TRANSLATE_SLOW.labels(store, self._kinds[tp.topic]).inc()
        log.warning(
            "%s: %s partition %d offset %d took %.1f s to compute (%d bytes); what is behind it waited",
            store,
            tp.topic,
            tp.partition,
            message.offset,
            seconds,
            len(message.value or b""),
            extra=of_delivery(delivery_in(message.headers)),
        )

    def _event(  # noqa: PLR0917 - positional: once per event
        self,
        work: RoundWork,
        event: RawEvent,
        place: EventPosition,
        states: EntityStates,
        feed: Feed,
        again: Again | None = None,
    ) -> Result:
        """Process one event, send its records, and keep its entity's new state."""
        state = states.get(event.key)
        result = self._result(event, place, state, feed, again)
        if result.remember:
            states.put(event.key, state)
        if result.moved_from:
            self._say_moved(event.store, result.moved_from, feed.account)
        self._outbox.send(work, event, place, result, again)
        return result

    def _say_moved(self, store: str, before: str, account: str) -> None:
        """Log once per store and account that the store has moved."""
        if (store, before) not in self._moved:
            self._moved.add((store, before))
            log.warning(
                "store %s: moved from account %s to %s. What %s holds stays there; cancellations and "
                "withdrawals still reach it. %s gets each entity with its next event.",
                store,
                before,
                account,
                before,
                account,
            )

    def _result(
        self, event: RawEvent, place: EventPosition, state: EntityState, feed: Feed, again: Again | None
    ) -> Result:
        """The event's result. An unexpected error must not lose the event, nor stall those behind it."""
        try:
            if again is None:
                result = apply(event, place, state, feed)
            else:
                result = apply_again(event, place, state, feed, again)
        except Exception as bug:
            self._bugs += 1
            if self._bugs >= BUGS_IN_A_ROW:
                raise
            said = of_delivery(event.delivery)
            log.exception("store %s: an event cannot be translated: %s", event.store, place, extra=said)
            return rejection(Rejected("translate_error", detail=type(bug).__name__))
        self._bugs = 0
        return bounded(result, self._max_record)

    def _dead_letter(
        self, step: Step, message: Message, place: EventPosition, rejected: Rejected, account: str
    ) -> None:
        self._say_dead(message, place, rejected)
        letter = dead_letter(
            message,
            rejected,
            place,
            account=account,
            at_ms=int(self._clock() * 1_000),
            max_bytes=self._max_bytes,
        )
        step.send(self._deadletters, letter.value, letter.key, letter_partition(letter.key), letter.headers)

    def _say_dead(self, message: Message, place: EventPosition, rejected: Rejected) -> None:
        """Now and then, how many events could not be used: by the last of them a person finds the others."""
        store = store_of(message.headers, self._stores.feeds)
        count = 0 if store == UNKNOWN else self._dead.happened((store, place.topic, rejected.reason))
        if count:
            log.warning(
                "store %s: %d events cannot be used (%s), the last at %s/%d/%d: `pipeline dead list`",
                *(store, count, rejected.reason, *place),
                extra=of_delivery(delivery_in(message.headers)),
            )


def _weight(batch: tuple[TopicPartition, list[Message]]) -> int:
    """The bytes of a partition's messages."""
    return sum(len(message.value or b"") for message in batch[1])


#: Something a worker does besides; declared on its engine.
Duty = Callable[[Engine], None]


def build(
    engine: Engine, platforms: Mapping[str, AnyPlatform] = PLATFORMS, duties: Iterable[Duty] = ()
) -> None:
    """Declare the stage on an engine, and what its worker does besides."""
    translator = Translator(engine, platforms, tracer=tracer_of(engine.settings, "translate"))
    REGISTRY.register(AccountCollector(translator.books, engine.settings.stores))
    for declare in duties:
        declare(engine)


def serve(
    settings: Settings,
    *,
    worker: str,
    host: str,
    port: int,
    platforms: Mapping[str, AnyPlatform] = PLATFORMS,
    duties: Iterable[Duty] = (),
) -> int:
    """Run one translate worker until SIGTERM; see `engine.worker.run`."""
    stage = Stage(
        TRANSLATE_APP,
        "translate",
        partial(build, platforms=platforms, duties=duties),
        round_size=settings.translate.batch,
        buffer=settings.translate.buffer,
    )
    return run(stage, settings, worker=worker, host=host, port=port)


__all__ = ["Duty", "Translator", "build", "serve"]
