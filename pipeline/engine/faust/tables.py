"""Registers the engine's tables with Faust, so that it assigns their changelogs' partitions."""

from __future__ import annotations

from typing import Any

import faust
from faust.stores.base import Store
from faust.types import TP

from pipeline.engine.table import StateTable


class StandIn(faust.Table[bytes, bytes]):
    """Represents a StateTable among Faust's tables, so that Faust assigns its changelog's partitions."""

    def __init__(self, app: faust.App, owner: StateTable) -> None:
        self._owner = owner
        super().__init__(app, name=owner.name, key_type=bytes, value_type=bytes)

    def _new_store(self) -> Any:
        return _StandInStore(self._owner, self.app, self)


class _StandInStore(Store[bytes, bytes]):
    """Passes to a StateTable what Faust assigned; Faust never reads or writes through it."""

    def __init__(self, owner: StateTable, app: Any, table: Any) -> None:
        super().__init__("rocksdict://", app, table)
        self._owner = owner

    def persisted_offset(self, tp: TP) -> int | None:  # noqa: ARG002 - Faust's signature
        """Unknown to Faust: `recovery.BulkRecovery` restores."""
        return None

    async def on_rebalance(
        self,
        assigned: set[TP],
        revoked: set[TP],  # noqa: ARG002 - Faust's signature
        newly_assigned: set[TP],  # noqa: ARG002
        generation_id: int = 0,  # noqa: ARG002
    ) -> None:
        """A new assignment: `assigned` is all of it."""
        mine = {tp.partition for tp in assigned if tp.topic == self._owner.changelog}
        await self._owner.hold(mine)

    async def on_stop(self) -> None:
        """The worker ends."""
        self._owner.close()

    def apply_changelog_batch(self, *_: Any, **__: Any) -> None:
        """Never called: `recovery.BulkRecovery` reads changelogs."""
        raise NotImplementedError

    reset_state = backup_partition = restore_backup = apply_changelog_batch  # type: ignore[assignment]
