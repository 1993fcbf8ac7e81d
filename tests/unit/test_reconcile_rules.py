"""What is known of one order, and what follows from it."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reconcile.database import Database
from pipeline.reconcile.judging import ExportSpan, RunContext, write_findings
from pipeline.reconcile.rules import (
    Category,
    Evidence,
    Held,
    OrderStage,
    is_to_be_looked_at,
    is_to_be_verified,
    judge,
    totals_agree,
)
from pipeline.reconcile.scan import held_after
from pipeline.reconcile.words import in_words
from pipeline.translate.alone import Meaning

#: Delivered, and nothing newer.
DELIVERED = Evidence(events=1, held=Held.THERE, outcome="delivered", reason="created")


@pytest.mark.parametrize(
    ("known", "category", "stage", "reason"),
    [
        (Evidence(), Category.MISSING, OrderStage.NEVER_RECEIVED, ""),
        (Evidence(status="pending"), Category.NOT_DUE, OrderStage.NEVER_RECEIVED, "not_sold"),
        (Evidence(before_log=True), Category.UNKNOWN, OrderStage.NOT_KEPT, "before_log"),
        (Evidence(before_log=True, verified=False), Category.MISSING, OrderStage.NOT_KEPT, "before_log"),
        (Evidence(before_log=True, verified=True), Category.THERE, OrderStage.IN_CONNECTIF, ""),
        (Evidence(listed=Meaning.TELLS), Category.MISSING, OrderStage.NEVER_RECEIVED, ""),
        (
            Evidence(listed=Meaning.TELLS, before_log=True),
            Category.UNKNOWN,
            OrderStage.NOT_KEPT,
            "before_log",
        ),
        (
            Evidence(listed=Meaning.IGNORED, listed_reason="test_order", before_log=True),
            Category.NOT_DUE,
            OrderStage.NEVER_RECEIVED,
            "test_order",
        ),
        (
            Evidence(listed=Meaning.REJECTED, listed_reason="no_email"),
            Category.MISSING,
            OrderStage.NEVER_RECEIVED,
            "no_email",
        ),
        (
            Evidence(events=1, meaning=Meaning.IGNORED, meaning_reason="not_sold", listed=Meaning.TELLS),
            Category.MISSING,
            OrderStage.NEVER_RECEIVED,
            "sold_since",
        ),
        (
            Evidence(
                events=1,
                meaning=Meaning.IGNORED,
                meaning_reason="not_sold",
                listed=Meaning.TELLS,
                translated=False,
            ),
            Category.PENDING,
            OrderStage.NOT_TRANSLATED,
            "",
        ),
        (
            Evidence(events=2, held=Held.GONE, outcome="delivered", listed=Meaning.TELLS),
            Category.MISSING,
            OrderStage.NEVER_RECEIVED,
            "sold_since",
        ),
        (DELIVERED._replace(listed=Meaning.TELLS), Category.THERE, OrderStage.IN_CONNECTIF, ""),
        (
            DELIVERED._replace(listed=Meaning.IGNORED, listed_reason="too_old"),
            Category.THERE,
            OrderStage.IN_CONNECTIF,
            "",
        ),
        (
            DELIVERED._replace(listed=Meaning.IGNORED, listed_reason="cancelled", listed_gone=True),
            Category.DIFFERENT,
            OrderStage.IN_CONNECTIF,
            "unsold",
        ),
        (
            DELIVERED._replace(listed=Meaning.IGNORED, listed_gone=True, record=True, takes_back=True),
            Category.PENDING,
            OrderStage.PENDING,
            "is_taken_back",
        ),
        (
            DELIVERED._replace(listed=Meaning.IGNORED, listed_gone=True, translated=False),
            Category.THERE,
            OrderStage.IN_CONNECTIF,
            "",
        ),
        (Evidence(events=1, translated=False), Category.PENDING, OrderStage.NOT_TRANSLATED, ""),
        (Evidence(events=1, letter="no_email"), Category.MISSING, OrderStage.REJECTED, "no_email"),
        (Evidence(letter="no_email"), Category.MISSING, OrderStage.REJECTED, "no_email"),
        (
            Evidence(events=1, meaning=Meaning.IGNORED, meaning_reason="test_order"),
            Category.NOT_DUE,
            OrderStage.IGNORED,
            "test_order",
        ),
        (
            Evidence(events=1, meaning=Meaning.REJECTED, meaning_reason="no_products"),
            Category.MISSING,
            OrderStage.REJECTED,
            "no_products",
        ),
        (
            Evidence(events=1, meaning=Meaning.TELLS),
            Category.UNKNOWN,
            OrderStage.NOT_KEPT,
            "receipt_not_kept",
        ),
        (Evidence(events=1, record=True), Category.PENDING, OrderStage.PENDING, "waits"),
        (DELIVERED._replace(record=True), Category.PENDING, OrderStage.PENDING, "older_version_there"),
        (
            DELIVERED._replace(record=True, takes_back=True),
            Category.PENDING,
            OrderStage.PENDING,
            "is_taken_back",
        ),
        (
            Evidence(events=1, outcome="dead", reason="bad_domain"),
            Category.MISSING,
            OrderStage.DEAD,
            "bad_domain",
        ),
        (DELIVERED, Category.THERE, OrderStage.IN_CONNECTIF, ""),
        (
            DELIVERED._replace(outcome="dead", reason="invalid"),
            Category.DIFFERENT,
            OrderStage.DEAD,
            "invalid",
        ),
        (
            DELIVERED._replace(outcome="dead", reason="invalid", verified=True),
            Category.DIFFERENT,
            OrderStage.DEAD,
            "invalid",
        ),
        (DELIVERED._replace(outcome="dead", verified=False), Category.MISSING, OrderStage.LOST, "not_found"),
        (DELIVERED._replace(verified=False), Category.MISSING, OrderStage.LOST, "not_found"),
        (DELIVERED._replace(exported=False), Category.MISSING, OrderStage.LOST, "not_in_export"),
        (DELIVERED._replace(exported=False, verified=True), Category.THERE, OrderStage.IN_CONNECTIF, ""),
        (DELIVERED._replace(held=Held.GONE), Category.NOT_DUE, OrderStage.TAKEN_BACK, "created"),
        (
            DELIVERED._replace(held=Held.GONE, exported=True),
            Category.DIFFERENT,
            OrderStage.TAKEN_BACK,
            "still_there",
        ),
        (DELIVERED._replace(in_shop=False), Category.ONLY_CONNECTIF, OrderStage.IN_CONNECTIF, "told_by_us"),
        (
            Evidence(in_shop=False, exported=True),
            Category.ONLY_CONNECTIF,
            OrderStage.IN_CONNECTIF,
            "told_by_others",
        ),
        (
            DELIVERED._replace(shop_total=Decimal(10), connectif_total=Decimal(12)),
            Category.DIFFERENT,
            OrderStage.IN_CONNECTIF,
            "total",
        ),
    ],
)
def test_each_order_is_where_what_is_known_says(
    known: Evidence, category: Category, stage: OrderStage, reason: str
) -> None:
    verdict = judge(known)
    assert verdict[:3] == (category, stage, reason)


def test_the_statuses_of_the_store_say_what_is_sold() -> None:
    shipped = frozenset({"shipped"})
    assert judge(Evidence(status="wc-shipped"), shipped).category is Category.MISSING
    assert judge(Evidence(status="paid"), shipped).category is Category.NOT_DUE
    assert judge(Evidence(status="Some word of a plugin")).category is Category.MISSING


def test_a_refund_explains_a_smaller_total() -> None:
    known = DELIVERED._replace(shop_total=Decimal(100), connectif_total=Decimal(70))
    assert not totals_agree(known)
    assert totals_agree(known._replace(refunded=Decimal(30)))
    assert totals_agree(known._replace(refunded=Decimal(-30)))
    assert totals_agree(known._replace(connectif_total=None))


@pytest.mark.parametrize(
    ("outcome", "reason", "held"),
    [
        ("delivered", "created", Held.THERE),
        ("delivered", "already", Held.THERE),
        ("delivered", "retracted", Held.GONE),
        ("unchanged", "never_sent", Held.GONE),
        ("unchanged", "same", Held.NOTHING_SAID),
        ("superseded", "superseded", Held.NOTHING_SAID),
        ("dead", "invalid", Held.NOTHING_SAID),
    ],
)
def test_receipts_add_up_to_what_connectif_holds(outcome: str, reason: str, held: Held) -> None:
    assert held_after(outcome, reason) is held


amounts = st.none() | st.decimals(-1_000, 1_000, places=2)
evidence = st.builds(
    Evidence,
    in_shop=st.booleans(),
    shop_total=amounts,
    refunded=amounts,
    connectif_total=amounts,
    status=st.sampled_from(["", "paid", "pending"]),
    before_log=st.booleans(),
    events=st.integers(0, 2),
    translated=st.booleans(),
    letter=st.sampled_from(["", "no_email"]),
    meaning=st.none() | st.sampled_from(Meaning),
    record=st.booleans(),
    takes_back=st.booleans(),
    held=st.sampled_from(Held),
    outcome=st.sampled_from(["", "delivered", "dead"]),
    verified=st.none() | st.booleans(),
    exported=st.none() | st.booleans(),
)


@given(evidence)
def test_every_verdict_has_words_and_a_way_out(known: Evidence) -> None:
    assert all(in_words(judge(known)))


@given(evidence)
def test_what_connectif_confirms_is_never_missing(known: Evidence) -> None:
    confirmed = known._replace(in_shop=True, verified=True)
    assert judge(confirmed).category in {Category.THERE, Category.DIFFERENT}


@given(evidence)
def test_asking_again_is_for_nothing_that_is_known(known: Evidence) -> None:
    verdict = judge(known)
    if is_to_be_verified(known, verdict):
        assert verdict.category not in {Category.PENDING, Category.NOT_DUE, Category.ONLY_CONNECTIF}
    if is_to_be_looked_at(known):
        assert known.events


def test_beside_an_export_only_what_it_lacks_is_asked_for() -> None:
    has, lacks = DELIVERED._replace(exported=True), DELIVERED._replace(exported=False)
    assert not is_to_be_verified(has, judge(has))
    assert judge(lacks)[:2] == (Category.MISSING, OrderStage.LOST)
    assert is_to_be_verified(lacks, judge(lacks))
    assert judge(lacks._replace(verified=True)).category is Category.THERE


def test_what_was_told_too_late_for_an_export_is_not_judged_by_it() -> None:
    with Database() as database:
        database.put("orders", [(pid, pid, "", 1_000, None, None, "paid", 1) for pid in ("old", "new")])
        ends = {"old": 5_000, "new": 9_000}
        database.put(
            "receipts",
            [(pid, 0, "there", 1, "delivered", "created", "", "s", 1, at) for pid, at in ends.items()],
        )
        frame = RunContext("s", ZoneInfo("UTC"), exports={0: ExportSpan(0, 8_000, 8_000)})
        write_findings(database, frame, complete=True)
        found = dict(database.rows("SELECT pid, stage FROM findings"))
    assert found == {"old": "lost", "new": "in_connectif"}


def test_an_event_that_came_after_the_list_was_asked_for_is_newer_than_what_the_list_says() -> None:
    with Database() as database:
        rows = [(pid, pid, "", 5, "10.00", None, "", 1) for pid in ("before", "after")]
        database.put("orders", rows)
        database.put("listed", [(pid, "tells", "", "", 0) for pid in ("before", "after")])
        database.put("events", [("before", 1, 50, 99, 0, 1), ("after", 1, 50, 100, 0, 2)])
        receipts = ("gone", 1, "delivered", "", "", "acme", 60, 60)
        database.put("receipts", [(pid, 0, *receipts) for pid in ("before", "after")])
        frame = RunContext("acme", ZoneInfo("UTC"), translated={0: 10}, listed_ms=100)
        write_findings(database, frame, complete=True)
        found = dict(database.rows("SELECT pid, reason FROM findings"))
        assert found == {"before": "sold_since", "after": ""}
