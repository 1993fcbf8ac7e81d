"""Where the shop's side is from, and of which orders a list of its API speaks."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from pipeline import config
from pipeline.errors import SettingsError
from pipeline.reconcile import shop_side
from pipeline.reconcile.database import Database
from pipeline.reconcile.findings import Summary
from pipeline.reconcile.judging import RunContext
from pipeline.reconcile.run_options import API, EVENTS, ReconcileOptions
from pipeline.reconcile.shop_side import ShopSide
from pipeline.reconcile.side import SideContext
from pipeline.shops.registry import PLATFORMS
from pipeline.sync.listed import ListedOrder
from pipeline.translate.alone import Meaning
from pipeline.workers.client import WorkerAnswer
from tests.listed_shops import ACCESS
from tests.settings_trees import store_tree

DAY = 86_400_000
#: The shop's now, and by how much WooCommerce's list is behind.
NOW, LAG = 100 * DAY, 60_000


class Run:
    """A run's shop side, without its other steps."""

    def __init__(
        self,
        database: Database,
        *,
        platform: str = "woocommerce",
        shop: str | None = None,
        since: int | None = None,
        **store: Any,
    ) -> None:
        self.database = database
        tree = {
            "accounts": {"acme": {"api_key": "acme:secret", "base_url": "http://127.0.0.1:9"}},
            "stores": {"acme": store_tree(platform, "acme", **store)},
        }
        self.frame = RunContext("acme", ZoneInfo("UTC"), since_ms=since)
        self.summary = Summary("acme", ("acme",), datetime.now(UTC))
        self.side = ShopSide(
            SideContext(
                config.parse(tree, {}),
                ReconcileOptions("acme", shop=shop),
                database,
                frame=self.frame,
                summary=self.summary,
                console=Console(file=io.StringIO()),
                tell=lambda *_: None,
            )
        )

    def orders(self) -> dict[str, bool]:
        """Each order's id, and whether it is among those that are asked for."""
        return {pid: bool(inside) for pid, inside in self.database.rows("SELECT pid, inside FROM orders")}


@pytest.fixture(name="database")
def _database() -> Iterator[Database]:
    with Database() as made:
        yield made


def told(order: str, placed: int | None, **more: Any) -> ListedOrder:
    return ListedOrder(order, order, placed, "10.00", Meaning.TELLS)._replace(**more)


def lists(monkeypatch: pytest.MonkeyPatch, *orders: ListedOrder) -> None:
    """A sync worker that lists these on one page."""
    page = {
        "is_read": True,
        "orders": [list(one) for one in orders],
        "is_last": True,
        "as_of_ms": NOW,
        "read": len(orders),
        "dropped": 0,
    }

    def ask(_query: Mapping[str, str]) -> WorkerAnswer:
        return WorkerAnswer(page, "w1")

    monkeypatch.setattr(shop_side, "asking", lambda *_: ask)


@pytest.mark.parametrize("platform", list(PLATFORMS))
def test_without_a_file_the_list_is_the_apis_where_the_store_has_credentials(
    platform: str, database: Database
) -> None:
    own = {"api_url": "http://127.0.0.1:9", **ACCESS[platform][1]}
    assert Run(database, platform=platform, **own).side.source == API
    assert Run(database, platform=platform, shop=EVENTS, **own).side.source == EVENTS
    assert Run(database, platform=platform, shop="orders.csv", **own).side.source == "orders.csv"


def test_without_credentials_it_is_made_of_events_and_an_api_is_refused_with_the_way_out(
    database: Database,
) -> None:
    made = Run(database)
    assert (made.side.source, made.side.complete) == (EVENTS, False)
    with pytest.raises(SettingsError) as raised:
        Run(database, shop=API)
    assert "no credentials" in raised.value.message
    assert "--shop FILE" in (raised.value.hint or "")


def test_orders_placed_outside_of_the_days_or_after_the_list_are_known_and_not_judged(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists(
        monkeypatch,
        told("old", NOW - 9 * DAY),
        told("in", NOW - 6 * DAY),
        told("just", NOW - LAG + 1),
        told("undated", None, meaning=Meaning.REJECTED),
    )
    run = Run(database, since=NOW - 7 * DAY + 1, **ACCESS["woocommerce"][1])
    run.side.read()
    assert run.orders() == {"old": False, "in": True, "just": False, "undated": True}
    assert run.frame.until_ms == NOW - LAG
    assert run.side.complete
    assert run.summary.shop == "2 orders of the shop's API"


def test_what_the_shop_does_not_list_before_its_first_order_is_not_missed_in_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists(monkeypatch, told("first", NOW - 60 * DAY))
    run = Run(database, since=NOW - 90 * DAY, **ACCESS["woocommerce"][1])
    run.side.read()
    assert run.frame.since_ms == NOW - 60 * DAY
    assert any("lists no order before" in remark for remark in run.summary.remarks)


def test_an_empty_list_accuses_nobody(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    lists(monkeypatch)
    run = Run(database, since=NOW - 7 * DAY, **ACCESS["woocommerce"][1])
    run.side.read()
    assert not run.side.complete
    assert "lists no order of the time asked for" in run.summary.remarks[0]


def test_the_newest_row_of_an_order_counts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = told("1", NOW - DAY, total=None, meaning=Meaning.IGNORED, reason="cancelled", takes_back=True)
    lists(monkeypatch, told("1", NOW - DAY), gone)
    run = Run(database, since=NOW - 7 * DAY, **ACCESS["woocommerce"][1])
    run.side.read()
    assert list(database.rows("SELECT pid, total, status FROM orders")) == [("1", None, "cancelled")]
    assert database.one("SELECT takes_back FROM listed") == 1


def test_an_order_without_a_purchase_id_gets_the_one_that_its_records_have(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = ListedOrder("77", "", NOW - DAY, None, Meaning.IGNORED, "cancelled", takes_back=True)
    lists(monkeypatch, gone, gone._replace(entity="78"))
    run = Run(database, since=NOW - 7 * DAY, purchase_id="number", **ACCESS["woocommerce"][1])
    run.side.read()
    database.put("links", [("1001", "77")])
    run.side.link_nameless()
    assert set(run.orders()) == {"1001", "order 78"}
