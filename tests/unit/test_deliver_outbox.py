"""What is over as dead has its dead letter, whenever the worker is killed."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.deliver.partition.receipt_writer import ReceiptWriter
from pipeline.deliver.partition.receipts import AccountPartition
from pipeline.deliver.send.account_manager import _Outbox
from pipeline.deliver.state.ending import Ending
from pipeline.deliver.state.entry import Waiting
from pipeline.deliver.state.key import Key
from pipeline.records import Contact, ContactRecord, Origin, Outcome, RecordKind, Source
from tests.simulation import virtual
from tests.simulation.environment import settings_for
from tests.simulation.log import Cluster, CrashableCommitter

RECORD = ContactRecord(
    account="acme",
    store="acme-shop",
    id="ann@example.com",
    version=1,
    source=Source(topic="shop.customers", partition=0, offset=0),
    origin=Origin.CUSTOMER,
    received_ms=1,
    body=Contact(email="ann@example.com"),
)


@pytest.mark.parametrize("seed", range(40))
def test_no_receipt_says_dead_before_kafka_has_the_letter(tmp_path: Path, seed: int) -> None:
    cluster, chance = Cluster(), random.Random(seed)  # noqa: S311 - moments only
    writer = ReceiptWriter(settings_for(tmp_path), lambda: 1_000.0)

    async def killed_meanwhile() -> None:
        committer = CrashableCommitter(cluster, chance)
        box = _Outbox(cast("Any", SimpleNamespace(committer=committer, receipt_writer=writer, fatal=print)))
        confirming = asyncio.create_task(committer.run())
        waiting = Waiting.of(RECORD, 3, 1_000)
        ended = (Key(RecordKind.CONTACT, RECORD.id), waiting, Ending(Outcome.DEAD, "invalid", "400"))
        box.write(AccountPartition("acme", 0), [ended])
        await asyncio.sleep(chance.uniform(0.0, 0.05))
        confirming.cancel()
        committer.crash()

    virtual.run(killed_meanwhile())
    if cluster.topic(writer.receipts):
        assert cluster.topic(writer.dead_letters)
