"""What a dead letter says of the message it holds: these headers, besides the message's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

#: Room that a dead letter's own headers need.
LETTER_OVERHEAD = 16_384
MAX_DETAIL = 1_000

#: As aiokafka gives them; Kafka allows a header without a value.
Headers = Sequence[tuple[str, bytes | None]]

#: Header -> meaning. Values are UTF-8 text.
HEADERS: Mapping[str, str] = {
    "dead-reason": "why, as one of a bounded set of snake_case words: the label of metrics",
    "dead-field": "the body's field or the setting it concerns, as a dotted path; empty where none",
    "dead-detail": "a sentence for the operator, or Connectif's answer, shortened; no personal data",
    "dead-store": "the store in the settings; empty where the message does not say",
    "dead-account": "the account in the settings; empty where it was not reached",
    "dead-stage": "translate or deliver",
    "dead-topic": "the topic the message came from",
    "dead-partition": "its partition there",
    "dead-offset": "its offset there",
    "dead-at": "when it was given up, in epoch milliseconds",
}


class Message(Protocol):
    """A Kafka message; aiokafka's records are some."""

    @property
    def key(self) -> bytes | None:
        """As in Kafka."""

    @property
    def value(self) -> bytes | None:
        """As in Kafka."""

    @property
    def headers(self) -> Headers:
        """As in Kafka."""


class Letter(NamedTuple):
    """A dead letter."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def letter_of(  # noqa: D417 - the headers are told of above
    message: Message,
    *,
    max_bytes: int,
    reason: str,
    stage: str,
    topic: str,
    partition: int,
    offset: int,
    at_ms: int,
    field: str = "",
    detail: str = "",
    store: str = "",
    account: str = "",
) -> Letter:
    """The dead letter of a message.

    A message too large to be copied is left where it lies: the letter has its place, and nothing else of it.

    Args:
        message: what is given up.
        max_bytes: what Kafka takes.
        The others are the headers without `dead-`: see `HEADERS`.
    """
    key, value = message.key, message.value
    # A name that is no text would end the process: librdkafka's binding does not look.
    named = ((name.encode(errors="replace").decode(), text or b"") for name, text in message.headers)
    own = [(name, text) for name, text in named if not name.startswith("dead-")]
    size = len(key or b"") + len(value or b"")
    size += sum(len(name.encode()) + len(text) + 10 for name, text in own)
    if size + LETTER_OVERHEAD > max_bytes:
        detail = f"too large to be copied here, it lies at its place; {detail}"
        key, value, own = None, None, []
    said = {
        "dead-reason": reason,
        "dead-field": field,
        "dead-detail": detail[:MAX_DETAIL],
        "dead-store": store,
        "dead-account": account,
        "dead-stage": stage,
        "dead-topic": topic,
        "dead-partition": str(partition),
        "dead-offset": str(offset),
        "dead-at": str(at_ms),
    }
    return Letter(key, value, [*own, *((name, text.encode(errors="replace")) for name, text in said.items())])
