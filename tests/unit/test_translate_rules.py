"""The three filters, the order of versions, and what is emitted: on single events."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipeline.events import Lane
from pipeline.records import Contact, Op, Origin, Record, RecordKind
from pipeline.shops.base import CONSENT_CLOCK, Draft, Translation
from pipeline.shops.shopify import SHOPIFY
from pipeline.translate.rules import AHEAD_MS, EventPosition, Feed, Outcome, Result, apply, believed
from pipeline.translate.state import EntityState
from tests import shopify
from tests.plainshop import event, feed

RECORDS: TypeAdapter[Record] = TypeAdapter(Record)
SOLD = [["contact", "a@b.example", "Ann"], ["product", "p1", "Shoe"], ["purchase", "7", "c1"]]


class Shop:
    """One entity's events, one after the other, each with the next offset."""

    def __init__(self, purchases_since: date | None = None) -> None:
        self.feed = feed(purchases_since=purchases_since)
        self.state = EntityState()
        self.offset = 0
        self.number = 0

    def says(self, version: int, drafts: list[Any] | None = None, **how: Any) -> Result:
        """A new delivery."""
        self.number += 1
        said = {"version": version, "drafts": drafts or [], **how.pop("said", {})}
        return self.delivers(said, **{"delivery": f"d{self.number}", **how})

    def delivers(self, said: dict[str, Any], *, offset: int | None = None, **how: Any) -> Result:
        """A delivery, at the next offset or at one that was read before."""
        if offset is None:
            self.offset += 1
            offset = self.offset
        return apply(event(said, **how), EventPosition("shop.orders", 0, offset), self.state, self.feed)


def told(result: Result) -> list[tuple[str, str, str]]:
    """Kind, id and op of what was emitted."""
    values = [orjson.loads(emission.value) for emission in result.emissions]
    return [(value["kind"], value["id"], value["op"]) for value in values]


def test_an_event_yields_its_records_in_order() -> None:
    result = Shop().says(5, SOLD)
    assert result.outcome is Outcome.ACCEPTED
    assert told(result) == [
        ("contact", "a@b.example", "upsert"),
        ("product", "p1", "upsert"),
        ("purchase", "7", "upsert"),
    ]


def test_what_is_emitted_is_a_record_as_others_read_it() -> None:
    emission = Shop().says(5, SOLD, received_ms=77).emissions[2]
    record: Record = RECORDS.validate_json(emission.value)
    assert record.kind is RecordKind.PURCHASE
    assert (record.account, record.store, record.id, record.version) == ("acme", "plain", "7", 5)
    assert (record.source.topic, record.source.partition, record.source.offset) == ("shop.orders", 0, 1)
    assert (record.lane, record.received_ms, record.op) == (Lane.LIVE, 77, Op.UPSERT)
    assert record.body is not None
    assert record.body.cart_id == "c1"


@settings(deadline=None)
@given(st.text(min_size=1), st.text(), st.sampled_from(["contact", "product", "purchase"]))
def test_any_text_survives_in_a_record(record_id: str, content: str, kind: str) -> None:
    emission = Shop().says(5, [[kind, record_id, content]]).emissions[0]
    record: Record = RECORDS.validate_json(emission.value)
    assert (record.kind, record.id) == (kind, record_id)
    assert content in record.model_dump()["body"].values()


def test_a_delivery_seen_before_is_a_duplicate() -> None:
    shop = Shop()
    shop.says(5, SOLD, delivery="same")
    assert shop.says(5, SOLD, delivery="same").outcome is Outcome.DUPLICATE


def test_the_same_offset_read_again_is_not_a_duplicate_and_yields_the_same() -> None:
    shop = Shop()
    said = {"version": 5, "drafts": SOLD}
    first = shop.delivers(said, delivery="same")
    assert shop.delivers(said, delivery="same", offset=1) == first


def test_an_older_version_is_stale_and_stays_so_when_read_again() -> None:
    shop = Shop()
    shop.says(5, SOLD)
    late = {"version": 4, "drafts": SOLD}
    assert shop.delivers(late, delivery="late").outcome is Outcome.STALE
    shop.says(6, SOLD)
    assert shop.delivers(late, delivery="late", offset=2).outcome is Outcome.STALE


def test_of_equal_versions_the_later_arrival_counts() -> None:
    shop = Shop()
    shop.says(5, [["purchase", "7", "c1"]])
    result = shop.says(5, [["purchase", "7", "c2"]])
    assert result.outcome is Outcome.ACCEPTED
    assert told(result) == [("purchase", "7", "upsert")]


def test_a_record_that_says_nothing_new_is_unchanged_and_the_event_still_accepted() -> None:
    shop = Shop()
    shop.says(5, SOLD)
    result = shop.says(6, [*SOLD[:2], ["purchase", "7", "c2"]])
    assert result.outcome is Outcome.ACCEPTED
    assert told(result) == [("purchase", "7", "upsert")]
    assert result.unchanged == (RecordKind.CONTACT, RecordKind.PRODUCT)


def test_a_mark_of_a_later_offset_does_not_count() -> None:
    shop = Shop()
    shop.says(5, SOLD)
    shop.says(9, [["purchase", "7", "c9"]])
    again = shop.delivers({"version": 5, "drafts": SOLD}, delivery="d1", offset=1)
    assert again.outcome is Outcome.ACCEPTED
    assert len(again.emissions) == 3
    assert shop.state.newest["entity"].version == 9


def test_a_retraction_of_what_was_never_told_is_ignored_for_its_reason() -> None:
    gone = [["purchase", "7", None, "retract"]]
    result = apply(
        event({"version": 5, "drafts": [["purchase", None, None, "retract"]], "ignored": "cancelled"}),
        EventPosition("shop.orders", 0, 1),
        EntityState(),
        feed(),
    )
    assert (result.outcome, result.reason) == (Outcome.IGNORED, "cancelled")
    assert told(Shop().says(5, gone)) == [("purchase", "7", "retract")]


def test_a_draft_without_an_id_takes_every_id_that_was_told() -> None:
    shop = Shop()
    shop.says(5, [["contact", "old@b.example", "Ann"]])
    shop.says(6, [["contact", "new@b.example", "Ann"]])
    result = shop.says(7, [["contact", None, None, "retract"]])
    assert told(result) == [("contact", "old@b.example", "retract"), ("contact", "new@b.example", "retract")]
    assert orjson.loads(result.emissions[0].value)["body"] == {"email": "old@b.example", "custom": {}}


def test_a_second_retraction_is_unchanged() -> None:
    shop = Shop()
    shop.says(5, [["purchase", "7", "c1"]])
    shop.says(6, [["purchase", None, None, "retract"]])
    result = shop.says(7, [["purchase", None, None, "retract"]])
    assert (result.outcome, result.unchanged) == (Outcome.ACCEPTED, (RecordKind.PURCHASE,))


def test_a_retracted_purchase_body_is_an_explicit_null() -> None:
    shop = Shop()
    shop.says(5, [["purchase", "7", "c1"]])
    value = shop.says(6, [["purchase", None, None, "retract"]]).emissions[0].value
    record: Record = RECORDS.validate_json(value)
    assert record.body is None


def test_a_deletion_stands_until_something_newer() -> None:
    shop = Shop()
    shop.says(5, [["purchase", "7", "c1"]])
    shop.says(9, [["purchase", None, None, "retract"]], topic="orders/delete")
    assert shop.says(9, [["purchase", "7", "c2"]]).outcome is Outcome.STALE
    assert shop.says(10, [["purchase", "7", "c2"]]).outcome is Outcome.ACCEPTED


def test_a_deletion_wins_a_tie() -> None:
    shop = Shop()
    shop.says(9, [["purchase", "7", "c1"]])
    result = shop.says(9, [["purchase", None, None, "retract"]], topic="order.deleted")
    assert told(result) == [("purchase", "7", "retract")]


def test_of_one_second_what_was_said_first_does_not_come_over_what_was_said_later() -> None:
    shop = Shop()
    shop.says(9_000, [["purchase", "7", "c1"]], triggered_ms=9_900)
    assert shop.says(9_000, [["purchase", "7", "c2"]], triggered_ms=9_100).outcome is Outcome.STALE
    assert shop.says(9_000, [["purchase", "7", "c3"]]).outcome is Outcome.ACCEPTED


def test_versions_of_one_second_are_told_apart_in_the_order_they_came() -> None:
    shop = Shop()
    said = [shop.says(9_000, [["purchase", "7", code]]) for code in ("c1", "c2", "c3")]
    assert [orjson.loads(one.emissions[0].value)["version"] for one in said] == [9_000, 9_001, 9_002]


def test_a_shop_whose_clock_runs_ahead_cannot_make_our_own_clock_stale() -> None:
    shop = Shop()
    shop.says(9_000, [["purchase", "7", "c1"]])
    gone = [["purchase", None, None, "retract"]]
    result = shop.says(1_000, gone, topic="order.deleted", received_ms=1_000)
    assert told(result) == [("purchase", "7", "retract")]
    assert orjson.loads(result.emissions[0].value)["version"] == 9_001


def test_a_replayed_event_without_a_clock_of_the_shops_can_be_stale() -> None:
    shop = Shop()
    shop.says(9_000, [["purchase", "7", "c1"]])
    gone = [["purchase", None, None, "retract"]]
    late = shop.says(1_000, gone, topic="order.deleted", received_ms=1_000, lane=Lane.BACKFILL)
    assert late.outcome is Outcome.STALE


def test_clocks_are_compared_each_with_itself() -> None:
    shop = Shop()
    shop.says(9, [["contact", "a@b.example", "Ann"]])
    consent = [["contact", "a@b.example", None]]
    assert shop.says(5, consent, said={"clock": CONSENT_CLOCK}).outcome is Outcome.ACCEPTED
    assert shop.says(4, consent, said={"clock": CONSENT_CLOCK}).outcome is Outcome.STALE
    assert shop.says(10, [["contact", "a@b.example", "Anna"]]).outcome is Outcome.ACCEPTED


def test_an_event_without_a_clock_and_drafts_leaves_no_trace() -> None:
    shop = Shop()
    result = shop.says(0, said={"ignored": "stock_level"})
    assert (result.outcome, result.reason, result.remember) == (Outcome.IGNORED, "stock_level", False)
    assert shop.state == EntityState()


def test_a_rejected_delivery_may_be_tried_again() -> None:
    shop = Shop()
    rejected = shop.delivers({"rejected": "no_email"}, delivery="same")
    assert (rejected.outcome, rejected.reason, rejected.remember) == (Outcome.REJECTED, "no_email", False)
    assert shop.delivers({"version": 1, "drafts": SOLD}, delivery="same").outcome is Outcome.ACCEPTED


def test_only_the_latest_deliveries_are_remembered() -> None:
    shop = Shop()
    for version in range(1, 30):
        shop.says(version, [["purchase", "7", f"c{version}"]])
    assert [seen.offset for seen in shop.state.seen] == list(range(22, 30))


# Moments nobody can believe, and orders nobody wants.


def test_a_version_far_in_the_future_makes_no_true_one_stale() -> None:
    shop = Shop()
    ahead = shop.says(4_000_000_000_000, SOLD, received_ms=1_000_000)
    assert orjson.loads(ahead.emissions[0].value)["version"] == 1_000_000
    assert all("clock_ahead" in emission.notes for emission in ahead.emissions)
    true = shop.says(1_100_000, [["purchase", "7", "c2"]], received_ms=1_100_001)
    assert true.outcome is Outcome.ACCEPTED
    assert true.emissions[0].notes == ()


def test_a_clock_less_than_a_day_ahead_isbelieved() -> None:
    emission = Shop().says(1_000_000 + AHEAD_MS, SOLD, received_ms=1_000_000).emissions[0]
    assert orjson.loads(emission.value)["version"] == 1_000_000 + AHEAD_MS
    assert emission.notes == ()


def test_a_consent_of_the_future_is_one_of_today() -> None:
    said = Contact(email="a@b.example", newsletter="subscribed", newsletter_ms=4_000_000_000_000)
    draft = Draft(RecordKind.CONTACT, "a@b.example", Origin.CUSTOMER, said)
    today = believed(Translation(5, (draft,)), received_ms=1_000_000)
    assert isinstance(today.drafts[0].body, Contact)
    assert today.drafts[0].body.newsletter_ms == 1_000_000
    assert today.drafts[0].notes == ("consent_clock_ahead",)


def test_an_order_from_before_the_accounts_purchases_begin_is_ignored_whole() -> None:
    shop = Shop(date(2026, 1, 2))
    result = shop.says(5, SOLD)
    assert (result.outcome, result.reason, result.emissions) == (Outcome.IGNORED, "too_old", ())
    assert Shop(date(2026, 1, 1)).says(5, SOLD).outcome is Outcome.ACCEPTED


def test_an_order_that_was_told_before_it_became_too_old_is_still_taken_back() -> None:
    shop = Shop()
    shop.says(5, SOLD)
    shop.feed = feed(purchases_since=date(2027, 1, 1))
    changed = shop.says(6, [["purchase", "7", "c2"]])
    assert told(changed) == [("purchase", "7", "upsert")]
    gone = shop.says(7, [["purchase", "7", None, "retract"]])
    assert told(gone) == [("purchase", "7", "retract")]


def test_a_customers_word_is_told_again_after_it_was_repeated_in_a_newer_event() -> None:
    """Another customer with the same address may have said something else meanwhile."""
    state, said = EntityState(), Feed(shopify.store(), SHOPIFY, "acme")
    outcomes = []
    for number, day in enumerate((1, 3, 3)):
        body = {"id": 1, "email": "ann@example.com", "first_name": "Anna"}
        body |= {"updated_at": f"2024-01-0{day}T00:00:00Z"}
        delivered = shopify.delivered("customers/update", body, **{"x-shopify-webhook-id": f"d{number}"})
        result = apply(delivered, EventPosition("shop.customers", 0, number), state, said)
        outcomes.append([emission.id for emission in result.emissions])
    assert outcomes == [["ann@example.com"], ["ann@example.com"], []]
