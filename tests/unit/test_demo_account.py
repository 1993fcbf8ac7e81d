"""The demo's figures, its judgement of them, and its estimate of what is left."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from rich.console import Console

from pipeline.demo import display as show
from pipeline.demo import totals as account
from pipeline.demo.comparison import LedgerContents, LedgerDifference, differences
from pipeline.demo.eta import Eta
from pipeline.demo.expectations import Expected, ExpectedContact, ExpectedProduct, OrderStatement
from pipeline.demo.freshness import Freshness
from pipeline.demo.result import RunResult
from pipeline.demo.sandbox import Budget
from pipeline.demo.sender import SendResults
from pipeline.demo.totals import PipelineTotals
from pipeline.translate.totals import AccountCollector, StoreTallies

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PAGE = """
pipeline_account_events{kind="order",outcome="accepted",store="acme-es"} 7.0
pipeline_account_events{kind="order",outcome="rejected",store="acme-es"} 1.0
pipeline_account_reasons{kind="order",outcome="rejected",reason="no_email",store="acme-es"} 1.0
pipeline_account_reasons{kind="order",outcome="ignored",reason="draft",store="acme-es"} 3.0
pipeline_account_translated{account="acme",kind="purchase",outcome="emitted",store="acme-es"} 5.0
pipeline_account_translated{account="acme",kind="purchase",outcome="unchanged",store="acme-es"} 2.0
pipeline_account_records{account="acme",kind="purchase",outcome="accepted",store="acme-es"} 5.0
pipeline_account_records{account="acme",kind="purchase",outcome="delivered",store="acme-es"} 3.0
pipeline_account_records{account="acme",kind="purchase",outcome="superseded",store="acme-es"} 1.0
pipeline_account_records{account="acme",kind="purchase",outcome="pending",store="acme-es"} 1.0
pipeline_pending_records{account="acme",kind="purchase",lane="live"} 2.0
pipeline_pending_records{account="acme",kind="contact",lane="backfill"} 200.0
pipeline_pending_records{account="acme",kind="purchase",lane="backfill"} 1000.0
"""
ROW = ("acme", "acme-es", "purchase")
KEPT = ("acme-es", "order")


@pytest.fixture(name="good")
def _good() -> RunResult:
    """A run in which everything agrees."""
    figures = account.read([PAGE])
    figures.records[ROW].update({"delivered": 1, "pending": -1})
    posted = SendResults(done=9, kept=Counter({KEPT: 8}), answers=Counter({200: 8, 401: 1}))
    return RunResult(
        seed=1,
        speed=60,
        events=9,
        seconds={"post": 1.0},
        posted=posted,
        replayed=Counter(),
        rejected=Counter({(*KEPT, "no_email"): 1}),
        account=figures,
        budgets={"acme": Budget(limit=100, most=99, refused=0, calls=250, orders=100, created_again=1)},
        differences=(),
        held={"acme": {"purchases": 4}},
        freshness=(
            Freshness("live", "purchase", 60, 0.1, 0.4),
            Freshness("backfill", "purchase", 60, 2.0, 4.0),
        ),
        killed=(),
        complaint="",
        directory=Path("/tmp/x"),  # noqa: S108 - never touched
    )


def against(run: RunResult) -> list[str]:
    return [reason for check in run.checks for reason in check.against]


def test_the_pages_of_all_workers_are_added_up() -> None:
    read = account.read([PAGE, PAGE])
    assert (read.received, read.emitted, read.accepted, read.settled, read.pending) == (16, 10, 10, 8, 2)
    assert read.rejected == {KEPT: Counter(no_email=2)}
    assert not read.is_at_rest


def test_what_translate_exports_can_be_read() -> None:
    registry = CollectorRegistry()
    registry.register(AccountCollector(StoreTallies()))
    assert account.read([generate_latest(registry).decode()]) == PipelineTotals()


def test_a_good_run_agrees(good: RunResult) -> None:
    assert against(good) == []
    assert good.agrees
    assert good.account.is_at_rest


def test_a_lost_event_is_noticed(good: RunResult) -> None:
    good.posted.kept[KEPT] += 1
    said = "acme-es order: the gateway kept 9 and 0 were replayed, translate counted 8"
    assert against(good) == [said]


def test_what_was_replayed_must_be_counted_too(good: RunResult) -> None:
    good.posted.kept[KEPT] -= 3
    assert replace(good, replayed=Counter({KEPT: 3})).agrees
    said = "acme-es order: the gateway kept 5 and 4 were replayed, translate counted 8"
    assert against(replace(good, replayed=Counter({KEPT: 4}))) == [said]


def test_live_purchases_that_wait_for_the_backfill_are_noticed(good: RunResult) -> None:
    live, backfill = good.freshness
    late = replace(good, freshness=(live._replace(p50=2.0), backfill))
    assert against(late) == ["half of them within 2.00 s, half of the backfill's within 2.00 s"]
    assert replace(late, killed=("deliver",)).agrees
    assert replace(late, freshness=(live._replace(p50=2.0, records=49), backfill)).agrees
    assert replace(late, freshness=(live._replace(p50=2.0),)).agrees


def test_an_event_too_many_is_an_error_unless_a_shop_had_to_send_again(good: RunResult) -> None:
    good.posted.kept[KEPT] -= 1
    assert not good.agrees
    good.posted.unanswered = 1
    assert good.agrees


def test_a_webhook_that_was_spooled_may_be_twice_in_kafka(good: RunResult) -> None:
    good.posted.kept[KEPT] -= 1
    good.account.answers["spooled"] = 1
    assert good.agrees


def test_a_record_lost_between_the_stages_is_noticed(good: RunResult) -> None:
    good.account.translated[ROW]["emitted"] += 1
    assert against(good) == ["acme acme-es purchase: translate sent 6, deliver accepted 5"]


def test_what_a_killed_worker_sent_again_is_no_error(good: RunResult) -> None:
    good.account.records[ROW].update({"accepted": 2, "unchanged": 2})
    assert against(good) == ["acme acme-es purchase: translate sent 5, deliver accepted 7"]
    assert replace(good, killed=("translate",)).agrees
    assert good.account.is_at_rest


def test_a_worker_with_messages_before_it_is_not_at_rest(good: RunResult) -> None:
    good.account.lag["connectif.purchases"] = 1
    assert not good.account.is_at_rest


def test_a_worker_that_is_not_ready_is_not_at_rest(good: RunResult) -> None:
    good.account.ready["deliver"] = False
    assert not good.account.is_at_rest


def test_parts_that_do_not_sum_are_noticed(good: RunResult) -> None:
    good.account.records[ROW]["delivered"] += 1
    assert against(good) == ["acme acme-es purchase: accepted 5, but the parts sum to 6"]


def test_what_waits_or_is_dead_at_the_end_is_noticed(good: RunResult) -> None:
    good.account.records[ROW].update({"delivered": -1, "dead": 1})
    assert against(good) == ["acme acme-es purchase: 1 dead"]


def test_another_rejection_than_meant_is_noticed(good: RunResult) -> None:
    good.account.rejected[KEPT] = Counter(no_products=1)
    assert against(good) == ["acme-es order no_email: 0, not 1", "acme-es order no_products: 1, not 0"]


def test_a_refused_call_is_noticed(good: RunResult) -> None:
    spent = {"acme": replace(good.budgets["acme"], refused=2)}
    assert against(replace(good, budgets=spent)) == ["acme: 2 calls were refused with 429"]


def test_a_difference_in_the_ledger_and_a_standstill_are_noticed(good: RunResult) -> None:
    found = (LedgerDifference("acme", "purchase 7", "there", "missing"),)
    run = replace(good, differences=found, complaint="nothing moved for 60 s")
    assert against(run) == ["nothing moved for 60 s", "acme: purchase 7: missing, not there"]
    assert not run.agrees


def test_the_result_is_json_and_a_picture(good: RunResult) -> None:
    told = json.loads(json.dumps(good.as_json()))
    assert told["agrees"]
    assert told["stores"][0] | {"received": 8, "accepted": 7, "rejected": 1} == told["stores"][0]
    assert told["records"][0] | {"told_before": 2, "delivered": 4, "superseded": 1} == told["records"][0]
    assert told["accounts"]["acme"]["calls_per_order"] == 2.5
    assert told["freshness"][1] == {
        "lane": "backfill",
        "kind": "purchase",
        "records": 60,
        "p50": 2.0,
        "p95": 4.0,
    }
    console = Console(record=True, width=150)
    show.result(good, console)
    show.result(replace(good, complaint="[red]stuck"), console)
    text = console.export_text()
    assert "Everything agrees" in text
    assert "[red]stuck" in text
    assert "How fresh" in text
    progress = show.DemoProgress(9, account=account.read([PAGE]))
    console.print(show.live(progress))
    waiting = "waiting: 2 live, 0 retry, 1,200 backfill"
    assert waiting in console.export_text()
    assert waiting in progress.line


def test_nothing_is_estimated_before_anything_is_known() -> None:
    eta = Eta()
    assert (eta.rate, eta.remaining(5)) == (None, None)
    eta.update(0, 0)
    eta.update(0.5, 40)
    assert eta.remaining(100) is None
    eta.update(2, 40)
    assert eta.remaining(100) == pytest.approx(3)
    assert eta.remaining(40) == 0


def test_an_estimate_forgets_the_distant_past() -> None:
    eta = Eta(window=5)
    for second in range(20):
        eta.update(second, 100 if second > 9 else second * 10)
    assert eta.rate is None
    assert eta.remaining(200) is None


ORDER = OrderStatement(
    account="acme",
    order="7",
    at=NOW,
    sold=True,
    placed=NOW,
    total=Decimal("10.50"),
    units=3,
    articles=frozenset({"1", "2"}),
    buyer="a@x.example",
)
WANTED = Expected(
    purchases={"7": ORDER},
    contacts={"a@x.example": ExpectedContact(frozenset({("A", "B")}), frozenset({"none"}))},
    products={
        "1": ExpectedProduct("Mug", Decimal("3.5"), in_stock=True, listed=True),
        "2": ExpectedProduct(None, None, None, listed=False),
    },
    allowed_contacts={"a@x.example", "b@x.example"},
    allowed_products={"1", "2"},
)
LEDGER = LedgerContents(
    purchases={
        "7": {
            "totalPrice": 10.5,
            "contactEmail": "a@x.example",
            "purchaseDate": "2026-11-20T12:00:00Z",
            "totalQuantity": 3,
            "products": [{"productId": "2"}, {"productId": "1"}],
        }
    },
    contacts={"a@x.example": {"_name": "A", "_surname": "B"}, "b@x.example": {}},
    products={
        "1": {"name": "Mug", "unitPrice": 3.5, "availability": "instock", "isBlacklisted": False},
        "2": {"name": "Stub", "unitPrice": 1, "isBlacklisted": True},
    },
)


def test_a_ledger_as_it_must_be_has_no_differences() -> None:
    assert differences("acme", WANTED, LEDGER) == []


def test_every_way_to_be_wrong_is_reported() -> None:
    wrong = LedgerContents(
        purchases={
            "7": {**LEDGER.purchases["7"], "totalPrice": 10.4, "totalQuantity": 2},
            "8": LEDGER.purchases["7"],
        },
        contacts={
            "a@x.example": {"_name": "A", "_newsletterSubscriptionStatus": "subscribed"},
            "c@x.example": {},
        },
        products={"1": {"name": "Cup", "unitPrice": 3, "availability": "outofstock", "isBlacklisted": True}},
    )
    assert [one.what for one in differences("acme", WANTED, wrong)] == [
        "purchase 7: total",
        "purchase 7: units",
        "purchase 8",
        "contact c@x.example",
        "contact a@x.example: name",
        "contact a@x.example: newsletter",
        "product 2",
        "product 1: name",
        "product 1: price",
        "product 1: availability",
        "product 1: recommended",
    ]
