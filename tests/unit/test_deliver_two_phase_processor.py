"""Receipts of records that were never counted stop nobody, and the account of it all stays true."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from pipeline.deliver.partition import two_phase_processor as processor_module
from pipeline.deliver.partition.partition_state import PartitionState
from pipeline.deliver.partition.receipt_writer import ReceiptWriter
from pipeline.deliver.partition.tables import Tables
from pipeline.deliver.partition.two_phase_processor import CalledOff, PartitionBatch, TwoPhaseProcessor
from pipeline.deliver.state.entry import Entry
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from pipeline.records import Op, Receipt, RecordKind, record_key
from tests.simulation.environment import settings_for
from tests.simulation.log import Cluster, MemoryStep, MemoryTable
from tests.simulation.shop import Shop
from tests.unit.receipts import receipt

CONTACT = RecordKind.CONTACT


class Bench:
    """A partition state and its two-phase processor; steps are confirmed at once while `confirms` is set."""

    def __init__(self, tmp_path: Any) -> None:
        self.said: list[Any] = []
        self.settled: list[Receipt] = []
        self.refused: list[int] = []
        self.committed: Counter[str] = Counter()
        self.passed = 0
        self.end: int | None = None
        self.confirms = asyncio.Event()
        self.confirms.set()
        self.tables = Tables(*(MemoryTable(name, Cluster()) for name in ("pending", "delivered", "tally")))
        self.partition_state = PartitionState(
            0, self.tables, ReceiptWriter(settings_for(tmp_path), lambda: 1_000.0)
        )
        self.processor = TwoPhaseProcessor[MemoryStep](self, self.settled.append)

    def say(self, record: Any) -> None:
        self.said.append(record)

    def begin(self) -> MemoryStep:
        return MemoryStep()

    async def confirm(self, step: MemoryStep) -> None:
        await self.confirms.wait()
        self.committed.update(step.commits)

    submit = confirm

    async def take(self, offset: int = 0) -> None:
        """A contact comes in."""
        Shop(self).customer("ann@example.com", name="Ann")
        records = [(offset, self.said[-1])]
        await self.processor.take(
            CONTACT,
            [PartitionBatch(self.partition_state, records, lambda step: step.done("contacts", offset))],
        )

    def accept(self, offset: int) -> None:
        """A contact comes in, and is not counted."""
        Shop(self).customer("ann@example.com", name="Ann")
        self.partition_state.accept(CONTACT, [(offset, self.said[-1])], MemoryStep())

    async def settle(self, *receipts: Receipt) -> None:
        """Receipts are read back, from offset 50 on."""
        values = list(enumerate(receipts, 50))
        end = None if self.end is None else self._end
        batch: PartitionBatch[Receipt, MemoryStep] = PartitionBatch(
            self.partition_state,
            values,
            lambda step: step.done("receipts", values[-1][0]),
            lambda offset, _why: self.refused.append(offset),
            lambda _kind: self.passed,
            end,
        )
        await self.processor.settle([batch])

    async def _end(self, _kind: RecordKind) -> int:
        assert self.end is not None
        return self.end

    def counts(self) -> dict[str, int]:
        """The account of contacts."""
        return {
            what: count for _, _, tally in self.partition_state.tallies() for _, what, count in tally.rows()
        }


async def test_a_receipt_of_no_record_is_refused_and_those_beside_it_count(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    await bench.take(3)
    bench.passed = 9
    await bench.settle(receipt(7, "bob@example.com"), receipt(3, store=bench.said[0].store))
    assert bench.refused == [50]
    assert len(bench.settled) == 1
    assert bench.counts() == {"accepted": 1, "delivered": 1}
    assert bench.committed["receipts"] == 52


async def test_a_record_is_in_no_queue_before_kafka_has_confirmed_it(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    bench.confirms.clear()
    taking = asyncio.create_task(bench.take(3))
    await asyncio.sleep(0)
    queue = bench.partition_state.index("acme")[CONTACT]
    assert "ann@example.com" in queue
    assert queue.lanes() == []
    bench.confirms.set()
    await taking
    assert queue.lanes() == [Lane.LIVE]


async def test_a_receipt_beyond_the_end_of_its_topic_is_refused(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor_module, "DOUBT", 0.0)
    bench = Bench(tmp_path)
    bench.end = 1_000
    await bench.settle(receipt(10**12))
    assert bench.refused == [50]


async def test_a_receipt_waits_for_a_record_that_is_yet_to_be_counted(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    bench.passed, bench.end = 3, 4
    bench.accept(3)
    settling = asyncio.create_task(bench.settle(receipt(3, store=bench.said[0].store)))
    await asyncio.sleep(0)
    assert not settling.done()
    await bench.take(3)
    await settling
    assert bench.refused == []
    assert bench.counts() == {"accepted": 1, "delivered": 1}


async def test_a_record_that_nobody_will_count_any_more_is_counted_with_its_receipt(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    bench.accept(3)
    bench.passed = 4
    found = receipt(3, store=bench.said[0].store)
    await bench.settle(found)
    assert bench.refused == []
    assert bench.counts() == {"accepted": 1, "delivered": 1}
    assert not +bench.partition_state.versions
    assert bench.partition_state.entry("acme", Key(CONTACT, "ann@example.com")) == Entry()
    await bench.settle(found)  # it repeats
    assert bench.counts() == {"accepted": 1, "delivered": 1}


async def test_a_round_that_waits_is_called_off(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    settling = asyncio.create_task(bench.settle(receipt(3)))
    await asyncio.sleep(0)
    bench.processor.call_off()
    with pytest.raises(CalledOff):
        await settling


async def test_an_erased_contact_leaves_both_tables_however_often_its_receipt_comes(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    await bench.take(3)
    record = bench.said[0]
    key = record_key(record.account, CONTACT, record.id)
    await bench.settle(receipt(3, store=record.store))
    assert bench.tables.delivered.get(0, key) is not None
    erased = record.model_copy(update={"op": Op.ERASE, "version": 10**13, "owner": ""})
    records = [(4, erased)]
    await bench.processor.take(
        CONTACT, [PartitionBatch(bench.partition_state, records, lambda step: step.done("contacts", 4))]
    )
    bench.partition_state.send([(60, receipt(4, store=record.store))], MemoryStep())
    # Killed between the two phases, it reads the receipt again.
    await bench.settle(receipt(4, store=record.store))
    assert bench.tables.delivered.get(0, key) is None
    assert bench.tables.pending.get(0, key) is None
    assert bench.counts() == {"accepted": 2, "delivered": 2}
