"""An intake for each topic: one that Kafka does not take holds up none of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pipeline.gateway.intake import Intake
from pipeline.gateway.message import Message, Stored
from pipeline.gateway.produce import Link
from pipeline.gateway.spool import Spool
from pipeline.metrics import GATEWAY_KAFKA_UP


class Intakes:
    """Takes messages of every topic the spool has a lane for.

    Args:
        spool: closed with this.
        connect, confirm_timeout, clock: as for `Intake`.
        served: the topics that webhooks go to; others are only drained.

    Attributes:
        ended: done when an intake ended by a defect; the process must end with it.
    """

    def __init__(
        self,
        spool: Spool,
        connect: Callable[[], Link],
        served: tuple[str, ...],
        *,
        confirm_timeout: float,
        clock: Callable[[], float],
    ) -> None:
        self._spool = spool
        self._all = {
            name: Intake(
                lane,
                connect,
                confirm_timeout=confirm_timeout,
                clock=clock,
                serves=name == lane.topic,
            )
            for name, lane in spool.lanes.items()
        }
        self._served = [self._all[topic] for topic in served]
        for intake in self._served:
            intake.on_trip = self._doubt
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for intake in self._all.values():
            intake.task.add_done_callback(self._one_ended)
        GATEWAY_KAFKA_UP.set_function(lambda: min(intake.direct for intake in self._served))

    def submit(self, message: Message) -> asyncio.Future[Stored]:
        """Keep a message. The future says where it is safe, or raises `Overloaded`."""
        return self._all[message.topic].submit(message)

    def _doubt(self) -> None:
        """One topic's events do not reach Kafka: idle topics would not notice until their next event."""
        for intake in self._served:
            intake.doubt()

    def complaint(self) -> str | None:
        """Why no event of any topic could be kept now; None when some could."""
        complaints = [intake.complaint() for intake in self._served]
        return None if None in complaints else complaints[0]

    async def close(self) -> None:
        """Wait for messages in flight as long as Kafka may take, spool the rest, close everything."""
        ended = await asyncio.gather(
            *(intake.close() for intake in self._all.values()), return_exceptions=True
        )
        await self._spool.close()
        for error in ended:
            if error is not None:
                raise error

    def _one_ended(self, _: object) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
