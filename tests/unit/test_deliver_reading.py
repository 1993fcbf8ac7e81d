"""Messages that are records, and what is written about those that are none."""

from __future__ import annotations

import time

import orjson
import pytest

from pipeline.deliver.partition.reading import Unreadable, read_receipt, read_record
from pipeline.records import Origin, Purchase, PurchaseRecord, RecordKind, Source, partition_of
from tests.simulation.shop import Shop
from tests.unit.receipts import receipt

PARTITIONS, MAX_BYTES = 8, 1_000_000
HOME = partition_of("acme", PARTITIONS)


class _Kept:
    def __init__(self) -> None:
        self.records: list[object] = []

    def say(self, record: object) -> None:
        self.records.append(record)


def _purchase(**body: object) -> bytes:
    made = Purchase.model_validate(
        {
            "purchase_id": "o1",
            "contact_email": "ann@example.com",
            "cart_id": "o1",
            "purchase_date": "2024-01-01T00:00:00Z",
            "total_price": "1.00",
            "total_quantity": 1,
            **body,
        }
    )
    record = PurchaseRecord(
        account="acme",
        store="acme-shop",
        id="o1",
        version=1,
        source=Source(topic="shop.orders", partition=0, offset=0),
        origin=Origin.ORDER,
        received_ms=1,
        body=made,
    )
    return record.model_dump_json().encode()


def test_every_record_a_shop_makes_is_read_back() -> None:
    kept = _Kept()
    shop = Shop(kept, wall=time.time)
    shop.order("o1", "ann@example.com", "p1")
    shop.cancel("o1")
    for record in kept.records:
        value = record.model_dump_json().encode()  # type: ignore[attr-defined]
        assert read_record(value, record.kind, HOME, PARTITIONS, max_bytes=MAX_BYTES) == record  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "invalid_record"),
        (b"", "invalid_record"),
        (b"{", "invalid_record"),
        (b'{"kind": "purchase"}', "invalid_record"),
        (b'{"kind": "invoice"}', "invalid_record"),
        (_purchase().replace(b'"id":"o1"', b'"id":""'), "invalid_record"),
        (_purchase().replace(b'"1.00"', b'"NaN"'), "invalid_record"),
        (_purchase().replace(b'"1.00"', b'"1e999999999"'), "invalid_record"),
        (_purchase().replace(b'"1.00"', b'"1e-999999999"'), "invalid_record"),
        (_purchase().replace(b'"1.00"', b"[0,0,0]"), "invalid_record"),
        (_purchase(contact_external_id="7"), "no_contact"),
        (_purchase(contact_email=None), "no_contact"),
    ],
)
def test_what_is_no_record_says_why(value: bytes | None, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_record(value, RecordKind.PURCHASE, HOME, PARTITIONS, max_bytes=MAX_BYTES)
    assert caught.value.reason == reason
    assert "ann" not in str(caught.value)


def test_a_record_of_another_topic_or_partition_is_refused() -> None:
    with pytest.raises(Unreadable, match="wrong_topic"):
        read_record(_purchase(), RecordKind.CONTACT, HOME, PARTITIONS, max_bytes=MAX_BYTES)
    with pytest.raises(Unreadable, match="wrong_partition"):
        read_record(
            _purchase(), RecordKind.PURCHASE, (HOME + 1) % PARTITIONS, PARTITIONS, max_bytes=MAX_BYTES
        )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"store": ""}, "invalid_record"),
        ({"store": "a|b"}, "invalid_record"),
        ({"store": "s" * 300}, "invalid_record"),
        ({"account": ""}, "invalid_record"),
        ({"account": "acme|z"}, "invalid_record"),
        ({"version": 10**30}, "invalid_record"),
        ({"version": 2**60}, "invalid_record"),
        ({"received_ms": -1}, "invalid_record"),
        ({"notes": ["n" * 2_000] * 3}, "invalid_record"),
        ({"id": "i" * 400_000}, "record_too_large"),
    ],
)
def test_a_record_that_could_not_be_kept_is_refused(change: dict[str, object], reason: str) -> None:
    value = orjson.dumps(orjson.loads(_purchase()) | {k: v for k, v in change.items() if v != 10**30})
    if change.get("version") == 10**30:
        value = value.replace(b'"version":1,', b'"version":%d,' % 10**30)
    with pytest.raises(Unreadable) as caught:
        read_record(value, RecordKind.PURCHASE, 0, 1, max_bytes=MAX_BYTES)
    assert caught.value.reason == reason


def test_a_record_of_many_small_fields_that_grow_is_refused() -> None:
    kept = _Kept()
    Shop(kept, wall=time.time).customer(
        "ann@example.com", custom={f"f{number}": "v" for number in range(14_000)}
    )
    value = kept.records[0].model_dump_json().encode()  # type: ignore[attr-defined]
    assert len(value) < MAX_BYTES // 3
    with pytest.raises(Unreadable, match="it becomes"):
        read_record(value, RecordKind.CONTACT, 0, 1, max_bytes=MAX_BYTES)
    read_record(value, RecordKind.CONTACT, 0, 1, max_bytes=6 * MAX_BYTES)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"store": ""}, "invalid_record"),
        ({"repaired": ["invoice|7"]}, "invalid_receipt"),
        ({"record": {"topic": "connectif.contacts", "partition": 3, "offset": 1}}, "invalid_receipt"),
        ({"record": {"topic": "connectif.products", "partition": 0, "offset": 1}}, "invalid_receipt"),
        ({"outcome": "lost"}, "invalid_receipt"),
    ],
)
def test_a_receipt_that_is_none_of_ours_is_refused(change: dict[str, object], reason: str) -> None:
    value = orjson.dumps(receipt(1).model_dump(mode="json") | change)
    with pytest.raises(Unreadable) as caught:
        read_receipt(value, 0, 1)
    assert caught.value.reason == reason
    assert read_receipt(receipt(1).model_dump_json().encode(), 0, 1) == receipt(1)
    with pytest.raises(Unreadable, match="wrong_partition"):
        read_receipt(receipt(1).model_dump_json().encode(), (HOME + 1) % PARTITIONS, PARTITIONS)


def test_a_purchase_under_another_id_than_its_records_is_none_of_ours() -> None:
    with pytest.raises(Unreadable, match="another id"):
        read_record(_purchase(purchase_id="o2"), RecordKind.PURCHASE, HOME, PARTITIONS, max_bytes=MAX_BYTES)
