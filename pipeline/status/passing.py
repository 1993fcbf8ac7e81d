"""What passes -> a line about it, in which no person is named. Pure: any bytes give a line, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from pipeline.dead.letter import LetterId, read
from pipeline.events import Kind, RawEvent
from pipeline.kafka.messages import ReceivedMessage
from pipeline.kafka.topics import DEADLETTERS, RECEIPTS
from pipeline.records import Outcome
from pipeline.text import in_a_line, masked_addresses, span

RECEIVED, REJECTED = "received", "rejected"
#: What can be asked for: events as they come, what was not understood, and how records end.
OUTCOMES = (RECEIVED, REJECTED, *(outcome.value for outcome in Outcome))
_EVENTS = {kind.topic for kind in Kind}
#: Topics that are watched, without the prefix.
TOPICS = (*sorted(_EVENTS), RECEIPTS, DEADLETTERS)
#: Characters of a text that are shown.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Passing:
    """One thing that passed.

    Attributes:
        at_ms: when it arrived in Kafka, epoch milliseconds.
        store: whose.
        kind: of the event or record.
        id: masked where it is an address.
        outcome: one of `OUTCOMES`.
        what: the shop's own name of the event, or the reason.
        more: the account, the lane, what it took.
    """

    at_ms: int
    store: str
    kind: str
    id: str
    outcome: str
    what: str
    more: str

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PassingFilter:
    """What is wanted; what is empty does not matter."""

    stores: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    outcomes: frozenset[str] = frozenset()

    def takes(self, one: Passing) -> bool:
        """Whether it is wanted."""
        return (
            (not self.stores or one.store in self.stores)
            and (not self.kinds or one.kind in self.kinds)
            and (not self.outcomes or one.outcome in self.outcomes)
        )


def passing(topic: str, message: ReceivedMessage) -> Passing | None:
    """What a message says; None where it is none of the pipeline's, or is told by another one.

    Args:
        topic: without the prefix.
        message: of it.
    """
    try:
        if topic in _EVENTS:
            return _event(message)
        if topic == RECEIPTS:
            return _receipt(message)
        return _letter(message)
    except (ValueError, TypeError, LookupError, AttributeError):
        return None


def _event(message: ReceivedMessage) -> Passing:
    # Without its body: what is shown is in the headers.
    event = RawEvent.from_kafka(b"", [(name, value or b"") for name, value in message.headers])
    more = f"{event.platform}, {event.lane}, {len(message.value or b''):,} bytes"
    return Passing(
        message.timestamp,
        _said(event.store),
        event.kind.value,
        _said(event.entity),
        RECEIVED,
        _said(event.topic),
        more,
    )


def _receipt(message: ReceivedMessage) -> Passing:
    said: Mapping[str, Any] = orjson.loads(message.value or b"")
    outcome = Outcome(said["outcome"])
    took = span((int(said["at_ms"]) - int(said["received_ms"])) / 1_000)
    parts = [
        f"account {said['account']}",
        str(said["lane"]),
        f"{took} after it came",
        str(said.get("detail", "")),
    ]
    return Passing(
        message.timestamp,
        _said(said["store"]),
        _said(said["kind"]),
        _said(said["id"]),
        outcome.value,
        _said(said.get("reason", "")),
        _said(", ".join(filter(None, parts))),
    )


def _letter(message: ReceivedMessage) -> Passing | None:
    letter = read(LetterId(message.partition, message.offset), message.timestamp, message.headers)
    if letter.stage == "deliver":
        return None  # its receipt tells the same
    parts = [f"dead letter {letter.id} of {letter.stage}", letter.field, letter.detail]
    # Its key names it, and may be cut or missing.
    entity = (message.key or b"").decode(errors="replace").split("|", 3)[2:3]
    return Passing(
        message.timestamp,
        _said(letter.store),
        _said(letter.kind),
        _said("".join(entity)),
        REJECTED,
        _said(letter.reason),
        _said(", ".join(filter(None, parts))),
    )


def _said(text: object) -> str:
    """A text in a line, short, and with no address that can be read."""
    return masked_addresses(in_a_line(str(text)))[:_LONGEST]
