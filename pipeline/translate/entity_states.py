"""What is remembered of the entities of one partition's messages, while a round is translated."""

from __future__ import annotations

from pipeline.engine.foreign import JUNK, foreign_row
from pipeline.engine.steps import Step
from pipeline.engine.table import StateTable
from pipeline.kafka.keys import entity_key
from pipeline.kafka.messages import ReceivedMessage as Message
from pipeline.translate.state import EntityState, NewerFormatError


class EntityStates:
    """The states of the entities in one partition's messages: read together, decoded when needed."""

    def __init__(self, table: StateTable, partition: int) -> None:
        self._table = table
        self._partition = partition
        self._rows: dict[bytes, bytes | None] = {}
        self._changed: dict[bytes, EntityState] = {}

    def load(self, messages: list[Message]) -> None:
        """Read the states that these messages need."""
        keys = list({entity_key(message.key): None for message in messages if message.key})
        self._rows.update(zip(keys, self._table.multi_get(self._partition, keys), strict=True))

    def forget_person(self, key: bytes) -> None:
        """Take the person out of an entity's state, if there is one."""
        if key in self._changed or self._rows.get(key) is not None:
            self.put(key, self.get(key).without_person())

    def get(self, key: bytes) -> EntityState:
        """The entity's state, to be changed freely: it counts only once it is `put`."""
        changed = self._changed.get(key)
        if changed is not None:
            return changed.copy()
        # An entity of an odd id may have been loaded under another key.
        row = self._rows[key] if key in self._rows else self._table.get(self._partition, key)
        if row is None:
            return EntityState()
        try:
            return EntityState.decode(row)
        except NewerFormatError:
            raise
        except JUNK:
            foreign_row(self._table.name, self._partition)
            return EntityState()

    def put(self, key: bytes, state: EntityState) -> None:
        """Keep this state."""
        self._changed[key] = state

    def write(self, step: Step) -> None:
        """Let the step store what was put."""
        for key, state in self._changed.items():
            step.write(self._table, self._partition, key, state.encode())
