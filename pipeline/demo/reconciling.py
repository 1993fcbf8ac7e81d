"""The demo's last question, put to `pipeline reconcile`: is every order of the shops in Connectif?

One side is the list that each shop's admin would export, made from what the demo knows of its orders, or what
the shop's own API lists; the other is Connectif's own export.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

from pipeline import private
from pipeline.config import Settings
from pipeline.console import Console
from pipeline.demo.expectations import OrderStatement
from pipeline.demo.shop_history import Delivery
from pipeline.reconcile.rules import Category
from pipeline.reconcile.run import run
from pipeline.reconcile.run_options import API, ReconcileOptions

#: What must be 0 once all is settled.
WRONG = (
    Category.MISSING,
    Category.DIFFERENT,
    Category.PENDING,
    Category.UNKNOWN,
    Category.ONLY_CONNECTIF,
)


class StoreReconciled(NamedTuple):
    """One store's result.

    Attributes:
        store: its name.
        orders: how many its list has.
        there: of these, in Connectif.
        not_due: not sold, or not any more: Connectif has none of them, and ought not to.
        wrong: result -> how many, of those that must be none.
        report: the page that names each.
    """

    store: str
    orders: int
    there: int
    not_due: int
    wrong: dict[str, int]
    report: Path

    @property
    def against(self) -> Iterator[str]:
        """What speaks against it."""
        for result, number in self.wrong.items():
            if number:
                yield f"{self.store}: {number:,} {result.replace('_', ' ')}; {self.report} names each"


def reconcile_by_api(settings: Settings, store: str, since: date) -> StoreReconciled:
    """Compare what a shop's own API lists with Connectif. Blocks.

    Args:
        settings: the demo's.
        store: whose list.
        since: a day before all its orders.

    Raises:
        PipelineError: Kafka, the sync worker or the sandbox cannot be asked.
    """
    report = private.directory(settings.data_dir / "reconcile") / f"{store}.html"
    wanted = ReconcileOptions(store, since=since, shop=API, connectif_export=API, html=report)
    return _reconciled(settings, wanted, report)


def reconcile(settings: Settings, deliveries: Iterable[Delivery], store: str) -> StoreReconciled:
    """Compare one shop's list with Connectif. Blocks.

    Args:
        settings: the demo's.
        deliveries: all that shops sent.
        store: whose list.

    Raises:
        PipelineError: Kafka or the sandbox cannot be asked.
    """
    directory = private.directory(settings.data_dir / "reconcile")
    listed, report = directory / f"{store}-orders.csv", directory / f"{store}.html"
    write_list(listed, deliveries, store)
    wanted = ReconcileOptions(store, shop=str(listed), connectif_export=API, html=report)
    return _reconciled(settings, wanted, report)


def _reconciled(settings: Settings, wanted: ReconcileOptions, report: Path) -> StoreReconciled:
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        found = run(settings, wanted, Console(file=nowhere), printed=False)
    counts = found.counts
    return StoreReconciled(
        wanted.store,
        sum(counts.values()) - counts[Category.ONLY_CONNECTIF],
        counts[Category.THERE],
        counts[Category.NOT_DUE],
        {category.value: counts[category] for category in WRONG},
        report,
    )


def write_list(path: Path, deliveries: Iterable[Delivery], store: str) -> None:
    """The shop's own list: every order as it stands now."""
    newest: dict[str, OrderStatement] = {}
    for delivery in deliveries:
        if delivery.shop != store:
            continue
        for one in delivery.statements:
            if isinstance(one, OrderStatement) and (
                one.order not in newest or one.at >= newest[one.order].at
            ):
                newest[one.order] = one
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("Id", "Created at", "Total", "Financial Status"))
        for order, one in newest.items():
            total = str(one.total) if one.sold else ""
            writer.writerow((order, one.placed.isoformat(), total, "paid" if one.sold else "cancelled"))
