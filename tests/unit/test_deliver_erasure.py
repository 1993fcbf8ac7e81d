"""A record that erases: the contact is deleted whatever was sent, and nothing is remembered of it."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.deliver.partition.reading import Unreadable, read_record
from pipeline.deliver.partition.receipts import record_of
from pipeline.deliver.state.commands import CreatePurchase, PutContact, Unchanged
from pipeline.deliver.state.diff import apply, diff
from pipeline.deliver.state.entry import NOTHING, Entry, Waiting
from pipeline.deliver.state.key import Key
from pipeline.deliver.state.last_sent import LastSent
from pipeline.deliver.state.states import PurchaseState
from pipeline.events import Lane
from pipeline.records import (
    Contact,
    ContactRecord,
    Op,
    Origin,
    Product,
    ProductRecord,
    Purchase,
    PurchaseRecord,
    RecordKind,
    Source,
    partition_of,
)
from tests.last_sent import last_sent

ASKED = 1_000_000
EMAIL = "ann@example.com"


def common(version: int, arrived: int, **more: Any) -> dict[str, Any]:
    source = Source(topic="shop.customers", partition=0, offset=version)
    return {
        "account": "acme",
        "store": "shop",
        "version": version,
        "source": source,
        "origin": Origin.CUSTOMER,
        "lane": Lane.LIVE,
        "received_ms": arrived,
        "owner": "customer|7",
        **more,
    }


def contact(version: int, *, arrived: int = 0, offset: int = 0, **body: Any) -> Waiting:
    record = ContactRecord(**common(version, arrived or version), id=EMAIL, body=Contact(email=EMAIL, **body))
    return Waiting.of(record, offset, 1)


def erasure(offset: int = 9) -> Waiting:
    said = common(ASKED, ASKED + 5, op=Op.ERASE, owner="")
    return Waiting.of(ContactRecord(**said, id=EMAIL, body=Contact(email=EMAIL)), offset, 1)


def purchase(version: int, offset: int = 0) -> Waiting:
    body = Purchase(
        purchase_id="1",
        contact_email=EMAIL,
        cart_id="c",
        purchase_date="2026-01-01T00:00:00Z",
        total_price="1.00",
        total_quantity=1,
    )
    said = common(version, version, owner="order|1", origin=Origin.ORDER)
    return Waiting.of(PurchaseRecord(**said, id="1", body=body), offset, 1)


def purchase_erasure(offset: int = 9) -> Waiting:
    said = common(ASKED, ASKED + 5, op=Op.ERASE, owner="")
    return Waiting.of(PurchaseRecord(**said, id="1", body=None), offset, 1)


def waiting(*parts: Waiting, busy: bool = False) -> Entry:
    entry = NOTHING
    for part in parts:
        entry, _ = entry.accept(part, busy=busy and entry.current is not None)
    return entry


@pytest.mark.parametrize("known", [None, last_sent(contact(5, name="Ann").state)])
def test_a_contact_is_deleted_whether_it_was_ever_sent_or_not(known: LastSent | None) -> None:
    state = erasure().state
    assert diff(known, state) == PutContact(None, delete_first=True)
    assert apply(known, state) is None


def test_a_deletion_with_a_clock_ahead_does_not_keep_it_from_being_deleted() -> None:
    deleted = common(ASKED * 2, 5, op=Op.RETRACT)
    state = Waiting.of(ContactRecord(**deleted, id=EMAIL, body=Contact(email=EMAIL)), 0, 1).state
    assert diff(last_sent(state), erasure().state) == PutContact(None, delete_first=True)


def test_all_that_waits_is_dropped_whatever_its_version() -> None:
    ahead = contact(ASKED * 2, arrived=5, offset=1, name="Ann")
    entry = waiting(contact(4, name="Ann"), ahead, erasure())
    assert entry.current is not None
    assert entry.current.state == erasure().state
    assert b"Ann" not in entry.encode()
    assert sorted(stamp.offset for stamp in entry.owed) == [0, 1]


def test_what_is_under_way_ends_first_and_is_erased_after() -> None:
    entry = waiting(contact(4, name="Ann"), contact(5, offset=1, surname="Lee"), erasure(), busy=True)
    assert entry.current is not None
    assert entry.next is not None
    assert (entry.current.stamp.offset, entry.next.state) == (0, erasure().state)


@pytest.mark.parametrize("late", [False, True])
def test_what_the_person_says_later_makes_the_contact_again(late: bool) -> None:
    again = contact(ASKED + 50, offset=11 if late else 8, name="Anna", newsletter="subscribed")
    parts = (erasure(), again) if late else (again, erasure())
    entry = waiting(contact(5, offset=1, surname="Lee"), *parts)
    assert entry.current is not None
    state = entry.current.state
    command = diff(last_sent(contact(5, surname="Lee").state), state)
    assert command == PutContact({"name": "Anna", "newsletter": "subscribed"}, delete_first=True)
    after = apply(None, state)
    assert after == last_sent(contact(ASKED + 50, name="Anna", newsletter="subscribed").state)


def test_a_purchase_that_waits_is_dropped_and_what_was_sent_stays_known() -> None:
    entry = waiting(purchase(5), purchase_erasure())
    assert entry.current is not None
    assert EMAIL.encode() not in entry.encode()
    for known in (None, last_sent(purchase(5).state)):
        for doubtful in (False, True):
            assert diff(known, entry.current.state, maybe_sent=doubtful) == Unchanged("erased")
        assert apply(known, entry.current.state) == known


def test_a_later_version_of_the_order_counts() -> None:
    entry = waiting(purchase_erasure(), purchase(ASKED + 50, offset=11))
    assert entry.current is not None
    assert isinstance(entry.current.state, PurchaseState)
    assert isinstance(diff(None, entry.current.state), CreatePurchase)


def test_an_erasure_survives_the_disk_and_a_refusal() -> None:
    entry = waiting(erasure())
    again = Entry.decode(RecordKind.CONTACT, entry.encode())
    assert again == entry
    assert again.current is not None
    record = record_of("acme", Key(RecordKind.CONTACT, EMAIL), again.current)
    assert record.op is Op.ERASE


def test_only_contacts_and_purchases_are_somebody_s() -> None:
    record = ProductRecord(**common(5, 5, op=Op.ERASE), id="1", body=Product(product_id="1"))
    with pytest.raises(Unreadable, match="nobody's to erase"):
        read_record(
            record.model_dump_json().encode(),
            RecordKind.PRODUCT,
            partition_of("acme", 4),
            4,
            max_bytes=1_000_000,
        )
