"""What the sync worker forgets, once Kafka has what became of it.

The messages of a step reach their partitions one by one. A process that is killed meanwhile may leave any of
them: a row that is deleted without the event that answers it would be a loss.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.engine.engine import Engine
from pipeline.engine.rounds import Round
from pipeline.events import Kind, Lane
from pipeline.kafka.fetches import FetchRequest
from pipeline.kafka.keys import unique_key
from pipeline.kafka.messages import TopicPartition
from pipeline.shops.callbacks import CALLBACK, UNSUBSCRIBED, Statement, callback_event, statement_of
from pipeline.shops.consent import Impossible
from pipeline.shops.registry import PLATFORMS
from pipeline.sync.backlog import Notice
from pipeline.sync.consent.desk import memory_key
from pipeline.sync.consent.memory import Memory
from pipeline.sync.consent.waiting import Row
from pipeline.sync.pull.rows import RowKey, Seen, Told
from pipeline.sync.pull.state import StoreState
from pipeline.sync.store_runner import GivenUp
from pipeline.sync.worker import SyncWorker
from tests.plainshop import event
from tests.simulation.feeding import STORE, World
from tests.stubengine import Message, StubEngine, StubStep, StubTable

SENDS, WRITES = "sends", "writes"
NOTIFIED = event({}, store=STORE, topic="Order")
PLACE = "shop.orders/0/3"
CALLED_BACK = event({}, store=STORE, kind=Kind.CUSTOMER, topic=f"{CALLBACK}unsubscribed")


class _Step(StubStep):
    """Says what is in it."""

    def __init__(self, engine: _Engine) -> None:
        super().__init__(engine)
        self.parts: list[str] = []

    def send(self, *said: Any, **more: Any) -> None:
        self.parts.append(SENDS)
        super().send(*said, **more)

    def write(self, table: StubTable, partition: int, key: bytes, value: bytes | None) -> None:
        self.parts.append(f"{WRITES} {table.name}")
        super().write(table, partition, key, value)


class _Engine(StubEngine):
    """Keeps what its steps consist of, in the order in which Kafka has them."""

    def __init__(self, *said: Any) -> None:
        super().__init__(*said)
        self.confirmed: list[list[str]] = []

    def begin(self) -> _Step:
        return _Step(self)

    async def confirm(self, step: StubStep) -> None:
        self.confirmed.append(list(dict.fromkeys(cast("_Step", step).parts)))

    async def submit(self, step: StubStep) -> None:
        await self.confirm(step)
        await super().submit(step)


async def a_page(worker: SyncWorker) -> None:
    """Two rows of a list, one of which is news."""
    told = Told(events=[NOTIFIED], writes={RowKey(Kind.ORDER, "7", "Order"): Seen(1, bytes(12))})
    await worker.pulls._memory.keep(StoreState(store=STORE), told=told)


async def a_look_up(worker: SyncWorker) -> None:
    """The documents of a notification are there."""
    await worker._fetched(NOTIFIED, [Notice(b"row", NOTIFIED.key, 1_000, Lane.LIVE)])


async def no_look_up(worker: SyncWorker) -> None:
    """They cannot be had."""
    notices = [Notice(b"row", NOTIFIED.key, 1_000, Lane.LIVE)]
    await worker._given_up(FetchRequest(PLACE, NOTIFIED), GivenUp("fetch_failed", "no"), notices)


async def a_callback(worker: SyncWorker) -> None:
    """Somebody left in Connectif: read again beside the memory of itself, it would be an echo."""
    said = callback_event(STORE, "vtex", UNSUBSCRIBED, "ana@mail.example", 1_000_000, in_person=False)
    topic, partition = "sync.consents", worker.consents._partition(STORE)
    headers = said.to_kafka_headers()
    message = Message(topic, partition, 3, unique_key(said.key), said.body, headers)
    await worker.consents._take(Round(((TopicPartition(topic, partition), [message]),)))
    remembered = Memory.decode(worker.consents._memory.get(partition, memory_key(said)))
    statement = statement_of(said)
    assert statement is not None
    assert remembered.is_echo(statement)
    assert not Memory().is_echo(statement)


def _waiting(worker: SyncWorker) -> tuple[bytes, Row]:
    row = Row("sync.consents/0/3", CALLED_BACK, Statement("ana@mail.example", "unsubscribed", 1_000))
    desk, key = worker.consents, memory_key(CALLED_BACK)
    desk._feeds[STORE] = worker.pulls._feeds[STORE]
    cast("StubTable", desk._rows).rows[desk._partition(STORE)] = {key: row.encode()}
    return key, row


async def a_consent(worker: SyncWorker) -> None:
    """A statement is at the shop, whose account is looked at."""
    await worker.consents._settled(*_waiting(worker), ["12"])


async def no_consent(worker: SyncWorker) -> None:
    """It cannot be written there."""
    await worker.consents._buried(*_waiting(worker), Impossible("unknown_at_shop", "no account"))


@pytest.mark.parametrize(
    ("does", "confirmed"),
    [
        (a_page, [[SENDS], [f"{WRITES} pulled"], [f"{WRITES} pulls"]]),
        (a_look_up, [[SENDS], [f"{WRITES} requests"]]),
        (no_look_up, [[SENDS], [f"{WRITES} requests"]]),
        (a_consent, [[SENDS], [f"{WRITES} consents"]]),
        (no_consent, [[SENDS], [f"{WRITES} consents"]]),
        (a_callback, [[SENDS, f"{WRITES} consents"], [f"{WRITES} statements"]]),
    ],
)
async def test_nothing_is_forgotten_before_kafka_has_what_became_of_it(
    tmp_path: Path, does: Callable[[SyncWorker], Awaitable[None]], confirmed: list[list[str]]
) -> None:
    engine = _Engine(World("vtex").tree(tmp_path))
    await does(SyncWorker(cast("Engine", engine), PLATFORMS))
    assert engine.confirmed == confirmed
