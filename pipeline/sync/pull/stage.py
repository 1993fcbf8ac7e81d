"""The pulls on the sync worker's engine: an agent over `sync.commands`, two tables, a page."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping

import orjson
from pydantic import ValidationError

from pipeline.engine.engine import Engine
from pipeline.engine.rounds import Round
from pipeline.http_access import problem
from pipeline.kafka.keys import entity_key
from pipeline.kafka.messages import ReceivedMessage
from pipeline.kafka.tombstones import is_removal
from pipeline.kafka.topics import SYNC_COMMANDS_TOPIC
from pipeline.metrics import SYNC_FOREIGN
from pipeline.records import partition_of
from pipeline.sync.pull.memory import Memory, command_key
from pipeline.sync.pull.pages import Pages
from pipeline.sync.pull.runner import Store, StorePuller
from pipeline.sync.pull.state import Command
from pipeline.sync.requests import ShopRequests
from pipeline.sync.shop_events import ShopEvents
from pipeline.text import printable
from pipeline.translate.feed import Feed

log = logging.getLogger(__name__)

#: Where a worker says how a store's pulls are.
PAGE = "/sync/store"
#: Room for what Kafka adds to an event.
OVERHEAD = 8_192


class PullStage:
    """Declares the pulls on an engine.

    Args:
        engine: a worker's engine that has not started.
        feeds: the stores of the settings, by name.
    """

    def __init__(self, engine: Engine, feeds: Mapping[str, Feed]) -> None:
        settings = engine.settings
        self._engine = engine
        self._feeds = feeds
        self._stores = {
            name: store
            for name, feed in feeds.items()
            if (store := _store(feed, settings.kafka.max_message_bytes - OVERHEAD)) is not None
        }
        self._retry_for = settings.sync.retry_for
        self._partitions = settings.kafka.account_partitions
        self._memory = Memory(
            engine,
            engine.table("pulls"),
            engine.table("pulled"),
            lambda store: partition_of(store, self._partitions),
            ShopEvents(engine),
        )
        #: Of the stores whose partition is held and whose API can be read.
        self.pullers: dict[str, StorePuller] = {}
        engine.agent("commands", [SYNC_COMMANDS_TOPIC], self._take)
        engine.pages[PAGE] = self._page

    async def run(self, name: str, requests: ShopRequests) -> None:
        """Make the pulls of one store until cancelled; returns at once where its API is not read."""
        store = self._stores.get(name)
        if store is None:
            return
        feed = self._feeds[name]
        pages = Pages(
            name,
            store.settings,
            store.pull,
            requests,
            retry_for=self._retry_for,
            clock=time.time,
            random=random.random,
            context=feed.context,
            withheld=() if feed.platform.api is None else feed.platform.api.withheld,
        )
        puller = self.pullers[name] = StorePuller(store, self._memory, pages, clock=time.time)
        try:
            await puller.run()
        finally:
            self.pullers.pop(name, None)

    def store(self, name: str) -> Store | None:
        """A store whose API can be read."""
        return self._stores.get(name)

    async def _take(self, messages: Round) -> None:
        """Keep what operators want, then let it begin."""
        taken: list[Command] = []
        with self._engine.begin() as step:
            for place, values in messages.batches:
                for message in values:
                    command = self._read(message, place.partition)
                    if command is not None:
                        row = command.model_dump_json().encode()
                        step.write(self._memory.pulls, place.partition, command_key(command), row)
                        taken.append(command)
                step.done(place, values[-1].offset)
            await self._engine.submit(step)
        for command in taken:
            puller = self.pullers.get(command.store)
            if puller is not None:
                puller.offer(command)

    def _read(self, message: ReceivedMessage, partition: int) -> Command | None:
        """The command in a message; None, and a word in the log, where there is none for a store of ours."""
        if not message.value and is_removal(message.headers):
            return None
        try:
            command = Command.model_validate_json(message.value or b"")
            ours = command.store in self._stores and entity_key(message.key or b"") == command.store.encode()
            if ours and partition_of(command.store, self._partitions) == partition:
                return command
            why = f"the store {command.store} is not one whose API these settings can read"
        except ValidationError as error:
            why = f"{error.error_count()} fields are not those of a command"
        SYNC_FOREIGN.inc()
        log.warning(
            "%s: a message is passed over: %s",
            SYNC_COMMANDS_TOPIC,
            printable(why)[:200],
            extra={"event": "sync.foreign_message"},
        )
        return None

    async def _page(self, query: Mapping[str, str]) -> tuple[int, bytes]:
        """How a store's pulls are."""
        name = query.get("store", "")
        store = self._stores.get(name)
        if store is None:
            return problem(404, "no_store", "no store of this name has an API that can be read")
        puller = self.pullers.get(name)
        if puller is None:
            partition = partition_of(name, self._partitions)
            return await self._engine.elsewhere(SYNC_COMMANDS_TOPIC, partition)
        said = {
            "worker": self._engine.worker,
            **puller.state.as_json(),
            "waiting": [one.model_dump(mode="json") for one in puller.waiting],
            "trouble": puller.pages.trouble or puller.pages.requests.limit.stopped,
            "troubled_ms": int(puller.pages.troubled_at * 1_000),
            "daily": None if store.at is None else store.at.strftime("%H:%M"),
            "now_ms": int(time.time() * 1_000),
        }
        return 200, orjson.dumps(said)


def _store(feed: Feed, max_bytes: int) -> Store | None:
    """What a store's runs are made of; None where its API is not read."""
    platform, settings = feed.platform, feed.context.settings
    pull = platform.pulled(settings)
    if pull is None:
        return None
    return Store(
        name=feed.context.name,
        platform=platform.name,
        settings=settings,
        pull=pull,
        kinds=settings.sync.kinds,
        at=settings.sync.at if settings.sync.daily else None,
        max_bytes=max_bytes,
        is_deletion=platform.topics.is_deletion,
    )
