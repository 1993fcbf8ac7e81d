"""The deliver stage on the engine: an agent per topic, three tables, and the account manager."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence

from prometheus_client import REGISTRY

from pipeline.config import Settings
from pipeline.deliver.collector import DeliverCollector
from pipeline.deliver.pages import DeliverPages
from pipeline.deliver.partition.foreign_messages import ForeignMessage, ForeignMessages, refuse
from pipeline.deliver.partition.held_states import HeldStates
from pipeline.deliver.partition.partition_state import PartitionState
from pipeline.deliver.partition.reading import Unreadable, read_receipt, read_record
from pipeline.deliver.partition.receipt_writer import ReceiptWriter
from pipeline.deliver.partition.tables import Tables
from pipeline.deliver.partition.traced_records import TracedRecords
from pipeline.deliver.partition.two_phase_processor import CalledOff, PartitionBatch, TwoPhaseProcessor
from pipeline.deliver.send.account_manager import AccountManager, ManagerDependencies
from pipeline.deliver.send.admission import HeardCall
from pipeline.deliver.send.refused_fields import NOTES
from pipeline.engine.engine import Engine
from pipeline.engine.rounds import Round
from pipeline.engine.steps import Step
from pipeline.engine.table import NotAssigned
from pipeline.engine.worker import Stage, run
from pipeline.events import Lane
from pipeline.kafka.catchup import GroupExtent, look
from pipeline.kafka.messages import ReceivedMessage as Message
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.settings import client_config
from pipeline.kafka.tombstones import is_removal
from pipeline.kafka.topics import DELIVER_APP, RECEIPTS, full_name
from pipeline.metrics import (
    BUDGET_CALLS,
    DELIVER_CALL_SECONDS,
    DELIVER_CALLS,
    DELIVER_FRESHNESS_SECONDS,
    DELIVER_IMPORT_ROWS,
    DELIVER_LIVE_RECORDS,
    DELIVER_LIVE_SECONDS,
    DELIVER_NOTES,
    DELIVER_RECORDS,
    DELIVER_REPAIRS,
)
from pipeline.otel import tracer_of
from pipeline.records import Outcome, Receipt, Record, RecordKind
from pipeline.tracing import Tracer

log = logging.getLogger(__name__)

#: Seconds between checks whether a new partition's receipts are read back.
LOOK = 0.1
#: Seconds within which a live record ought to be delivered, as the service level has it.
LATE_SECONDS = 300.0
#: Messages in one round.
ROUND = 500
#: Messages an agent may have buffered: live records wait behind what a backfill has put there.
BUFFER = 1_500
#: Of the time in which one partition's backlog is taken in. A backfill's calls take hours or days, and other
#: accounts' orders do not wait for its records to come in.
BACKLOG_SHARE = 0.5
#: Share of the session time-out after which a worker without heartbeats makes no more calls.
CUT_OFF = 0.7
#: Room for what Kafka adds to a message.
MESSAGE_OVERHEAD = 4_096


class DeliverWorker:
    """Declares the stage on an engine, and connects it with the account manager.

    Args:
        engine: a worker's engine that has not started.
        name: the worker's name, the same after a restart.
        tracer: of the records' traces; None: they have none.
    """

    def __init__(self, engine: Engine, name: str, tracer: Tracer | None = None) -> None:
        settings = engine.settings
        self._traced = None if tracer is None else TracedRecords(tracer)
        self._engine = engine
        self._settings = settings
        self._receipt_writer = ReceiptWriter(settings, time.time, self._traced)
        self._partitions = settings.kafka.account_partitions
        self._max_bytes = settings.kafka.max_message_bytes - MESSAGE_OVERHEAD
        self._foreign_messages = ForeignMessages(self._receipt_writer, self._max_bytes)
        self._all_tables = (
            engine.table("pending", on_loaded=self._loaded, on_lost=self._lost),
            engine.table("delivered", ttl_days=settings.deliver.state_days, on_loaded=self._loaded),
            engine.table("tally", on_loaded=self._loaded),
        )
        self._tables = Tables(*self._all_tables)
        self.account_manager = AccountManager[Step](
            settings,
            ManagerDependencies(
                worker=name,
                directory=engine.directory / "calls",
                committer=engine,
                receipt_writer=self._receipt_writer,
                fatal=engine.fatal,
                heard=_heard,
                wall=time.time,
                random=random.random,
            ),
        )
        self._processor = TwoPhaseProcessor[Step](engine, self._settled)
        self._states = HeldStates(
            lambda partition: PartitionState(partition, self._tables, self._receipt_writer),
            held=self._held,
            rows=self._all_tables[0].rows,
            look=self._look,
            named=functools.partial(full_name, settings),
        )
        self._opening = asyncio.Lock()
        for kind, lane in itertools.product(RecordKind, Lane):  # from 0 on, so that the first one is seen
            DELIVER_FRESHNESS_SECONDS.labels(kind, lane)
        self._rounds = 0
        self._no_round = asyncio.Event()
        self._no_round.set()
        for kind in RecordKind:
            take = self._handler(functools.partial(self._take, kind))
            engine.agent(f"take-{kind}", [kind.topic], take)
        engine.agent("settle", [RECEIPTS], self._handler(self._settle))
        engine.read_when(self._states.is_usable)
        engine.background(self._build_states)
        engine.background(self._conduct)
        engine.on_pause(self._pause)
        pages = DeliverPages(engine, self._tables, self.account_manager)
        engine.pages |= pages.by_path()

    def partition_states(self) -> Sequence[PartitionState]:
        """The partitions held, delivered to or not yet."""
        return self._states.all()

    # Partitions.

    async def _loaded(self, partitions: frozenset[int]) -> None:
        """Tables were read anew: what is known of them in memory is not to be used any more."""
        await self.account_manager.close(list(partitions), moved=False)
        self._states.reload(partitions)

    async def _lost(self, partitions: frozenset[int]) -> None:
        await self.account_manager.close(list(partitions), moved=True)
        self._states.forget(partitions)

    async def _look(self, places: Collection[TopicPartition]) -> dict[TopicPartition, GroupExtent]:
        """Ask Kafka; by names of topics without the prefix, as they are here."""
        full = {
            TopicPartition(full_name(self._settings, topic), number): (topic, number)
            for topic, number in places
        }
        group = full_name(self._settings, DELIVER_APP)
        found = await asyncio.to_thread(look, client_config(self._settings), group, full)
        return {TopicPartition(*full[place]): extent for place, extent in found.items()}

    async def _build_states(self) -> None:
        """Build the states of the partitions that are held, beside those that are used already."""
        while True:
            if self._engine.not_ready is None:
                with contextlib.suppress(NotAssigned):  # it went to another worker meanwhile
                    await self._states.build(self._held())
            await asyncio.sleep(LOOK)

    async def _conduct(self) -> None:
        """Open each partition's accounts once its receipts are read back, and keep all open ones running."""
        while True:
            if self._engine.not_ready is None:
                with contextlib.suppress(NotAssigned):  # it went to another worker meanwhile
                    await self._open_partitions()
                async with self._opening:
                    if self._cut_off():
                        if self.account_manager.running:
                            log.warning("Kafka is silent: no more calls until the group answers")
                            await self.account_manager.pause(leave=False)
                    elif self._engine.not_ready is None:
                        await self.account_manager.run()
            await asyncio.sleep(LOOK)

    def _cut_off(self) -> bool:
        """Whether the group may soon give the partitions to another worker, which makes calls as well."""
        return self._engine.consumer.silence() > CUT_OFF * self._settings.kafka.session_timeout

    async def _open_partitions(self) -> None:
        async with self._opening:
            if self._engine.not_ready is not None:
                return
            opened = {state.partition for state in self.account_manager.partition_states()}
            ready = [
                state
                for state in self._states.all()
                if state.partition not in opened
                and self._states.has_receipts_read(state, self._engine.dealt_with(RECEIPTS, state.partition))
            ]
            if ready:
                await self.account_manager.open(*ready)
                numbers = ", ".join(str(state.partition) for state in ready)
                log.info("the accounts of partitions %s are delivered to", numbers)

    def _held(self) -> frozenset[int]:
        tables = self._all_tables
        return frozenset.intersection(*(table.partitions for table in tables))

    async def _pause(self) -> None:
        """Partitions may be revoked, or the worker stops: make no calls, and finish rounds in progress."""
        async with self._opening:
            self._processor.call_off()
            # After a long silence the partitions may be another worker's already, and it makes calls.
            member = self._engine.consumer.silence() < self._settings.kafka.session_timeout
            await self.account_manager.pause(leave=member)
            await self._no_round.wait()
            self._processor.go_on()

    # Rounds.

    def _handler(self, work: Callable[[Round], Awaitable[None]]) -> Callable[[Round], Awaitable[None]]:
        """Count rounds in progress; one that is called off is not acknowledged, so it is read again."""

        async def handle(messages: Round) -> None:
            self._rounds += 1
            self._no_round.clear()
            try:
                await work(messages)
            except (NotAssigned, CalledOff):
                log.info("a round is left to whoever holds its partitions next")
            finally:
                self._rounds -= 1
                if not self._rounds:
                    self._no_round.set()

        return handle

    async def _take(self, kind: RecordKind, messages: Round) -> None:
        batches: list[PartitionBatch[Record, Step]] = []
        for tp, values in messages.batches:
            partition_state = await self._states.get(tp.partition)
            records: list[tuple[int, Record]] = []
            unreadable: list[ForeignMessage] = []
            for message in _without_removals(values):
                try:
                    record = read_record(
                        message.value, kind, tp.partition, self._partitions, max_bytes=self._max_bytes
                    )
                except Unreadable as reason:
                    unreadable.append((message, reason))
                else:
                    records.append((message.offset, record))
                    if self._traced is not None:
                        self._traced.heard(kind, tp.partition, message.offset, message.headers)
            done = functools.partial(self._done, tp, values[-1].offset, kind.topic, unreadable)
            batches.append(PartitionBatch(partition_state, records, done))
        await self._processor.take(kind, batches)
        self.account_manager.arrived(
            list({record.account for batch in batches for _, record in batch.values})
        )

    async def _settle(self, messages: Round) -> None:
        batches: list[PartitionBatch[Receipt, Step]] = []
        for tp, values in messages.batches:
            partition_state = await self._states.get(tp.partition)
            receipts: list[tuple[int, Receipt]] = []
            unreadable: list[ForeignMessage] = []
            for message in _without_removals(values):
                try:
                    receipt = read_receipt(message.value, tp.partition, self._partitions)
                except Unreadable as reason:
                    unreadable.append((message, reason))
                else:
                    receipts.append((message.offset, receipt))
            batches.append(
                PartitionBatch(
                    partition_state,
                    receipts,
                    functools.partial(self._done, tp, values[-1].offset, RECEIPTS, unreadable),
                    functools.partial(refuse, unreadable, values),
                    functools.partial(self._passed, tp.partition),
                    functools.partial(self._end, tp.partition),
                )
            )
        await self._processor.settle(batches)

    def _passed(self, partition: int, kind: RecordKind) -> int:
        return self._engine.dealt_with(kind.topic, partition)

    async def _end(self, partition: int, kind: RecordKind) -> int:
        place = TopicPartition(kind.topic, partition)
        return (await self._look([place]))[place].high

    def _done(
        self, tp: TopicPartition, offset: int, topic: str, unreadable: Sequence[ForeignMessage], step: Step
    ) -> None:
        self._foreign_messages.dead_letter(step, tp, topic, unreadable)
        step.done(tp, offset)

    def _settled(self, receipt: Receipt) -> None:
        self.account_manager.settled(receipt)
        account, kind, outcome = receipt.account, receipt.kind, receipt.outcome
        DELIVER_RECORDS.labels(account, receipt.store, kind, outcome, receipt.reason).inc()
        if outcome is Outcome.DELIVERED:
            seconds = max(0.0, (receipt.at_ms - receipt.received_ms) / 1_000)
            DELIVER_FRESHNESS_SECONDS.labels(kind, receipt.lane).observe(seconds)
            if receipt.lane == Lane.LIVE:
                late = "yes" if seconds > LATE_SECONDS else "no"
                DELIVER_LIVE_RECORDS.labels(account, late).inc()
                DELIVER_LIVE_SECONDS.labels(account).inc(seconds)
        for note in NOTES.intersection(receipt.notes):
            DELIVER_NOTES.labels(account, kind, note).inc()
        if receipt.reason == "imported":
            DELIVER_IMPORT_ROWS.labels(account, kind).inc()
        for repaired in receipt.repaired:
            DELIVER_REPAIRS.labels(account, repaired.partition("|")[0]).inc()


def _without_removals(messages: Sequence[Message]) -> list[Message]:
    """Those that are not an erasure's."""
    return [message for message in messages if message.value or not is_removal(message.headers)]


def _heard(account: str, call: HeardCall) -> None:
    DELIVER_CALLS.labels(account, call.route, call.purpose, call.answer.label).inc()
    BUDGET_CALLS.labels(account, call.lane, call.use).inc()
    DELIVER_CALL_SECONDS.labels(call.route).observe(call.seconds)


def serve(settings: Settings, *, worker: str, host: str, port: int) -> int:
    """Run one deliver worker until SIGTERM; see `engine.worker.run`."""

    def build(engine: Engine) -> None:
        stage = DeliverWorker(engine, worker, tracer_of(settings, "deliver"))
        configured: dict[str, list[str]] = {account: [] for account in settings.accounts}
        for store, feed in settings.stores.items():
            for account in feed.accounts:
                configured[account].append(store)
        REGISTRY.register(
            DeliverCollector(
                stage.partition_states,
                stage.account_manager.accounts,
                configured,
                settings.kafka.account_partitions,
            )
        )

    stage_of_it = Stage(DELIVER_APP, "deliver", build, ROUND, BUFFER, BACKLOG_SHARE)
    return run(stage_of_it, settings, worker=worker, host=host, port=port)
