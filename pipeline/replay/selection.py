"""Which events of a range are repeated. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from pipeline.events import Kind
from pipeline.kafka.keys import entity_key
from pipeline.kafka.messages import Headers
from pipeline.records import Frozen

#: Offsets of rejected events, by topic without the prefix and partition.
Places = Mapping[tuple[str, int], AbstractSet[int]]
_PARTS = 3


class Choice(Frozen):
    """What an operator asked for; what is empty leaves nothing out.

    Attributes:
        stores: names of the settings.
        kinds: of entities.
        ids: of entities, as their shops know them.
        rejected: reasons; only events that ended `rejected` with one of them.
    """

    stores: frozenset[str] = frozenset()
    kinds: frozenset[Kind] = frozenset()
    ids: frozenset[str] = frozenset()
    rejected: frozenset[str] = frozenset()

    @property
    def is_partial(self) -> bool:
        """Whether it leaves out events of the topics that are read."""
        return bool(self.stores or self.ids or self.rejected)

    @property
    def topics(self) -> list[str]:
        """Where such events lie, without the prefix."""
        return [kind.topic for kind in Kind if not self.kinds or kind in self.kinds]


@dataclass(frozen=True, slots=True)
class Chooser:
    """Applies a choice to messages.

    Attributes:
        choice: what is asked for.
        places: where the rejected events lie; None where that was not asked for.
    """

    choice: Choice
    places: Places | None = field(default=None)

    def takes(self, topic: str, partition: int, offset: int, key: bytes | None) -> bool:
        """Whether a message is repeated; the key `store|kind|id` says what it is about."""
        if self.places is not None and offset not in self.places.get((topic, partition), ()):
            return False
        choice = self.choice
        if not choice.stores and not choice.ids:
            return True
        named = entity_of(key)
        if named is None:
            return False
        store, entity = named
        return (not choice.stores or store in choice.stores) and (not choice.ids or entity in choice.ids)


def entity_of(key: bytes | None) -> tuple[str, str] | None:
    """The store and the entity's own id in a key `store|kind|id`; None where it has another form."""
    parts = entity_key(key or b"").decode(errors="replace").split("|", 2)
    return (parts[0], parts[2]) if len(parts) == _PARTS else None


def rejected_at(headers: Headers, reasons: AbstractSet[str]) -> tuple[str, int, int] | None:
    """Where the event of a dead letter lies: topic, partition, offset; None where it is not one of these."""
    said = {name: (value or b"").decode(errors="replace") for name, value in headers}
    if said.get("dead-stage") != "translate" or said.get("dead-reason") not in reasons:
        return None
    topic, partition, offset = (said.get(f"dead-{name}", "") for name in ("topic", "partition", "offset"))
    if topic not in {kind.topic for kind in Kind} or not (partition.isdecimal() and offset.isdecimal()):
        return None
    return topic, int(partition), int(offset)


__all__ = ["Choice", "Chooser", "Places", "entity_of", "rejected_at"]
