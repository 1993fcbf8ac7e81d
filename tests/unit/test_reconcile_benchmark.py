"""What the benchmark of reconcile puts into the topics has the form that the stages write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tomli_w import dumps

from benchmarks import reconcile
from pipeline import config
from pipeline.events import Kind, RawEvent
from pipeline.records import PurchaseRecord, Receipt, RecordKind


@pytest.fixture(name="made")
def _made(tmp_path: Path) -> list[Any]:
    path = tmp_path / "pipeline.toml"
    path.write_text(dumps({**reconcile.TREE, "kafka": {"bootstrap": "127.0.0.1:9"}}))
    return list(reconcile.messages(config.load(path), 30))


def test_events_are_as_the_gateway_writes_them(made: list[Any]) -> None:
    events = [one for one in made if one.topic == Kind.ORDER.topic]
    assert len(events) == 29, "one never came"
    for one in events:
        event = RawEvent.from_kafka(one.value, one.headers)
        assert (event.store, event.key) == (reconcile.STORE, one.key)


def test_records_and_receipts_are_as_the_stages_write_them(made: list[Any]) -> None:
    records = [
        PurchaseRecord.model_validate_json(one.value)
        for one in made
        if one.topic == RecordKind.PURCHASE.topic
    ]
    receipts = [Receipt.model_validate_json(one.value) for one in made if one.topic == "connectif.receipts"]
    assert len(records) == len(receipts) == 28, "and one is not paid"
    assert [one.id for one in records] == [one.id for one in receipts]
    assert {one.record.offset for one in receipts} == set(range(28))
