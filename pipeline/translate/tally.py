"""The account of events, exact to the event: how many came in, and what became of each.

Events that a replay repeats were received once before, and are counted apart.

One tally per store and partition. It says up to which offset of each topic it counts, so what is read again
after a crash is not counted again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import orjson

from pipeline.events import Kind
from pipeline.records import RecordKind
from pipeline.translate.rules import Outcome, Result

EMITTED = "emitted"
UNCHANGED = "unchanged"
#: Of a name in a tally: `kind|outcome|reason`, `account|kind|emitted`.
_BARS = 2


@dataclass(slots=True)
class EventTally:
    """Counts of one store in one partition.

    Attributes:
        events: by `kind|outcome|reason`.
        records: by `account|kind|emitted` and `account|kind|unchanged`.
        marks: the last offset counted of each topic.
        replayed: events that were repeated, by `kind|outcome|reason`.
    """

    events: dict[str, int] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    replayed: dict[str, int] = field(default_factory=dict)

    def count(  # noqa: PLR0917 - positional: once per event
        self,
        topic: str,
        offset: int,
        kind: Kind | str,
        result: Result,
        account: str,
        replayed: bool = False,
    ) -> bool:
        """Count one event and its records; False where it was counted before. Offsets come in their order."""
        if offset <= self.marks.get(topic, -1):
            return False
        self.marks[topic] = offset
        _add(self.replayed if replayed else self.events, f"{kind}|{result.outcome}|{result.reason}")
        for emission in result.emissions:
            _add(self.records, f"{emission.account}|{emission.kind}|{EMITTED}")
        for number, record_kind in enumerate(result.unchanged):
            whose = result.unchanged_in[number] if result.unchanged_in else account
            _add(self.records, f"{whose}|{record_kind}|{UNCHANGED}")
        return True

    def encode(self) -> bytes:
        """The bytes of the table."""
        # Without a replay as before there were any: a release before reads it, too.
        replayed = [self.replayed] if self.replayed else []
        return orjson.dumps([self.events, self.records, self.marks, *replayed])

    @classmethod
    def decode(cls, raw: bytes) -> EventTally:
        """The tally `encode` wrote.

        Raises:
            ValueError, TypeError: no tally.
        """
        found = cls(*orjson.loads(raw))
        for counts in (found.events, found.records, found.marks, found.replayed):
            if not all(type(count) is int for count in counts.values()):
                raise TypeError("not a count")
        if not all(name.count("|") == _BARS for name in (*found.events, *found.records, *found.replayed)):
            raise ValueError("not what is counted")
        return found


def _add(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1


@dataclass(frozen=True, slots=True)
class EventTotals:
    """The sum of tallies of one store.

    Attributes:
        events: by kind and outcome.
        reasons: by kind, outcome and reason, of what was ignored or rejected.
        records: by account, kind, and emitted or unchanged; those of replays are among them.
        replayed: repeated events, by kind, outcome and reason.
    """

    events: dict[tuple[str, str], int]
    reasons: dict[tuple[str, str, str], int]
    records: dict[tuple[str, str, str], int]
    replayed: dict[tuple[str, str, str], int] = field(default_factory=dict)

    @classmethod
    def of(cls, tallies: Iterable[EventTally]) -> EventTotals:
        """Add up the tallies of a store's partitions."""
        account = cls({}, {}, {})
        for tally in tallies:
            for name, count in tally.replayed.items():
                kind, outcome, reason = name.split("|")
                again = (kind, outcome, reason)
                account.replayed[again] = account.replayed.get(again, 0) + count
            for kind, outcome, reason, count in _events(tally):
                account.events[kind, outcome] = account.events.get((kind, outcome), 0) + count
                if reason:
                    key = (kind, outcome, reason)
                    account.reasons[key] = account.reasons.get(key, 0) + count
            for name, count in tally.records.items():
                whose, kind, outcome = name.split("|")
                records = (whose, kind, outcome)
                account.records[records] = account.records.get(records, 0) + count
        return account

    @property
    def received(self) -> int:
        """All events, each once."""
        return sum(self.events.values())


def _events(tally: EventTally) -> Iterator[tuple[str, str, str, int]]:
    for name, count in tally.events.items():
        kind, outcome, reason = name.split("|")
        yield kind, outcome, reason, count


__all__ = ["EMITTED", "UNCHANGED", "EventTally", "EventTotals", "Outcome", "RecordKind"]
