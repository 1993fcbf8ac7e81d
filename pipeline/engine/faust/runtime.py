"""The engine's runtime on Faust."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

from pipeline.config import Settings
from pipeline.engine.faust.app import make_app
from pipeline.engine.faust.consumer import RoundConsumer
from pipeline.engine.faust.recovery import BulkTableManager
from pipeline.engine.faust.tables import StandIn
from pipeline.engine.faust.turns import Turns
from pipeline.engine.rounds import Round
from pipeline.engine.runtime import RuntimeEvents
from pipeline.engine.table import StateTable


class FaustRuntime:
    """A `Runtime`. Made inside the running event loop.

    Args:
        app_id: the stage's id, without the prefix.
        settings: where Kafka is.
        instance: the worker's name in its group.
        directory: the worker's own; exists.
        round_size: the most messages in one round.
        buffer: messages an agent may have waiting.
        backlog_share: of the time in which one partition's backlog is worked on.
        events: called when something happens.
        client_id: see `make_app`.

    Raises:
        BrokerError: no broker is set or runs.
        SettingsError: a security setting that cannot be followed.
    """

    def __init__(
        self,
        app_id: str,
        settings: Settings,
        *,
        instance: str,
        directory: Path,
        round_size: int,
        buffer: int,
        backlog_share: float,
        events: RuntimeEvents,
        client_id: str | None = None,
    ) -> None:
        self._events = events
        self._app = make_app(
            app_id,
            settings,
            instance=instance,
            directory=directory,
            round_size=round_size,
            client_id=client_id,
        )
        self._app.on_fatal = events.fatal
        manager = cast("BulkTableManager", self._app.tables)
        manager.restore, manager.fatal = events.restore, events.fatal
        consumer = self.consumer
        consumer.buffer, consumer.turns = buffer, Turns(backlog_share, time.monotonic)
        consumer.pause, consumer.on_fatal = events.pause, events.fatal
        consumer.on_joined, consumer.on_lost = events.joined, events.lost

    @property
    def consumer(self) -> RoundConsumer:
        """Faust's, in our form."""
        return cast("RoundConsumer", self._app.consumer)

    def add_table(self, table: StateTable) -> None:
        """As `Runtime.add_table`."""
        stand_in = StandIn(self._app, table)
        if stand_in.changelog_topic_name != table.changelog:
            raise ValueError(
                f"Faust calls the changelog {stand_in.changelog_topic_name}, not {table.changelog}"
            )
        self._app.tables.add(stand_in)

    def add_agent(self, name: str, topics: Sequence[str], handle: Callable[[Round], Awaitable[None]]) -> None:
        """As `Runtime.add_agent`."""

        async def run(stream: Any) -> None:
            try:
                async for value in stream.noack():
                    await handle(value)
            except Exception as error:  # noqa: BLE001 - Faust would skip the event and continue
                self._events.fatal(error)

        self._app.agent(self._app.topic(*topics, value_type=bytes), name=name)(run)

    async def start(self) -> None:
        """As `Runtime.start`."""
        await self._app.start()

    def stop_reading(self) -> None:
        """As `Runtime.stop_reading`."""
        self.consumer.stop_flow()
        self._app.flow_control.suspend()
        self._app.flow_control.clear()

    async def commit(self) -> None:
        """As `Runtime.commit`."""
        await self.consumer.maybe_wait_for_commit_to_finish()
        await self.consumer.commit()

    async def stop(self) -> None:
        """As `Runtime.stop`."""
        await self.consumer.leave()
        await self._app.stop()
