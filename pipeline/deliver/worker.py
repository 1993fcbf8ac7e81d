"""The deliver stage on the engine: an agent per topic, three tables, and the accounts' deliveries."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import orjson
from faust.types import TP
from prometheus_client import REGISTRY

from pipeline.config import Settings
from pipeline.connectif.answers import Answer
from pipeline.deliver.catchup import Extent, look
from pipeline.deliver.clerk import Batch, CalledOff, Clerk
from pipeline.deliver.deliveries import Deliveries, Surroundings
from pipeline.deliver.desk import Desk, Tables
from pipeline.deliver.explain_report import EXPLAIN
from pipeline.deliver.gauges import DeliverCollector
from pipeline.deliver.paper import Paper
from pipeline.deliver.reading import Unreadable, read_receipt, read_record
from pipeline.deliver.refusals import NOTES
from pipeline.deliver.strangers import Stranger, Strangers, refuse
from pipeline.engine.consumer import Round
from pipeline.engine.engine import Engine
from pipeline.engine.steps import Step
from pipeline.engine.table import NotAssigned
from pipeline.engine.worker import Stage, run
from pipeline.errors import BrokerError
from pipeline.events import Lane
from pipeline.kafka import client_config
from pipeline.metrics import (
    DELIVER_CALL_SECONDS,
    DELIVER_CALLS,
    DELIVER_FRESHNESS_SECONDS,
    DELIVER_IMPORT_ROWS,
    DELIVER_NOTES,
    DELIVER_RECORDS,
    DELIVER_REPAIRS,
)
from pipeline.records import Outcome, Receipt, Record, RecordKind
from pipeline.topics import DELIVER_APP, RECEIPTS, full_name

log = logging.getLogger(__name__)

#: Seconds between looks at whether a new partition's receipts are read back.
LOOK = 0.1
#: Messages in one round.
ROUND = 500
#: Messages an agent may have waiting: live records stand behind what a backfill has put there.
BUFFER = 1_500
#: Share of the session's time-out after which a worker that hears nothing of its group makes no more calls.
CUT_OFF = 0.7
#: Room for what Kafka adds to a message.
MESSAGE_OVERHEAD = 4_096
_RECORD_TOPICS = tuple(kind.topic for kind in RecordKind)


class DeliverWorker:
    """Declares the stage on an engine, and connects it with the accounts' deliveries.

    Args:
        engine: a worker's engine that has not started.
        name: the worker's name, the same after a restart.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        settings = engine.settings
        self._engine = engine
        self._settings = settings
        self._paper = Paper(settings, time.time)
        self._partitions = settings.kafka.account_partitions
        self._max_bytes = settings.kafka.max_message_bytes - MESSAGE_OVERHEAD
        self._strangers = Strangers(self._paper, self._max_bytes)
        self._all_tables = (
            engine.table("pending", on_loaded=self._loaded, on_lost=self._lost),
            engine.table("delivered", ttl_days=settings.deliver.state_days, on_loaded=self._loaded),
            engine.table("tally", on_loaded=self._loaded),
        )
        self._tables = Tables(*self._all_tables)
        self.deliveries = Deliveries[Step](
            settings,
            Surroundings(
                worker=name,
                directory=engine.directory / "calls",
                post=engine,
                paper=self._paper,
                fatal=engine.fatal,
                heard=_heard,
                wall=time.time,
                random=random.random,
            ),
        )
        self._clerk = Clerk[Step](engine, self._settled)
        self._desks: dict[int, Desk] = {}
        self._stale: set[int] = set()
        self._behind: dict[int, Extent] = {}
        self._loading = asyncio.Lock()
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
        engine.background(self._conduct)
        engine.on_pause(self._pause)
        engine.pages[EXPLAIN] = self.explained

    def explained(self, query: Mapping[str, str]) -> tuple[int, bytes]:
        """The page that `pipeline deliver explain` reads."""
        accounts = dict(self.deliveries.accounts())
        found = accounts.get(query.get("account", ""))
        if found is None:
            hint = "this worker has no such account; ask the others, or see whether the settings name it"
            return 404, orjson.dumps({"accounts": sorted(accounts), "hint": hint})
        return 200, orjson.dumps({"worker": self._engine.complaint or "", **found.explained()})

    def desks(self) -> Sequence[Desk]:
        """The partitions held, delivered to or not yet."""
        return list(self._desks.values())

    # Partitions.

    async def _loaded(self, partitions: frozenset[int]) -> None:
        """Tables were read anew: what is known of them in memory is not to be used any more."""
        self._stale |= partitions

    async def _lost(self, partitions: frozenset[int]) -> None:
        await self.deliveries.close(list(partitions), moved=True)
        for partition in partitions:
            self._desks.pop(partition, None)
            self._behind.pop(partition, None)

    async def _desk(self, partition: int) -> Desk:
        """The partition's desk, built from the tables where it is not there or not up to date."""
        async with self._loading:
            while partition in self._stale or partition not in self._desks:
                await self.deliveries.close([partition], moved=False)
                self._behind.pop(partition, None)
                self._stale.discard(partition)  # before reading: the tables may be read anew meanwhile
                desk = Desk(partition, self._tables, self._paper)
                await desk.load()
                await self._look(desk)
                if partition not in self._held():
                    raise NotAssigned(f"partition {partition} went away while its index was built")
                self._desks[partition] = desk
            return self._desks[partition]

    async def _look(self, desk: Desk) -> None:
        """See how far receipts must be read back, and that the topics are those that were counted.

        Raises:
            BrokerError: a topic is shorter than what was counted of it.
        """
        topics = {name: full_name(self._settings, name) for name in (*_RECORD_TOPICS, RECEIPTS)}
        group, config = full_name(self._settings, DELIVER_APP), client_config(self._settings)
        found = await asyncio.to_thread(look, config, group, list(topics.values()), desk.partition)
        for _, _, tally in desk.tallies():
            for name, offset in tally.counted_up_to():
                if offset >= found[topics[name]].high:
                    raise BrokerError(
                        f"{topics[name]} partition {desk.partition} ends at {found[topics[name]].high}, but "
                        f"offset {offset} was counted: the topic was made anew, and what is in it now would "
                        "be taken for what was dealt with",
                        hint="start with a new kafka.topic_prefix, or delete the stage's changelogs too",
                    )
        self._behind[desk.partition] = found[topics[RECEIPTS]]

    async def _conduct(self) -> None:
        """Open each partition's accounts once its receipts are read back, and keep all open ones running."""
        while True:
            if self._engine.not_ready is None:
                with contextlib.suppress(NotAssigned):  # it went to another worker meanwhile
                    await self._open_partitions()
                async with self._opening:
                    if self._cut_off():
                        if self.deliveries.running:
                            log.warning("Kafka is silent: no more calls until the group answers")
                            await self.deliveries.pause(leave=False)
                    elif self._engine.not_ready is None:
                        await self.deliveries.run()
            await asyncio.sleep(LOOK)

    def _cut_off(self) -> bool:
        """Whether the group may soon give the partitions to another worker, which makes calls as well."""
        return self._engine.consumer.silence() > CUT_OFF * self._settings.kafka.session_timeout

    async def _open_partitions(self) -> None:
        opened = {desk.partition for desk in self.deliveries.desks()}
        usable = opened - self._stale
        waiting = [partition for partition in self._held() if partition not in usable]
        for partition in waiting:
            await self._desk(partition)
        for partition in waiting:
            behind, read = self._behind.get(partition), self._engine.dealt_with(RECEIPTS, partition)
            if behind is not None and behind.caught_up(read):
                await self._open(partition)

    async def _open(self, partition: int) -> None:
        async with self._opening:
            desk = self._desks.get(partition)
            if self._engine.not_ready is None and desk is not None and partition not in self._stale:
                await self.deliveries.open(desk)
                log.info("partition %d: its accounts are delivered to", partition)

    def _held(self) -> frozenset[int]:
        tables = self._all_tables
        return frozenset.intersection(*(table.partitions for table in tables))

    async def _pause(self) -> None:
        """Partitions may go, or the end has come: call no one, and finish the rounds in hand."""
        async with self._opening:
            self._clerk.call_off()
            # After a long silence the partitions may be another worker's already, and it makes calls.
            member = self._engine.consumer.silence() < self._settings.kafka.session_timeout
            await self.deliveries.pause(leave=member)
            await self._no_round.wait()
            self._clerk.go_on()

    # Rounds.

    def _handler(self, work: Callable[[Round], Awaitable[None]]) -> Callable[[Round], Awaitable[None]]:
        """Rounds in hand are known; one that is called off is not acknowledged, so it is read again."""

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
        batches: list[Batch[Record, Step]] = []
        for tp, values in messages.batches:
            desk = await self._desk(tp.partition)
            records: list[tuple[int, Record]] = []
            unreadable: list[Stranger] = []
            for message in values:
                try:
                    record = read_record(
                        message.value, kind, tp.partition, self._partitions, max_bytes=self._max_bytes
                    )
                except Unreadable as reason:
                    unreadable.append((message, reason))
                else:
                    records.append((message.offset, record))
            done = functools.partial(self._done, tp, values[-1].offset, kind.topic, unreadable)
            batches.append(Batch(desk, records, done))
        await self._clerk.take(kind, batches)
        self.deliveries.arrived(list({record.account for batch in batches for _, record in batch.values}))

    async def _settle(self, messages: Round) -> None:
        batches: list[Batch[Receipt, Step]] = []
        for tp, values in messages.batches:
            desk = await self._desk(tp.partition)
            receipts: list[tuple[int, Receipt]] = []
            unreadable: list[Stranger] = []
            for message in values:
                try:
                    receipt = read_receipt(message.value, tp.partition, self._partitions)
                except Unreadable as reason:
                    unreadable.append((message, reason))
                else:
                    receipts.append((message.offset, receipt))
            batches.append(
                Batch(
                    desk,
                    receipts,
                    functools.partial(self._done, tp, values[-1].offset, RECEIPTS, unreadable),
                    functools.partial(refuse, unreadable, values),
                    functools.partial(self._passed, tp.partition),
                    functools.partial(self._end, tp.partition),
                )
            )
        await self._clerk.settle(batches)

    def _passed(self, partition: int, kind: RecordKind) -> int:
        return self._engine.dealt_with(kind.topic, partition)

    async def _end(self, partition: int, kind: RecordKind) -> int:
        topic, config = full_name(self._settings, kind.topic), client_config(self._settings)
        group = full_name(self._settings, DELIVER_APP)
        return (await asyncio.to_thread(look, config, group, [topic], partition))[topic].high

    def _done(self, tp: TP, offset: int, topic: str, unreadable: Sequence[Stranger], step: Step) -> None:
        self._strangers.bury(step, tp, topic, unreadable)
        step.done(tp, offset)

    def _settled(self, receipt: Receipt) -> None:
        self.deliveries.settled(receipt)
        account, kind, outcome = receipt.account, receipt.kind, receipt.outcome
        DELIVER_RECORDS.labels(account, receipt.store, kind, outcome, receipt.reason).inc()
        if outcome is Outcome.DELIVERED:
            seconds = max(0.0, (receipt.at_ms - receipt.received_ms) / 1_000)
            DELIVER_FRESHNESS_SECONDS.labels(kind, receipt.lane).observe(seconds)
        for note in NOTES.intersection(receipt.notes):
            DELIVER_NOTES.labels(account, kind, note).inc()
        if receipt.reason == "imported":
            DELIVER_IMPORT_ROWS.labels(account, kind).inc()
        for repaired in receipt.repaired:
            DELIVER_REPAIRS.labels(account, repaired.partition("|")[0]).inc()


def _heard(account: str, route: str, purpose: str, answer: Answer, seconds: float) -> None:
    DELIVER_CALLS.labels(account, route, purpose, answer.label).inc()
    DELIVER_CALL_SECONDS.labels(route).observe(seconds)


def serve(settings: Settings, *, worker: str, host: str, port: int) -> int:
    """Run one deliver worker until SIGTERM; see `engine.worker.run`."""

    def build(engine: Engine) -> None:
        stage = DeliverWorker(engine, worker)
        configured: dict[str, list[str]] = {account: [] for account in settings.accounts}
        for store, feed in settings.stores.items():
            configured[feed.account].append(store)
        REGISTRY.register(
            DeliverCollector(
                stage.desks,
                stage.deliveries.accounts,
                configured,
                settings.kafka.account_partitions,
            )
        )

    stage_of_it = Stage(DELIVER_APP, "deliver", build, ROUND, BUFFER)
    return run(stage_of_it, settings, worker=worker, host=host, port=port)
