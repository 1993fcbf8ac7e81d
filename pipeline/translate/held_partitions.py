"""Partitions that wait for the settings: their next event is of a store that these do not have.

After a rollout in the wrong order the gateway knows a store before this stage does. Its events were answered
200, so the shop will not send them again: they wait where they are, and what is behind them in the partition
with them, until a worker with newer settings reads on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from pipeline.kafka.messages import TopicPartition
from pipeline.metrics import TRANSLATE_HELD

log = logging.getLogger(__name__)

#: Seconds between two warnings.
REMIND_EVERY = 60.0


class HeldPartitions:
    """The partitions that are held, each with the offset and the store it waits for."""

    def __init__(self) -> None:
        self._held: dict[TopicPartition, tuple[int, str]] = {}

    def hold(self, tp: TopicPartition, offset: int, store: str) -> None:
        """Nothing from this offset on is translated."""
        self._held[tp] = (offset, store)
        TRANSLATE_HELD.set(len(self._held))
        self._warn(tp)

    def is_behind(self, tp: TopicPartition, offset: int) -> bool:
        """Whether a record is to be left where it is: one that waits is before it."""
        held = self._held.get(tp)
        return held is not None and offset > held[0]

    def release(self, tp: TopicPartition) -> None:
        """The partition is read again from what it waited for."""
        if self._held.pop(tp, None) is not None:
            TRANSLATE_HELD.set(len(self._held))

    async def forget(self, partitions: Iterable[int]) -> None:
        """Another worker holds these now."""
        for tp in [tp for tp in self._held if tp.partition in partitions]:
            self.release(tp)

    def reason(self, tp: TopicPartition) -> str:
        """Why a partition is held, for whoever asks about it; empty where it is not."""
        if tp not in self._held:
            return ""
        offset, store = self._held[tp]
        return f"the partition waits at offset {offset}: the settings have no store {store!r}"

    def complaint(self) -> str | None:
        """A message for the operator; None if nothing is held."""
        if not self._held:
            return None
        stores = sorted({store for _, store in self._held.values()})
        return (
            f"partitions wait for settings that have a store, {len(self._held)} of them; the settings lack "
            f"{', '.join(stores[:10])}: start this worker with the gateway's settings, or name what was "
            "removed in translate.retired_stores"
        )

    async def remind(self) -> None:
        """Say it again each minute, until cancelled."""
        while True:
            await asyncio.sleep(REMIND_EVERY)
            for tp in list(self._held):
                self._warn(tp)

    def _warn(self, tp: TopicPartition) -> None:
        offset, store = self._held[tp]
        log.warning(
            "%s partition %d waits at offset %d: the settings have no store %r; start this worker with the "
            "settings of the gateway, or add it to translate.retired_stores",
            tp.topic,
            tp.partition,
            offset,
            store,
        )
