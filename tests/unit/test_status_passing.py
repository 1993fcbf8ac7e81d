"""`pipeline tap`: every message of the topics gives a line without a person, or none; and no flood."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.events import Kind, Lane, RawEvent
from pipeline.kafka.messages import LibrdkafkaMessage
from pipeline.kafka.topics import DEADLETTERS, RECEIPTS
from pipeline.records import Outcome, Receipt, RecordKind, Source
from pipeline.status import tap
from pipeline.status.passing import OUTCOMES, TOPICS, Passing, PassingFilter, passing

NOW_MS = 1_780_000_000_000


def message(value: bytes | None = b"{}", headers: Any = (), key: bytes | None = b"") -> LibrdkafkaMessage:
    return LibrdkafkaMessage("t", 2, 5, NOW_MS, key, value, headers)


def event(**changes: Any) -> LibrdkafkaMessage:
    said: dict[str, Any] = {
        "store": "acme-es",
        "platform": "shopify",
        "kind": Kind.ORDER,
        "entity": "11",
        "topic": "orders/paid",
        "delivery": "d",
        "received_ms": NOW_MS,
        "body": b'{"email": "ann@b.example"}',
    }
    made = RawEvent(**(said | changes))
    return message(made.body, made.to_kafka_headers(), made.key)


def receipt(**changes: Any) -> LibrdkafkaMessage:
    source = Source(topic="shop.orders", partition=1, offset=2)
    said: dict[str, Any] = {
        "account": "acme",
        "store": "acme-es",
        "kind": RecordKind.PURCHASE,
        "id": "11",
        "version": 1,
        "source": source,
        "record": source,
        "outcome": Outcome.DELIVERED,
        "reason": "created",
        "lane": Lane.LIVE,
        "received_ms": NOW_MS,
        "at_ms": NOW_MS + 2_500,
    }
    return message(Receipt(**(said | changes)).model_dump_json().encode())


def letter(stage: str) -> LibrdkafkaMessage:
    headers = {
        "dead-stage": stage,
        "dead-store": "acme-es",
        "dead-topic": "shop.orders",
        "dead-reason": "no_email",
        "dead-detail": "of ann@b.example",
    }
    return message(b"x", [(name, text.encode()) for name, text in headers.items()], b"acme-es|order|77|x")


def test_an_event_is_received_and_its_body_is_not_looked_at() -> None:
    one = passing("shop.orders", event())
    assert one is not None
    assert (one.store, one.kind, one.id, one.outcome) == ("acme-es", "order", "11", "received")
    assert (one.what, one.at_ms, one.more) == ("orders/paid", NOW_MS, "shopify, live, 26 bytes")


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_receipt_is_the_end_of_a_record(outcome: Outcome) -> None:
    one = passing(RECEIPTS, receipt(outcome=outcome))
    assert one is not None
    assert (one.kind, one.id, one.outcome, one.what) == ("purchase", "11", outcome, "created")
    assert one.more == "account acme, live, 2.5 s after it came"


def test_no_address_is_shown_wherever_it_stands() -> None:
    contact = receipt(kind=RecordKind.CONTACT, id="ann@b.example", detail="ann@b.example is wrong")
    for one in (
        passing(RECEIPTS, contact),
        passing("shop.customers", event(kind=Kind.CUSTOMER, entity="ann@b.example", topic="ann@b.example")),
        passing(DEADLETTERS, letter("translate")),
    ):
        assert one is not None
        assert "ann" not in orjson.dumps(one.as_json()).decode()
        assert "ann" not in tap.line(one).plain


def test_a_dead_letter_is_told_where_no_receipt_tells_it() -> None:
    one = passing(DEADLETTERS, letter("translate"))
    assert one is not None
    assert (one.outcome, one.what, one.id) == ("rejected", "no_email", "77")
    assert one.more.startswith("dead letter 2:5 of translate")
    assert passing(DEADLETTERS, letter("deliver")) is None


@given(
    st.sampled_from(TOPICS),
    st.none() | st.binary(max_size=50),
    st.lists(
        st.tuples(st.sampled_from(["pipeline-store", "dead-stage", "x"]), st.none() | st.binary()), max_size=4
    ),
    st.none() | st.binary(max_size=20),
)
def test_any_message_gives_a_line_or_none(topic: str, value: Any, headers: Any, key: Any) -> None:
    one = passing(topic, message(value, headers, key))
    assert one is None or one.outcome in OUTCOMES


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.dictionaries(
            st.sampled_from(["outcome", "at_ms", "received_ms", "account", "lane", "store", "kind", "id"]),
            inner,
        ),
    )
)
def test_any_json_is_a_receipt_or_none(said: Any) -> None:
    try:
        value = orjson.dumps(said)
    except TypeError:  # an integer of more than 64 bits
        return
    passing(RECEIPTS, message(value))


def row(store: str = "a", kind: str = "order", outcome: str = "received") -> Passing:
    return Passing(NOW_MS, store, kind, "1", outcome, "", "")


def test_what_is_not_wanted_is_left_out() -> None:
    assert PassingFilter().takes(row())
    wanted = PassingFilter(frozenset({"a"}), frozenset({"order"}), frozenset({"received"}))
    assert wanted.takes(row())
    assert not any(map(wanted.takes, (row(store="b"), row(kind="product"), row(outcome="dead"))))


class Flood(tap.Tail):
    """A hundred events at every look."""

    def __init__(self) -> None:
        self.looks = 0

    def look(self) -> tuple[list[Passing], int]:
        self.looks += 1
        return [row()] * 100, 7


def test_a_flood_is_counted_and_not_shown() -> None:
    flood, now = Flood(), [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    shown = left = 0
    for one, passed_over in tap._bounded(flood, PassingFilter(), 10, lambda: now[0], sleep):
        shown += one is not None
        left += passed_over
        if now[0] > 10:
            break
    assert 10 <= shown <= 10 * 10.6 + 10
    assert shown + left == pytest.approx(flood.looks * 107, abs=107)
