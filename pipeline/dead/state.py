"""What was done about dead letters: the rows of `deadletters.state`, and how they are folded.

A row is written after what it tells is confirmed. So a crash in between repeats a redrive, which does no
harm, and never hides a letter that was not sent.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import Field, ValidationError

from pipeline.dead.letter import Letter, LetterId, LetterOrigin
from pipeline.records import Frozen, Int, Source

#: Between the prefix and the id, in the name of a letter under another prefix.
FOREIGN = "~"
#: A letter that was sent again more often counts as sent so often.
MOST_TIMES = 255


class LetterState(enum.StrEnum):
    """What was done about a letter last."""

    OPEN = "open"
    REDRIVEN = "redriven"
    DROPPED = "dropped"


class DeadLetterState(Frozen):
    """What was done about a dead letter, on `deadletters.state`, under its name as key; the newest counts."""

    state: LetterState
    at_ms: Int = Field(description="when, in epoch milliseconds")
    by: str = Field(description="who, as the command was told or the system says")
    why: str = Field(default="", description="the operator's words; of dropped letters always given")
    reason: str = Field(default="", description="the letter's own")
    times: int = Field(
        default=0,
        ge=0,
        le=MOST_TIMES,
        description="how often it was sent again, with the letters it came from for the same reason",
    )
    sent: Source | None = Field(
        default=None, description="where it was sent again to; the topic is without its prefix"
    )


class LetterStatus(NamedTuple):
    """How a letter stands.

    Attributes:
        state: what was done about it.
        came_back: how often what it holds was sent again and came to this same reason; 0: it did not.
        times: how often it was sent again itself, with the letters it came from.
    """

    state: LetterState
    came_back: int
    times: int


class _Sent(NamedTuple):
    reason: str
    times: int


_STATES = tuple(LetterState)


class LetterStates:
    """All rows of the topic, folded: two bytes for each letter, and some 100 for each that was sent again.

    Args:
        extents: partition of `deadletters` -> its first offset, and the one after its last.
    """

    def __init__(self, extents: Mapping[int, tuple[int, int]]) -> None:
        self._first = {partition: low for partition, (low, _) in extents.items()}
        self._done = {partition: bytearray(high - low) for partition, (low, high) in extents.items()}
        self._times = {partition: bytearray(high - low) for partition, (low, high) in extents.items()}
        #: Hash of a letter's name, or of where it was sent to -> what was sent; equal ones are one object.
        self._sent: dict[int, _Sent] = {}
        self._unique: dict[_Sent, _Sent] = {}
        self.foreign = 0

    def add(self, key: bytes | None, value: bytes | None) -> DeadLetterState | None:
        """Take one row in, in the order of the topic; returns it, or None where it is no row."""
        try:
            name, row = (key or b"").decode(), DeadLetterState.model_validate_json(value or b"")
        except (ValidationError, UnicodeDecodeError):
            self.foreign += 1
            return None
        self.put(name, row)
        return row

    def put(self, name: str, row: DeadLetterState) -> None:
        """What was done about a letter of that name."""
        if row.state is LetterState.REDRIVEN:
            sent = _Sent(row.reason, row.times)
            sent = self._unique.setdefault(sent, sent)
            self._sent[hash(name)] = sent
            if row.sent is not None:
                self._sent[hash((row.sent.topic, row.sent.partition, row.sent.offset))] = sent
        if FOREIGN in name:
            return
        try:
            place = LetterId.parse(name)
        except ValueError:
            self.foreign += 1
            return
        at = self._index(place)
        if at is not None:
            self._done[place.partition][at] = _STATES.index(row.state)
            self._times[place.partition][at] = row.times

    def status(self, letter: Letter) -> LetterStatus:
        """How a letter stands."""
        at = self._index(letter.id)
        sent = self._origin_of(letter)
        came_back = sent.times if sent is not None and sent.reason == letter.reason else 0
        if at is None:
            return LetterStatus(LetterState.OPEN, came_back, 0)
        partition = letter.id.partition
        return LetterStatus(_STATES[self._done[partition][at]], came_back, self._times[partition][at])

    def _origin_of(self, letter: Letter) -> _Sent | None:
        """What was sent again and came to this letter."""
        if letter.redriven_from:
            return self._sent.get(hash(letter.redriven_from))
        return self._sent.get(hash(tuple(letter.origin)))

    def _index(self, place: LetterId) -> int | None:
        """Its byte; None where the topic does not hold it (any more)."""
        first = self._first.get(place.partition)
        if first is None or not 0 <= place.offset - first < len(self._done[place.partition]):
            return None
        return place.offset - first


def redriven(
    letter: Letter, status: LetterStatus, sent: LetterOrigin, *, at_ms: int, by: str
) -> DeadLetterState:
    """The row of a letter that was sent again."""
    return DeadLetterState(
        state=LetterState.REDRIVEN,
        at_ms=at_ms,
        by=by,
        reason=letter.reason,
        times=min(MOST_TIMES, max(status.times, status.came_back) + 1),
        sent=Source(topic=sent.topic, partition=sent.partition, offset=sent.offset),
    )


def dropped(letter: Letter, status: LetterStatus, *, at_ms: int, by: str, why: str) -> DeadLetterState:
    """The row of a letter that nobody will look at again."""
    return DeadLetterState(
        state=LetterState.DROPPED, at_ms=at_ms, by=by, why=why, reason=letter.reason, times=status.times
    )
