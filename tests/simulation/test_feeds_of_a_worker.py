"""A worker begins with the feeds whose partitions it holds, and leaves them with these."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, cast

from pipeline.engine.engine import Engine
from pipeline.engine.table import Hook
from pipeline.shops.registry import PLATFORMS
from pipeline.sync.feeds import FeedCollector, Feeds
from pipeline.translate.reading import feeds
from tests.simulation import virtual
from tests.simulation.feeding import STORE, ToTheShop, World, saved
from tests.stubengine import StubEngine, StubStep, StubTable


class HeldEngine(StubEngine):
    """An engine whose partitions come and go as told."""

    not_ready: str | None = None
    loaded: Hook
    lost: Hook
    work: Callable[[], Coroutine[Any, Any, None]]

    def table(self, name: str, *, on_loaded: Hook, on_lost: Hook, **_: Any) -> StubTable:  # type: ignore[override]
        self.loaded, self.lost = on_loaded, on_lost
        return super().table(name)

    def background(self, work: Callable[[], Awaitable[None]]) -> None:
        self.work = cast("Callable[[], Coroutine[Any, Any, None]]", work)

    async def confirm(self, _step: StubStep) -> None:
        """Kafka has it after a moment."""
        await asyncio.sleep(0.01)


def test_the_journal_is_read_while_its_partition_is_held_and_on_from_its_place_afterwards(
    tmp_path: Path,
) -> None:
    async def played() -> None:
        world = World("magento")
        engine = HeldEngine(world.tree(tmp_path))
        stores = feeds(engine.settings, PLATFORMS)
        read = Feeds(
            cast("Engine", engine), stores, lambda _: None, lambda: ToTheShop(world), clock=virtual.wall
        )
        partitions = frozenset(range(engine.settings.kafka.account_partitions))
        working = asyncio.create_task(engine.work())

        async def sent() -> list[int]:
            await asyncio.sleep(30.0)
            bodies = [str(message.value) for message in engine.sent]
            return [number for number in range(9) if any(f'"event-{number}"' in body for body in bodies)]

        world.tells([saved(0), saved(1)])
        assert await sent() == []  # nothing is held
        await engine.loaded(partitions)
        assert await sent() == [0, 1]
        assert {message.topic for message in engine.sent} == {"shop.orders"}
        world.tells([saved(2)])
        engine.not_ready = "waiting for partitions and their tables"
        await engine.pause_hooks[0]()
        assert await sent() == [0, 1]
        engine.not_ready = None
        assert await sent() == [0, 1, 2]
        assert len(engine.sent) == 3  # nothing was read twice
        series = {
            family.name: family.samples
            for family in FeedCollector(lambda: read.statuses, virtual.wall).collect()
        }
        assert series["pipeline_sync_feed_age_seconds"][0].labels == {"store": STORE}
        assert series["pipeline_sync_feed_age_seconds"][0].value < 15
        await engine.pause_hooks[0]()
        await engine.lost(partitions)
        world.tells([saved(3)])
        assert await sent() == [0, 1, 2]
        assert read.statuses == {}
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working

    virtual.run(played())
