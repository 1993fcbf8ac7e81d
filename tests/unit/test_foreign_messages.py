"""Whatever lies on a topic: a dead letter or nothing comes of it, and what is behind it is dealt with."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.deliver.partition.partition_state import PartitionState
from pipeline.deliver.partition.reading import Unreadable, read_receipt, read_record
from pipeline.deliver.partition.receipt_writer import ReceiptWriter
from pipeline.deliver.partition.tables import Tables
from pipeline.deliver.partition.two_phase_processor import PartitionBatch, TwoPhaseProcessor
from pipeline.kafka.deadletters import HEADERS, dead_letter
from pipeline.records import RecordKind
from pipeline.translate.totals import StoreTallies
from tests.plainshop import event
from tests.simulation.environment import settings_for
from tests.simulation.log import Cluster, MemoryStep, MemoryTable
from tests.simulation.shop import Shop
from tests.stubengine import Message
from tests.unit.receipts import receipt
from tests.unit.translate_stage import SOLD, TranslateStage

MAX_BYTES = 1_000_000
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        [10**30, -(10**30), 2**63, 2**64 - 1, -1, 0, 1e400, "", "a|b", "|", "s" * 300, "é" * 200]
    ),
    st.sampled_from(
        ["1e999999999", "-1e-999999999", "9" * 3_000, "Infinity", "sNaN", "2020-02-30", "\ud800"]
    ),
    st.lists(st.integers(-9, 9), min_size=3, max_size=3),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)
HEADER = st.tuples(
    st.one_of(st.text(max_size=10), st.sampled_from(["pipeline-store", "pipeline-lane", "dead-reason"])),
    st.one_of(st.none(), st.binary(max_size=20)),
)


class _Kept:
    def __init__(self) -> None:
        self.records: list[Any] = []

    def say(self, record: Any) -> None:
        self.records.append(record)


def _said() -> list[Any]:
    kept = _Kept()
    shop = Shop(kept, wall=time.time)
    shop.order("o1", "ann@example.com", "p1")
    shop.customer("bob@example.com", name="Bob", newsletter="subscribed")
    shop.product("p2")
    return kept.records


RECORDS = _said()


def _paths(tree: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [at, *(path for name, child in children for path in _paths(child, (*at, name)))]


@st.composite
def mutated(draw: st.DrawFn, tree: Any) -> bytes:
    """A message of ours with some values put in the place of others."""
    tree = orjson.loads(orjson.dumps(tree))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(_paths(tree)[1:]))
        parent = tree
        for name in path[:-1]:
            parent = parent[name]
        parent[path[-1]] = draw(ODD)
    return _json(tree)


def _json(tree: Any) -> bytes:
    import json  # noqa: PLC0415 - the only writer here of numbers beyond 64 bits

    return json.dumps(tree).encode()


class MemoryCommitter:
    """Steps are confirmed at once."""

    def __init__(self) -> None:
        self.steps: list[MemoryStep] = []

    def begin(self) -> MemoryStep:
        self.steps.append(MemoryStep())
        return self.steps[-1]

    async def confirm(self, step: MemoryStep) -> None:
        """Nothing to wait for."""

    submit = confirm


class DeliverStage:
    """A partition's state and its two-phase processor, on tables in memory."""

    def __init__(self) -> None:
        self.tables = Tables(*(MemoryTable(name, Cluster()) for name in ("pending", "delivered", "tally")))
        self.committer = MemoryCommitter()
        self.receipt_writer = ReceiptWriter(settings_for(Path(tempfile.gettempdir())), lambda: 1_000.0)
        self.partition_state = self.restarted()
        self.processor = TwoPhaseProcessor[MemoryStep](self.committer, lambda _receipt: None)

    def restarted(self) -> PartitionState:
        """The partition state as a new process builds it."""
        return PartitionState(0, self.tables, self.receipt_writer)

    async def goes_on(self) -> None:
        """A genuine record is accepted and counted, by this process and the next."""
        for _ in range(2):
            self.partition_state = self.restarted()
            await self.partition_state.load()
        value = RECORDS[0].model_dump_json().encode()
        record = read_record(value, RECORDS[0].kind, 0, 1, max_bytes=MAX_BYTES)
        done = lambda _step: None  # noqa: E731 - nothing to acknowledge
        await self.processor.take(record.kind, [PartitionBatch(self.partition_state, [(99, record)], done)])
        again = self.restarted()
        await again.load()
        assert not again.tally(record.account, record.store).accept(record.kind, 99)


def _as_record(value: bytes | None, kind: RecordKind) -> Any:
    try:
        return read_record(value, kind, 0, 1, max_bytes=MAX_BYTES)
    except Unreadable:
        return None


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_a_record_is_ours_and_can_be_kept_or_it_is_none(data: st.DataObject) -> None:
    genuine = data.draw(st.sampled_from(RECORDS))
    value = data.draw(st.one_of(st.none(), st.binary(max_size=50), mutated(genuine.model_dump(mode="json"))))
    record = _as_record(value, genuine.kind)

    async def deliver() -> None:
        stage = DeliverStage()
        if record is not None:
            await stage.processor.take(
                genuine.kind, [PartitionBatch(stage.partition_state, [(7, record)], lambda _step: None)]
            )
        await stage.goes_on()

    asyncio.run(deliver())


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_a_receipt_is_ours_or_stops_nobody(data: st.DataObject) -> None:
    genuine = receipt(3).model_dump(mode="json")
    value = data.draw(st.one_of(st.none(), st.binary(max_size=50), mutated(genuine)))

    async def deliver() -> None:
        stage = DeliverStage()
        try:
            found = read_receipt(value, 0, 1)
        except Unreadable:
            pass
        else:
            batch: Any = PartitionBatch(
                stage.partition_state,
                [(5, found)],
                lambda _step: None,
                lambda _offset, _why: None,
                lambda _kind: 2**70,
            )
            await stage.processor.settle([batch])
        await stage.goes_on()

    asyncio.run(deliver())


_ROW_KEYS = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([b"|", b"acme|", b"acme|shop", b"acme|contact|x", b"acme|purchase|o1", b"a|b|c|d"]),
)
_ROW = st.one_of(
    st.binary(max_size=60),
    st.recursive(ODD, lambda inner: st.lists(inner, max_size=4), max_leaves=8).map(_json),
    st.tuples(st.binary(min_size=15, max_size=15), st.lists(ODD, max_size=3).map(_json)).map(b"".join),
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(["pending", "delivered", "tally"]), st.dictionaries(_ROW_KEYS, _ROW, max_size=5))
def test_rows_that_no_worker_wrote_do_not_keep_deliver_from_starting(
    name: str, rows: dict[bytes, bytes]
) -> None:
    async def deliver() -> None:
        stage = DeliverStage()
        for key, row in rows.items():
            cast("MemoryTable", getattr(stage.tables, name)).put(key, row)
        await stage.goes_on()

    asyncio.run(deliver())


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(_ROW_KEYS, _ROW, max_size=5))
def test_rows_that_no_worker_wrote_do_not_keep_translate_from_starting(rows: dict[bytes, bytes]) -> None:
    indexes = StoreTallies()
    indexes.load(3, rows.items())
    indexes.accounts()


@settings(max_examples=200, deadline=None)
@given(_ROW)
def test_an_entity_s_row_that_no_worker_wrote_is_taken_for_none(row: bytes) -> None:
    async def translate() -> None:
        stage = TranslateStage()
        raw = event(SOLD)
        stage.engine.table("entities").rows[3] = {raw.key: row}
        await stage.reads(raw)
        assert stage.account("pipeline_account_events") == {("plain", "order", "accepted"): 1}

    asyncio.run(translate())


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.none(), st.binary(max_size=20)),
    st.one_of(st.none(), st.binary(max_size=50)),
    st.lists(HEADER, max_size=8),
    st.booleans(),
)
def test_any_message_to_translate_ends_and_the_next_is_translated(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]], mixed: bool
) -> None:
    async def translate() -> None:
        stage = TranslateStage()
        ours = list(event(SOLD, delivery="d0").to_kafka_headers()) if mixed else []
        await stage.reads(event(SOLD), key=key, value=value, headers=(*ours, *headers))
        await stage.reads(event(SOLD, delivery="d9"))
        counted = stage.account("pipeline_account_events")
        assert sum(counted.values()) == 2 or stage.engine.withheld

    asyncio.run(translate())


@pytest.mark.parametrize("size", [10, MAX_BYTES, 30 * MAX_BYTES])
def test_a_dead_letter_fits_whatever_the_message_is(size: int) -> None:
    message: Any = Message(
        "t", 0, 1, b"k", b"x" * size, (("dead-at", b"0"), ("\udcff", None), ("mine", b"1"))
    )
    letter = dead_letter(
        message,
        max_bytes=MAX_BYTES,
        reason="invalid_record",
        stage="deliver",
        topic="t",
        partition=2,
        offset=9,
        at_ms=77,
    )
    assert len(letter.value or b"") + sum(len(text) + 30 for _, text in letter.headers) < MAX_BYTES
    headers = dict(letter.headers)
    assert HEADERS.keys() <= headers.keys()
    assert (headers["dead-offset"], headers["dead-at"]) == (b"9", b"77")
    assert ("mine" in headers) == (size == 10)
