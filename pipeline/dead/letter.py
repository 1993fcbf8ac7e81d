"""One dead letter, read from its message. Nothing of it is trusted: any bytes give a letter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.events import Kind
from pipeline.kafka.messages import Headers
from pipeline.kafka.replays import REDRIVE_PREFIX
from pipeline.kafka.topics import RECEIPTS
from pipeline.records import RecordKind
from pipeline.text import in_a_line

#: What a message that is sent again says of the letter it comes from.
REDRIVE_LETTER = "redrive-letter"
#: Of an event that is replayed, which is how an event is sent again; the run's name is the letter's.
REPLAY_RUN = "replay-run"
UNKNOWN = "unknown"
#: The kind of a letter that holds a receipt.
RECEIPT = "receipt"

#: Characters of a header that are looked at.
_LONGEST = 1_000
_ID = re.compile(r"(\d{1,6}):(\d{1,19})", re.ASCII)
_KINDS: Mapping[str, str] = {
    **{kind.topic: kind.value for kind in RecordKind},
    **{kind.topic: kind.value for kind in Kind},
    RECEIPTS: RECEIPT,
}
_EVENT_KINDS = frozenset(kind.value for kind in Kind)


class LetterId(NamedTuple):
    """A letter's place on `deadletters`, and so its name for as long as it is kept."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> LetterId:
        """From `partition:offset`.

        Raises:
            ValueError: it is none.
        """
        found = _ID.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no id of a dead letter; they look like 2:1034")
        return cls(int(found[1]), int(found[2]))


class LetterOrigin(NamedTuple):
    """Where the message came from; `topic` is without the prefix."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter without its content.

    Attributes:
        id: its place.
        at_ms: when it arrived, in epoch milliseconds.
        account, store, stage, reason, field, detail: as its headers say; printable, and short.
        kind: of a record or event; `receipt`, or `unknown`.
        origin: where its message came from.
        redriven_from: the name of the letter that was sent again and came to this; empty: it is not said.
    """

    id: LetterId
    at_ms: int
    account: str
    store: str
    stage: str
    kind: str
    reason: str
    field: str
    detail: str
    origin: LetterOrigin
    redriven_from: str


def read(place: LetterId, at_ms: int, headers: Headers) -> Letter:
    """The letter in a message.

    Args:
        place: of the message.
        at_ms: its arrival.
        headers: the message's.
    """
    said = dict(headers)
    topic = _text(said.get("dead-topic"))
    return Letter(
        id=place,
        at_ms=at_ms,
        account=_text(said.get("dead-account")),
        store=_text(said.get("dead-store")),
        stage=_text(said.get("dead-stage")) or UNKNOWN,
        kind=_kind(topic, _text(said.get("pipeline-kind"))),
        reason=_text(said.get("dead-reason")) or UNKNOWN,
        field=_text(said.get("dead-field")),
        detail=_text(said.get("dead-detail")),
        origin=LetterOrigin(topic, _number(said.get("dead-partition")), _number(said.get("dead-offset"))),
        redriven_from=_redriven_from(said),
    )


def _kind(topic: str, said: str) -> str:
    """By the topic; what was replayed says its kind itself."""
    return _KINDS.get(topic) or (said if said in _EVENT_KINDS else UNKNOWN)


def _redriven_from(said: Mapping[str, bytes | None]) -> str:
    run = _text(said.get(REPLAY_RUN))
    return (
        run.removeprefix(REDRIVE_PREFIX)
        if run.startswith(REDRIVE_PREFIX)
        else _text(said.get(REDRIVE_LETTER))
    )


def _text(raw: bytes | None) -> str:
    """A header as text that a terminal shows as it is."""
    return in_a_line((raw or b"")[:_LONGEST].decode(errors="replace"))


def _number(raw: bytes | None) -> int:
    """A header's number; -1 where it is none."""
    text = _text(raw)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1  # noqa: PLR2004 - 64 bits
