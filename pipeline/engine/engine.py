"""One worker of a stage: its group membership, the producer, the steps and the tables, wired together."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence

from pipeline.config import Settings
from pipeline.engine.compaction import COMPACT, Compaction
from pipeline.engine.faust.runtime import FaustRuntime
from pipeline.engine.latewrites import LateWrites
from pipeline.engine.lock import hold
from pipeline.engine.membership import GroupName, instance_id
from pipeline.engine.restorer import Restorer
from pipeline.engine.rounds import Round
from pipeline.engine.runtime import GroupConsumer, Runtime, RuntimeEvents
from pipeline.engine.steps import Step, Steps
from pipeline.engine.store import Memory
from pipeline.engine.table import Hook, StateTable
from pipeline.engine.watch import KafkaWatch
from pipeline.errors import BrokerError, NameTakenError, PipelineError
from pipeline.http_access import problem
from pipeline.kafka.admin import Cluster
from pipeline.kafka.confirmed import AsyncProducer
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.settings import CLIENT_ID, client_config
from pipeline.kafka.topics import changelog, full_name
from pipeline.kafka.topics import table as topic_table
from pipeline.observe import Page
from pipeline.workers.address import client_id
from pipeline.workers.directory import WorkerDirectory, WorkerPlace

log = logging.getLogger(__name__)

#: Deletions stay in a changelog this long (pipeline/kafka/topics.py): older stores are restored from scratch.
DAY_SECONDS = 86_400.0
#: Seconds without an answer from Kafka after which a worker reports it; a heartbeat is due every second.
SILENT_AFTER = 10.0
#: Seconds for which it is known who holds what, and that the question to Kafka may take.
OWNERS_SECONDS, OWNERS_ASK = 1.0, 3.0
#: Exit code of a worker that stopped because something was wrong.
FATAL = 70


class Engine:
    """What a stage is built on. Made inside the running event loop; `worker.run` does it all.

    Args:
        app_id: the stage's.
        settings: the program's.
        worker: its name.
        round_size: the most messages in one round.
        buffer: messages an agent may have waiting.
        backlog_share: of the time in which one partition's backlog is worked on; 1: all of it.
        on_fatal: ends the process; left out, `end_process`.
        listens: host and port of its HTTP side, which its group shows to whoever asks for it.

    Attributes:
        settings: the program's.
        worker: its name.
    """

    def __init__(
        self,
        app_id: str,
        settings: Settings,
        *,
        worker: str,
        round_size: int = 500,
        buffer: int = 4_000,
        backlog_share: float = 1.0,
        on_fatal: Callable[[BaseException], None] | None = None,
        listens: tuple[str, int] | None = None,
    ) -> None:
        self.settings = settings
        self.worker = worker
        self.directory = settings.data_dir / app_id / worker
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = hold(self.directory / "lock", worker)
        self._on_fatal = on_fatal or end_process
        self._memory = Memory()
        kafka = client_config(settings)
        stale = settings.kafka.record_retention_days * DAY_SECONDS
        self._restorer = Restorer(kafka, stale_seconds=stale)
        self._tables: list[StateTable] = []
        self._late_writes = LateWrites(kafka, self._tables, self.begin, self.submit)
        self._pause_hooks: list[Callable[[], Awaitable[None]]] = []
        #: What the stage adds to `complaint`: each says what is wrong now, or None.
        self.concerns: list[Callable[[], str | None]] = []
        #: The stage's own pages of the HTTP side, by their paths.
        self.pages: dict[str, Page] = {}
        #: What others may have this worker do, by their paths.
        self._compaction = Compaction(self._tables, worker, lambda: self.not_ready)
        self.actions: dict[str, Page] = {COMPACT: self._compaction.page}
        self._background: list[Callable[[], Awaitable[None]]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._ready = False
        self._stopping = False
        self._is_usable: Callable[[int], bool] = lambda _: True
        instance = instance_id(settings, app_id, worker)
        self._name = GroupName(
            kafka,
            group=full_name(settings, app_id),
            instance=instance,
            worker=worker,
            directory=self.directory,
            session=settings.kafka.session_timeout,
        )
        loop = asyncio.get_running_loop()

        def lost(member_id: str) -> None:
            loop.call_soon_threadsafe(self._lost_name, member_id)

        self._app_id = app_id
        self._runtime: Runtime = FaustRuntime(
            app_id,
            settings,
            instance=instance,
            directory=self.directory,
            round_size=round_size,
            buffer=buffer,
            backlog_share=backlog_share,
            events=RuntimeEvents(self.pause, self._restore, self.fatal, self._name.joined, lost),
            client_id=None if listens is None else client_id(CLIENT_ID, *listens),
        )
        self._directory = WorkerDirectory(settings)
        self._asking = asyncio.Lock()
        self._owners: tuple[float, list[WorkerPlace]] = (-OWNERS_SECONDS, [])
        # After the runtime, which says best what is wrong with kafka.security.
        self.producer = AsyncProducer(kafka, max_message_bytes=settings.kafka.max_message_bytes)
        self.steps = Steps(self.producer, self._release, self.fatal)

    @property
    def consumer(self) -> GroupConsumer:
        """What is read now."""
        return self._runtime.consumer

    # How a stage describes itself, before `start`.

    def table(
        self,
        name: str,
        *,
        ttl_days: int | None = None,
        on_loaded: Hook | None = None,
        on_lost: Hook | None = None,
    ) -> StateTable:
        """Declare a table; its changelog is the topic `{app_id}-{name}-changelog`.

        Args:
            name: its name.
            ttl_days: how long an entry is kept after its last write; None: for ever.
            on_loaded: called with the partitions whose content was (re)loaded, before their first event.
            on_lost: called with the partitions that went to another worker, before their files are closed.
        """
        ttl = None if ttl_days is None else int(ttl_days * DAY_SECONDS)
        table = StateTable(
            name,
            full_name(self.settings, changelog(self._app_id, name)),
            self.directory,
            self._memory,
            ttl=ttl,
            on_loaded=on_loaded,
            on_lost=on_lost,
        )
        self._runtime.add_table(table)
        self._tables.append(table)
        return table

    def agent(self, name: str, topics: Sequence[str], handle: Callable[[Round], Awaitable[None]]) -> None:
        """Declare an agent: `handle` gets the topics' records in rounds, one round after the other.

        It must account for every record: `step.done` for each partition of the round, in a step that is
        submitted. An exception ends the process.

        Args:
            name: for logs.
            topics: names without the prefix.
            handle: does the work of one round.
        """
        self._runtime.add_agent(name, [full_name(self.settings, topic) for topic in topics], handle)

    def background(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` beside the agents until the end; if it raises or returns, the process ends."""
        self._background.append(work)

    def on_pause(self, hook: Callable[[], Awaitable[None]]) -> None:
        """Call `hook` before partitions may go to another worker and before the end: start nothing new."""
        self._pause_hooks.append(hook)

    # How a stage works.

    def begin(self) -> Step:
        """A new step; see `steps.Step`."""
        return self.steps.begin()

    async def submit(self, step: Step) -> None:
        """Submit a step to be confirmed, stored and acknowledged; waits while several are in flight."""
        await self.steps.submit(step)

    async def confirm(self, step: Step) -> None:
        """As `submit`, and wait until it is confirmed: for what must be kept before more may be written."""
        await self.steps.confirm(step)

    def behind(self) -> dict[TopicPartition, range]:
        """The offsets that are not dealt with, by partition; nothing while no events are processed."""
        return {} if self.not_ready is not None else self.consumer.behind()

    def held(self) -> dict[int, bool]:
        """The partitions that are assigned, by number, each with whether its state can be used."""
        ready = self.not_ready is None
        assigned = frozenset[int]().union(*(table.assigned for table in self._tables))
        return {
            number: ready
            and all(number in table.partitions for table in self._tables)
            and self._is_usable(number)
            for number in assigned
        }

    @property
    def not_ready(self) -> str | None:
        """Why no events are processed now; None when they are."""
        if self._stopping:
            return "stopping"
        return None if self._ready else "waiting for partitions and their tables"

    @property
    def complaint(self) -> str | None:
        """A message for the operator: as `not_ready`, and that Kafka is silent. None when all is well."""
        silence = max(self.consumer.silence(), self.producer.silence())
        if self.not_ready is None and silence > SILENT_AFTER:
            return f"Kafka has not answered for {silence:.0f} s"
        concerns = (concern() for concern in self.concerns)
        return self.not_ready or next((said for said in concerns if said), None)

    # How the runner drives it.

    async def start(self) -> None:
        """Join the group; returns when partitions are assigned and their tables restored.

        Raises:
            BrokerError: the cluster does not answer, or its topics are not those of the settings.
            NameTakenError: another worker runs under this name.
        """
        await asyncio.to_thread(self._check_topics)
        await asyncio.to_thread(self._name.wait_until_free)
        await self._runtime.start()
        watch = KafkaWatch(lambda: self.consumer, self.producer, self._leaderless)
        for work in (*self._background, watch.group, watch.sending, self._late_writes.watch):
            self._tasks.append(asyncio.create_task(self._guard(work)))

    def _leaderless(self) -> list[str]:
        """The partitions of our topics and tables that nobody leads; asked by a client of its own."""
        names = [topic.name for topic in topic_table(self.settings)]
        found = Cluster(client_config(self.settings)).partitions(names)
        return [partition.name for partition in found if partition.leader < 0]

    def _lost_name(self, member_id: str) -> None:
        """The group has dropped this worker: log why, and end. It blocks the loop: nothing else runs."""
        self.fatal(self._name.lost(member_id))

    def _check_topics(self) -> None:
        """Without its topics a worker waits for ever; with other partition counts, state and events part."""
        found = self.producer.partitions()
        wrong = [
            f"{topic.name} has {found.get(topic.name, 0)} partitions, not {topic.partitions}"
            for topic in topic_table(self.settings)
            if found.get(topic.name) != topic.partitions
        ]
        if wrong:
            raise BrokerError(
                "the topics are not as they must be: " + "; ".join(wrong), hint="run `pipeline topics`"
            )

    async def stop(self) -> None:
        """Stop reading, finish and confirm the rounds in progress, commit, and close everything."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._runtime.stop_reading()
        joined = self._ready
        await self.pause()
        if joined:
            await self._runtime.commit()
        await self._runtime.stop()
        self.producer.close()
        for table in self._tables:
            table.close()

    def dealt_with(self, topic: str, partition: int) -> int:
        """See `GroupConsumer.dealt_with`; `topic` is without the prefix."""
        return self.consumer.dealt_with(TopicPartition(full_name(self.settings, topic), partition))

    async def elsewhere(self, topic: str, partition: int) -> tuple[int, bytes]:
        """The answer to a question about a partition that this worker does not hold: who does.

        Args:
            topic: without the prefix.
            partition: its number.
        """
        if self.not_ready is not None:
            return problem(503, "not_ready", self.not_ready, worker=self.worker)
        loop = asyncio.get_running_loop()
        async with self._asking:
            if loop.time() - self._owners[0] > OWNERS_SECONDS:
                found = await asyncio.to_thread(self._directory.workers, self._app_id, OWNERS_ASK)
                self._owners = (loop.time(), found or [])
        place = TopicPartition(full_name(self.settings, topic), partition)
        owner = next((worker for worker in self._owners[1] if place in worker.partitions), None)
        what = f"partition {partition} of {topic} is another worker's"
        if owner is None or owner.name == self.worker:
            return problem(503, "no_owner", "the group is giving its partitions out anew", worker=self.worker)
        known = {"worker": owner.name, "url": owner.url}
        return problem(421, "elsewhere", what, worker=self.worker, owner=known)

    def read_when(self, usable: Callable[[int], bool]) -> None:
        """See `GroupConsumer.read_when`."""
        self._is_usable = usable
        self.consumer.read_when(usable)

    def withhold(self, place: TopicPartition) -> None:
        """See `GroupConsumer.withhold`."""
        self.consumer.withhold(place)

    async def pause(self) -> None:
        """Cancel a restore, notify the stage, and finish every submitted step."""
        self._ready = False
        await self._compaction.finish()
        await self._restorer.cancel()
        for hook in self._pause_hooks:
            await hook()
        await self.steps.drain()

    async def _restore(self) -> None:
        await self._restorer.run(self._tables)
        self._ready = True

    def _release(self, done: dict[TopicPartition, int]) -> None:
        self.consumer.release(done)

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - the stage is not whole without it
            self.fatal(error)
        else:
            self.fatal(RuntimeError(f"{work!r} returned"))

    def fatal(self, error: BaseException) -> None:
        """Something unexpected: end before anything wrong is acknowledged."""
        self._on_fatal(error)


def end_process(error: BaseException) -> None:
    """Say why in one line and end at once: what was not acknowledged is read again after the restart."""
    ours = isinstance(error, PipelineError)
    log.critical("the worker stops: %s: %s", type(error).__name__, error, exc_info=None if ours else error)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(error.exit_code if isinstance(error, NameTakenError) else FATAL)
