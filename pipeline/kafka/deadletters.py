"""What a dead letter says of the message it holds: these headers, besides the message's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from pipeline.kafka.keys import unique_key
from pipeline.kafka.messages import Headers

#: Room that a dead letter's own headers need.
LETTER_OVERHEAD = 16_384
MAX_DETAIL = 1_000

#: Header -> meaning. Values are UTF-8 text.
HEADERS: Mapping[str, str] = {
    "dead-reason": "why, as one of a bounded set of snake_case names: the label of metrics",
    "dead-field": "the body's field or the setting it concerns, as a dotted path; empty where none",
    "dead-detail": "a sentence for the operator, or Connectif's answer, shortened; no personal data",
    "dead-store": "the store in the settings; empty where the message does not say",
    "dead-account": "the account in the settings; empty where it was not reached",
    "dead-stage": "translate, sync or deliver",
    "dead-topic": "the topic the message came from",
    "dead-partition": "its partition there",
    "dead-offset": "its offset there",
    "dead-at": "when it was given up, in epoch milliseconds",
}


class Content(Protocol):
    """What a dead letter keeps of a message; every `ReceivedMessage` has it."""

    @property
    def key(self) -> bytes | None:
        """As in Kafka."""

    @property
    def value(self) -> bytes | None:
        """As in Kafka."""

    @property
    def headers(self) -> Headers:
        """As in Kafka."""


class DeadLetter(NamedTuple):
    """A dead letter."""

    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


def dead_letter(  # noqa: D417 - the headers are described above
    message: Content,
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
) -> DeadLetter:
    """The dead letter of a message.

    A message too large to be copied is left where it is: the dead letter has its position only.

    Args:
        message: what is given up.
        max_bytes: what Kafka takes.
        The others are the headers without `dead-`: see `HEADERS`.
    """
    key, value = message.key, message.value
    # A name that is no valid text would end the process: librdkafka's binding does not check it.
    named = ((name.encode(errors="replace").decode(), text or b"") for name, text in message.headers)
    own = [(name, text) for name, text in named if not name.startswith("dead-")]
    size = len(key or b"") + len(value or b"")
    size += sum(len(name.encode()) + len(text) + 10 for name, text in own)
    if size + LETTER_OVERHEAD > max_bytes:
        detail = f"too large to be copied here, it stays in its topic; {detail}"
        key, value, own = b"", None, []
    said = dead_headers(
        reason=reason,
        stage=stage,
        topic=topic,
        partition=partition,
        offset=offset,
        at_ms=at_ms,
        field=field,
        detail=detail,
        store=store,
        account=account,
    )
    # Of a key of its own, as a topic without one for each message could not be compacted for an erasure.
    return DeadLetter(unique_key(key or b""), value, [*own, *said])


def dead_headers(
    *,
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
) -> list[tuple[str, bytes]]:
    """The headers a dead letter has besides its message's own; the arguments are those of `HEADERS`."""
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
    return [(name, text.encode(errors="replace")) for name, text in said.items()]
