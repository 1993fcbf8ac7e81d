"""What the shop has, into the database: a file, standard input, its API's list, or what it sent events of."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.errors import PipelineError, SettingsError
from pipeline.reconcile.connectif_side import amount_text
from pipeline.reconcile.database import batched
from pipeline.reconcile.judging import day_of
from pipeline.reconcile.run_options import API, EVENTS
from pipeline.reconcile.shop_api import ApiOrders, asking
from pipeline.reconcile.shop_orders import Reading, ShopFile, ShopOrder
from pipeline.reconcile.side import STEP, Side, SideContext
from pipeline.shops.registry import PLATFORMS
from pipeline.sync.listed import ListedOrder
from pipeline.text import moment
from pipeline.workers.client import WorkerClient

#: What an order is called whose purchase id the shop's row does not say, until an event or record does.
_NAMELESS = "order "
#: A list that begins so much later than it was asked for may lack the orders before.
_GAP_MS = 86_400_000


class ShopSide(Side):
    """Reads the shop's side of a run into its database.

    Attributes:
        source: a file's name, `-`, `API` or `EVENTS`.
        complete: whether the list has every order of the time asked for.
        numbered: whether events must be read to tell which purchase is which order's.
    """

    def __init__(self, context: SideContext) -> None:
        super().__init__(context)
        self._store = self._settings.stores[self._wanted.store]
        self.source = self._source()
        self.complete = self.source != EVENTS
        self.numbered = False

    def _source(self) -> str:
        """Where the list is from: where nothing is said, from the API of a store with credentials for it."""
        listed = PLATFORMS[self._store.platform].lists_orders(self._store)
        if self._wanted.shop == API and not listed:
            raise SettingsError(
                f"{self._wanted.store}: the store has no credentials for its API",
                field="--shop",
                hint="docs/sync.md says what each platform needs; or give the shop's list with --shop FILE",
            )
        return self._wanted.shop or (API if listed else EVENTS)

    def read(self) -> None:
        """The list, unless it is made of events.

        Raises:
            PipelineError: it cannot be read.
        """
        if self.source == API:
            self._read_api()
        elif self.source != EVENTS:
            self._read_file(self.source)

    # A file.

    def _read_file(self, given: str) -> None:
        """The list of a file, or of standard input."""
        zone = self._frame.zone
        how = Reading(zone, self._wanted.columns, self._wanted.date_format, self._wanted.decimal)
        with _opened(given) as file:
            name = "standard input" if given == "-" else Path(given).name
            source = ShopFile(file, name, how)
            self._require_usable(source, name)
            size = None if given == "-" else os.fstat(file.fileno()).st_size
            for batch in batched(self._order_rows(source, file, name, size)):
                self._database.put("orders", batch)
        self._summary.remarks += [f"{name}: {remark}" for remark in source.remarks()]
        self._count(name)
        if self._wanted.since is None and self._wanted.until is None:
            self._narrow_to_list()

    def _count(self, name: str) -> int:
        listed = int(self._database.one("SELECT COUNT(*) FROM orders WHERE inside"))
        self._summary.shop = f"{listed:,} orders of {name}"
        if not listed:
            self._summary.remarks.append(f"{name} lists no order of the time asked for")
        return listed

    def _require_usable(self, source: ShopFile, name: str) -> None:
        by = self._store.purchase_id
        if by != "id" and not source.has_numbers:
            self._summary.remarks.append(f"{name} is read as purchase ids, which are the orders' {by}s here")
        if by == "id" and not source.has_ids:
            self._summary.remarks.append(f"{name} has no column of ids: its order numbers are taken for them")
        self.numbered = by != "id" and not (source.has_ids and source.has_numbers)

    def _order_rows(
        self, source: ShopFile, file: BinaryIO, name: str, size: int | None
    ) -> Iterator[tuple[Any, ...]]:
        for number, order in enumerate(source.orders()):
            if number % STEP == 0 and size:
                self._tell(name, file.tell(), size)
            pid, entity = self._ids_of(order)
            pid = self._store.id_prefix + pid if pid else pid
            inside = self._frame.covers(order.at_ms)
            total, refunded = amount_text(order.total), amount_text(order.refunded)
            yield pid, entity, order.number, order.at_ms, total, refunded, order.status, int(inside)

    def _ids_of(self, order: ShopOrder) -> tuple[str, str]:
        """What Connectif knows the order by, and what the shop does; empty where the list does not say."""
        by = self._store.purchase_id
        if by == "id":
            return order.id or order.number, order.id or order.number
        if not order.number:
            return order.id, ""
        number = order.number.removeprefix("#") if by == "number" else order.number
        return number, order.id

    def _narrow_to_list(self) -> None:
        """A list without bounds is about the days of its orders; one without dates about its orders alone."""
        first, last = next(self._database.rows("SELECT MIN(at_ms), MAX(at_ms) FROM orders"))
        if first is None:
            self.complete = False
            self._summary.remarks.append(
                "the list has no dates and no days were named: what only Connectif has is not looked for"
            )
            return
        self._frame.since_ms, self._frame.until_ms = first, last + 1
        self._summary.since = day_of(first, self._frame.zone)
        self._summary.until = day_of(last, self._frame.zone)

    # The shop's API.

    def _read_api(self) -> None:
        """What the API lists: the orders that changed since the first day, as those placed since did, too."""
        pull = PLATFORMS[self._store.platform].pull
        assert pull is not None  # noqa: S101 - `Platform.lists_orders` looked
        name = "the shop's API"
        self._frame.listed_ms = int(time.time() * 1_000)
        with contextlib.closing(WorkerClient(self._settings)) as client:
            orders = ApiOrders(
                self._wanted.store,
                asking(self._settings, client, self._wanted.store),
                self._frame.since_ms,
                progress=lambda done, of: self._tell(name, done, of),
                say=self._say,
            )
            for page in orders.pages():
                self._put(page)
        self._summary.remarks += [f"{name}: {remark}" for remark in orders.remarks()]
        self._narrow(orders.as_of_ms - int(pull.lag * 1_000))
        if not self._count(name):
            self.complete = False  # a key without the right to orders is shown none

    def _put(self, page: list[ListedOrder]) -> None:
        rows, said, meant = [], [], []
        numbers = {name: number for number, name in enumerate(self._store.accounts)}
        for one in page:
            pid = one.purchase_id or f"{_NAMELESS}{one.entity}"
            inside = int(self._frame.covers(one.placed_ms))
            rows.append((pid, one.entity, "", one.placed_ms, one.total, None, one.reason, inside))
            said.append((one.entity, one.meaning.value, one.reason, one.detail, int(one.takes_back)))
            meant += [(one.entity, numbers[name]) for name in one.accounts if name in numbers]
        self._database.put("newest_orders", rows)
        self._database.put("listed", said)
        self._database.put("meant", meant)

    def _narrow(self, until_ms: int) -> None:
        """Nobody knows of orders that were placed after the list, or before its first.

        Shops list no more than some weeks to a key without further rights, and do not say so.
        """
        frame = self._frame
        frame.until_ms = min(until_ms, frame.until_ms if frame.until_ms is not None else until_ms)
        self._database.run("UPDATE orders SET inside = 0 WHERE at_ms >= ?", (frame.until_ms,))
        first = self._database.one("SELECT MIN(at_ms) FROM orders WHERE inside")
        if first is None:
            return
        if frame.since_ms is not None and first > frame.since_ms + _GAP_MS:
            at = moment(first / 1_000)
            self._summary.remarks.append(
                f"the shop's API lists no order before {at}: what only Connectif has is looked for since then"
            )
        if frame.since_ms is None or first > frame.since_ms + _GAP_MS:
            frame.since_ms = first

    def link_nameless(self) -> None:
        """Give orders of the API's list the purchase ids that events and records have of them."""
        if self.source != API:
            return
        # What came as an event is placed by that: the list's word is of those of which none came.
        self._database.run("DELETE FROM meant WHERE entity IN (SELECT entity FROM events)")
        self._database.run(
            """UPDATE OR REPLACE orders
            SET pid = (SELECT MIN(l.pid) FROM links l WHERE l.entity = orders.entity)
            WHERE pid = ? || entity AND EXISTS (SELECT 1 FROM links l WHERE l.entity = orders.entity)""",
            (_NAMELESS,),
        )

    # What came as events.

    def list_events(self) -> None:
        """Without a list of the shop's, whatever it sent events of is one."""
        self._database.run(
            """INSERT OR IGNORE INTO orders
            SELECT COALESCE(MIN(k.pid), :prefix || e.entity), e.entity, '', MIN(e.first_ms), NULL, NULL, '', 1
            FROM events e LEFT JOIN links k ON k.entity = e.entity AND :by <> 'id'
            WHERE e.first_ms >= :since AND e.first_ms < :until GROUP BY e.entity""",
            {
                "by": self._store.purchase_id,
                "prefix": self._store.id_prefix,
                "since": self._frame.since_ms or 0,
                "until": self._frame.until_ms or 2**62,
            },
        )
        listed = self._database.one("SELECT COUNT(*) FROM orders")
        self._summary.shop = (
            f"{listed:,} orders that events came of, by the day of their arrival (no list of the shop's)"
        )

    def _say(self, what: str) -> None:
        self._console.print(what, markup=False, highlight=False, soft_wrap=True)


def _opened(given: str) -> BinaryIO:
    if given == "-":
        return sys.stdin.buffer
    try:
        return Path(given).open("rb")
    except OSError as error:
        raise PipelineError(f"{given} cannot be read: {error.strerror}", field="--shop") from error


__all__ = ["ShopSide"]
