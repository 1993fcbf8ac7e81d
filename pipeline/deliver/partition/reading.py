"""Kafka messages of `connectif.*` -> records and receipts; foreign messages raise `Unreadable`."""

from __future__ import annotations

import re
from decimal import Decimal

import orjson
from pydantic import TypeAdapter, ValidationError

from pipeline.deliver.state.states import state_of
from pipeline.records import Op, Product, Purchase, PurchaseRecord, Receipt, Record, RecordKind, partition_of

_RECORD: TypeAdapter[Record] = TypeAdapter(Record)

#: Stores and accounts as the settings allow them (pipeline/config.py): what keys and labels are made of.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
#: An entry holds two versions of a record and their stamps in one message: a record may fill a third of it.
ROOM = 3
#: A record smaller than this share of a message fits however large it becomes in an entry.
_SMALL = 64
#: Pydantic does not catch what Decimal raises for a list instead of a number.
_NOT_VALID = (ValueError, TypeError, ArithmeticError, RecursionError)
#: Digits of a price before and after the decimal point.
MAX_PLACES = 40
#: With more errors than this, only their number is reported.
MAX_ERRORS = 1_000
#: Largest plausible moment, in epoch milliseconds.
MAX_MS = 2**53
#: Characters of all notes of a record together, and of a topic's name.
MAX_NOTES, MAX_TOPIC = 4_096, 249


class Unreadable(Exception):  # noqa: N818 - about a message, not a failure of ours
    """A message that is no record of its topic; it goes to dead letters.

    Args:
        reason: one of a bounded set of snake_case names.
        detail: a sentence for the operator, without personal data.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def read_record(
    value: bytes | None, kind: RecordKind, partition: int, partitions: int, *, max_bytes: int
) -> Record:
    """The record in a message of the topic of `kind`.

    Args:
        value: the message's.
        kind: of the topic.
        partition: the message's.
        partitions: how many the topic has.
        max_bytes: of the largest Kafka message.

    Raises:
        Unreadable: `invalid_record`, `wrong_topic`, `wrong_partition`, `no_contact`, `record_too_large`.
    """
    value = value or b""
    if len(value) > max_bytes // ROOM:
        raise Unreadable("record_too_large", f"it has {len(value):,} bytes")
    try:
        record = _RECORD.validate_json(value)
    except _NOT_VALID as error:
        raise Unreadable("invalid_record", _first(error)) from None
    if record.kind is not kind:
        raise Unreadable("wrong_topic", f"a {record.kind} in {kind.topic}")
    if record.op is Op.ERASE and kind not in {RecordKind.CONTACT, RecordKind.PURCHASE}:
        raise Unreadable("invalid_record", f"a {kind} is nobody's to erase")
    if not record.id:
        raise Unreadable("invalid_record", "the id is empty")
    _check_names(record.account, record.store)
    _check_partition(record.account, partition, partitions)
    _check_sizes(record, len(value), max_bytes)
    if isinstance(record, PurchaseRecord) and record.body is not None:
        body = record.body
        if bool(body.contact_email) == bool(body.contact_external_id):
            raise Unreadable("no_contact", "a purchase names its contact by exactly one of the two ways")
        if body.purchase_id != record.id:
            # It would be created under one id and looked up under the other.
            raise Unreadable("invalid_record", "the purchase has another id than its record")
    return record


def read_receipt(value: bytes | None, partition: int, partitions: int) -> Receipt:
    """The receipt in a message.

    Raises:
        Unreadable: `invalid_receipt`, `wrong_partition`.
    """
    try:
        receipt = Receipt.model_validate_json(value or b"")
    except _NOT_VALID as error:
        raise Unreadable("invalid_receipt", _first(error)) from None
    _check_names(receipt.account, receipt.store)
    _check_partition(receipt.account, partition, partitions)
    if (receipt.record.topic, receipt.record.partition) != (receipt.kind.topic, partition):
        raise Unreadable("invalid_receipt", "its record would lie elsewhere")
    if not all(repaired.partition("|")[0] in _KINDS for repaired in receipt.repaired):
        raise Unreadable("invalid_receipt", "what was repaired is of no kind")
    return receipt


_KINDS = frozenset(kind.value for kind in RecordKind)


def _first(error: Exception) -> str:
    """Where the first error is, and which: without any value of the message."""
    if not isinstance(error, ValidationError):
        return type(error).__name__
    count = error.error_count()
    if count > MAX_ERRORS:  # listing them takes seconds
        return f"{count:,} things are wrong with it"
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(
        part if isinstance(part, str) and _FIELD.fullmatch(part) else "?" for part in first["loc"]
    )
    return f"{place}: {first['type']}"


_FIELD = re.compile(r"[a-z_0-9]{1,40}")


def _check_sizes(record: Record, size: int, max_bytes: int) -> None:
    if not (0 <= record.received_ms < MAX_MS and abs(record.version) < MAX_MS):
        raise Unreadable("invalid_record", "its moments are on no clock")
    if not all(map(_is_short, _decimals(record))):
        raise Unreadable("invalid_record", "a number has too many digits")
    if sum(map(len, record.notes)) > MAX_NOTES or len(record.source.topic) > MAX_TOPIC:
        raise Unreadable("invalid_record", "its notes or its source's topic are too long")
    if size > max_bytes // _SMALL:
        # Many small fields become several times as large, as each gets a version.
        becomes = len(orjson.dumps(state_of(record).to_json())) + 2 * len(record.id.encode())
        if becomes > max_bytes // ROOM:
            raise Unreadable("record_too_large", f"it becomes {becomes:,} bytes")


def _decimals(record: Record) -> list[Decimal]:
    """The numbers of its body."""
    body = record.body
    if isinstance(body, Product):
        return [value for value in body.__dict__.values() if isinstance(value, Decimal)]
    if isinstance(body, Purchase):
        prices = [
            value for line in body.lines for value in line.__dict__.values() if isinstance(value, Decimal)
        ]
        return [body.total_price, *prices]
    return []


def _is_short(value: Decimal) -> bool:
    _, digits, exponent = value.as_tuple()
    places = exponent if isinstance(exponent, int) else MAX_PLACES
    return len(digits) <= MAX_PLACES and -MAX_PLACES <= places <= MAX_PLACES


def _check_names(account: str, store: str) -> None:
    if not (_NAME.fullmatch(account) and _NAME.fullmatch(store)):
        raise Unreadable("invalid_record", "account or store are no names the settings could have")


def _check_partition(account: str, partition: int, partitions: int) -> None:
    if partition_of(account, partitions) != partition:
        # It would use another worker's call budget, and lose its order.
        raise Unreadable("wrong_partition", "the account's records belong to another partition")
