"""Two orders under one purchase id at the same time: the first keeps it, the other is a dead letter."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.deliver.partition.partition_state import PartitionState
from pipeline.deliver.partition.receipt_writer import ReceiptWriter
from pipeline.deliver.partition.tables import Tables
from pipeline.deliver.state.entry import Entry
from pipeline.deliver.state.key import Key
from pipeline.records import Op, Origin, Outcome, Purchase, PurchaseRecord, Receipt, RecordKind, Source
from tests.simulation.environment import settings_for
from tests.simulation.log import Cluster, MemoryStep, MemoryTable

KEY = Key(RecordKind.PURCHASE, "50")
FIRST, SECOND = "order|104", "order|105"


def record(owner: str, version: int, *, sold: bool = True, trigger: bool = True) -> PurchaseRecord:
    """What an order says of purchase 50; its total is its own number."""
    body = Purchase(
        purchase_id="50",
        contact_email="ana@mail.example",
        cart_id="50",
        purchase_date="2026-01-01T00:00:00Z",
        total_price=owner.partition("|")[2],
        total_quantity=1,
    )
    return PurchaseRecord(
        account="acme",
        store="shop",
        id="50",
        version=version,
        owner=owner,
        source=Source(topic="shop.orders", partition=0, offset=version),
        origin=Origin.ORDER,
        op=Op.UPSERT if sold else Op.RETRACT,
        received_ms=version,
        trigger=trigger,
        body=body if sold else None,
    )


class Partition:
    """A partition whose steps are confirmed at once, and what it wrote."""

    def __init__(self, directory: Any) -> None:
        self._tables = Tables(*(MemoryTable(name, Cluster()) for name in ("pending", "delivered", "tally")))
        self._writer = ReceiptWriter(settings_for(directory), lambda: 1_000.0)
        self.state = PartitionState(0, self._tables, self._writer)
        self.offset = 0

    async def restart(self) -> MemoryStep:
        """Another process loads the same tables."""
        self.state = PartitionState(0, self._tables, self._writer)
        await self.state.load()
        step = MemoryStep()
        self.state.open(step)
        return step

    def hear(self, said: PurchaseRecord) -> MemoryStep:
        """A record comes in."""
        step = MemoryStep()
        records = [(self.offset, said)]
        self.state.accept(RecordKind.PURCHASE, records, step)
        self.state.count(RecordKind.PURCHASE, records, step)
        self.offset += 1
        return step

    def read_back(self, *receipts: Receipt) -> None:
        """Receipts are read."""
        step = MemoryStep()
        rows = list(enumerate(receipts, 100))
        self.state.send(rows, step)
        self.state.clear(rows, step)

    @property
    def counts(self) -> dict[str, int]:
        """The account of purchases."""
        return {what: count for _, _, tally in self.state.tallies() for _, what, count in tally.rows()}

    @property
    def entry(self) -> Entry:
        return self.state.entry("acme", KEY)


@pytest.fixture(name="partition")
def _partition(tmp_path: Any) -> Partition:
    return Partition(tmp_path)


def receipts(step: MemoryStep) -> list[Receipt]:
    return [Receipt.model_validate_json(value) for topic, value in sent(step) if topic.endswith("receipts")]


def dead(step: MemoryStep) -> list[Any]:
    return [orjson.loads(value) for topic, value in sent(step) if topic.endswith("deadletters")]


def sent(step: MemoryStep) -> list[tuple[str, bytes]]:
    return [(topic, message[1] or b"") for topic, message in step.messages if not topic.startswith("table:")]


def total(partition: Partition) -> str:
    """Of the purchase that waits to be sent."""
    newest = partition.entry.next or partition.entry.current
    assert newest is not None
    return str(newest.state.body["total_price"])  # type: ignore[union-attr, index]


def test_the_second_order_is_a_dead_letter_with_its_reason_and_the_first_stays(partition: Partition) -> None:
    assert not receipts(partition.hear(record(FIRST, 10)))
    step = partition.hear(record(SECOND, 20))
    [receipt] = receipts(step)
    assert (receipt.outcome, receipt.reason, receipt.version) == (Outcome.DEAD, "purchase_id_taken", 20)
    assert [letter["body"]["total_price"] for letter in dead(step)] == ["105"]
    assert total(partition) == "104"
    partition.read_back(receipt)
    assert partition.counts == {"accepted": 2, "dead": 1}
    assert partition.entry.refused == ()


def test_the_second_orders_cancellation_takes_nothing_back(partition: Partition) -> None:
    partition.hear(record(FIRST, 10))
    partition.hear(record(SECOND, 20))
    partition.hear(record(SECOND, 30, sold=False))
    assert total(partition) == "104"


def test_it_may_have_the_id_once_the_first_is_cancelled(partition: Partition) -> None:
    partition.hear(record(FIRST, 10))
    partition.hear(record(FIRST, 20, sold=False))
    assert not dead(partition.hear(record(SECOND, 30)))
    assert total(partition) == "105"


def test_an_order_that_was_renumbered_takes_the_id_over(partition: Partition) -> None:
    partition.hear(record(FIRST, 10))
    assert not dead(partition.hear(record(SECOND, 20, trigger=False)))
    assert total(partition) == "105"


def test_a_newer_version_of_the_first_is_no_other_order(partition: Partition) -> None:
    partition.hear(record(FIRST, 10))
    assert not dead(partition.hear(record(FIRST, 20)))
    partition.hear(record(SECOND, 30))
    assert not dead(partition.hear(record(FIRST, 40)))
    assert total(partition) == "104"


async def test_a_crash_before_the_receipt_is_read_back_loses_no_dead_letter(partition: Partition) -> None:
    partition.hear(record(FIRST, 10))
    partition.hear(record(SECOND, 20))
    step = await partition.restart()
    assert [letter["body"]["total_price"] for letter in dead(step)] == ["105"]
    [receipt] = receipts(step)
    partition.read_back(receipt, receipt)
    assert partition.counts["dead"] == 1
    assert not dead(await partition.restart())
