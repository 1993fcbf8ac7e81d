"""Messages that are records, and what is written about those that are none."""

from __future__ import annotations

import pytest

from pipeline.deliver.reading import Unreadable, read_record
from pipeline.records import Origin, Purchase, PurchaseRecord, RecordKind, Source, partition_of
from tests.simulation.shop import Shop

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
    shop = Shop(kept)
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
