"""Exact counts of records: how many came in, and how each ended.

One tally per account and store. It has the offset up to which it counts each topic, so what is read again
after a crash is not counted again. Two rules of order make it exact (docs/adr/0005): a record's entry in
`pending` is confirmed before the tally that counts it, and the tally before the entry is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from pipeline.kafka.topics import RECEIPTS as RECEIPTS_TOPIC
from pipeline.records import Outcome, RecordKind

ACCEPTED = "accepted"
RECEIPTS = "receipts"


@dataclass(slots=True)
class RecordTally:
    """Counts by kind and outcome, with the last offset counted of each topic."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)

    def has_accepted(self, kind: RecordKind, offset: int) -> bool:
        """Whether the record at this offset was counted: its entry was confirmed before that."""
        return offset <= self.marks.get(kind.value, -1)

    def accept(self, kind: RecordKind, offset: int) -> bool:
        """Count one record; offsets come in order. False if it was counted before."""
        if self.has_accepted(kind, offset):
            return False
        self.marks[kind.value] = offset
        self._add(kind.value, ACCEPTED)
        return True

    def settle(self, kind: RecordKind, outcome: Outcome, offset: int) -> None:
        """Count one record's ending, by the receipt at `offset`."""
        if offset > self.marks.get(RECEIPTS, -1):
            self.marks[RECEIPTS] = offset
            self._add(kind.value, outcome.value)

    def counted_up_to(self) -> Iterator[tuple[str, int]]:
        """(topic without the prefix, last offset counted)."""
        for name, offset in self.marks.items():
            yield RECEIPTS_TOPIC if name == RECEIPTS else RecordKind(name).topic, offset

    def _add(self, kind: str, what: str) -> None:
        counts = self.counts.setdefault(kind, {})
        counts[what] = counts.get(what, 0) + 1

    def rows(self) -> Iterator[tuple[str, str, int]]:
        """(kind, `accepted` or outcome, count) of everything counted."""
        for kind, counts in self.counts.items():
            for what, count in counts.items():
                yield kind, what, count

    def encode(self) -> bytes:
        """The table's value."""
        return orjson.dumps([self.counts, self.marks])

    @classmethod
    def decode(cls, raw: bytes) -> RecordTally:
        """What `encode` wrote.

        Raises:
            ValueError, TypeError, AttributeError: it is something else.
        """
        found = cls(*orjson.loads(raw))
        for name in found.marks:
            if name != RECEIPTS:
                RecordKind(name)
        for kind in found.counts:
            RecordKind(kind)
        numbers = [*found.marks.values(), *(n for counts in found.counts.values() for n in counts.values())]
        if not all(type(number) is int for number in numbers):
            raise TypeError("not a count")
        return found


def tally_key(account: str, store: str) -> bytes:
    """The table's key."""
    return f"{account}|{store}".encode()
