"""Kafka messages of `connectif.*` -> records; and what is written about those that are none."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from pipeline.records import PurchaseRecord, Record, RecordKind, partition_of

_RECORD: TypeAdapter[Record] = TypeAdapter(Record)

Headers = Sequence[tuple[str, bytes]]


class Unreadable(Exception):  # noqa: N818 - a verdict on a message, not a failure of ours
    """A message that is no record of its topic; it goes to dead letters.

    Args:
        reason: one of a bounded set of snake_case words.
        detail: a sentence for the operator, without personal data.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def read_record(value: bytes | None, kind: RecordKind, partition: int, partitions: int) -> Record:
    """The record in a message of the topic of `kind`.

    Raises:
        Unreadable: `invalid_record`, `wrong_topic`, `wrong_partition`, `no_contact`.
    """
    try:
        record = _RECORD.validate_json(value or b"")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Unreadable("invalid_record", f"{place}: {first['type']}") from None
    if record.kind is not kind:
        raise Unreadable("wrong_topic", f"a {record.kind} in {kind.topic}")
    if not record.id:
        raise Unreadable("invalid_record", "the id is empty")
    if partition_of(record.account, partitions) != partition:
        # Another worker's budget would be spent here, and its order lost.
        raise Unreadable("wrong_partition", "the account's records belong to another partition")
    if isinstance(record, PurchaseRecord) and record.body is not None:
        body = record.body
        if bool(body.contact_email) == bool(body.contact_external_id):
            raise Unreadable("no_contact", "a purchase names its contact by exactly one of the two ways")
    return record


def letter_headers(
    headers: Headers, reason: Unreadable, place: tuple[str, int, int], at_ms: int
) -> list[tuple[str, bytes]]:
    """The headers of a dead letter (pipeline/deadletters.py); `place` is topic, partition and offset."""
    topic, partition, offset = place
    letter = {
        "dead-reason": reason.reason,
        "dead-field": "",
        "dead-detail": reason.detail,
        "dead-store": "",
        "dead-account": "",
        "dead-stage": "deliver",
        "dead-topic": topic,
        "dead-partition": str(partition),
        "dead-offset": str(offset),
        "dead-at": str(at_ms),
    }
    own = [(name, text) for name, text in headers if not name.startswith("dead-")]
    return [*own, *((name, text.encode()) for name, text in letter.items())]
