"""A worker says that Kafka is silent: no heartbeat acknowledged, or nothing confirmed of what was sent."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.engine.engine import SILENT_AFTER, Engine
from pipeline.engine.faust.consumer import RoundConsumer
from pipeline.engine.membership import MembershipLost
from pipeline.engine.watch import KafkaWatch, ProducerStuck
from pipeline.errors import BrokerError
from pipeline.kafka import confirmed
from pipeline.kafka.confirmed import AsyncProducer
from tests.simulation import virtual

pytestmark = pytest.mark.real_time


def complaint(*, group: float, sender: float, ready: bool = True) -> str | None:
    """What a worker says when it last heard from Kafka so many seconds ago."""
    engine: Any = object.__new__(Engine)
    engine._runtime = SimpleNamespace(consumer=SimpleNamespace(silence=lambda: group))
    engine.producer = SimpleNamespace(silence=lambda: sender)
    engine._ready, engine._stopping, engine.concerns = ready, False, []
    return cast("Engine", engine).complaint


def test_a_worker_that_hears_from_kafka_has_nothing_to_complain_of() -> None:
    assert complaint(group=SILENT_AFTER, sender=0) is None


@pytest.mark.parametrize(("group", "sender"), [(12.4, 0), (0, 12.4)])
def test_silence_of_either_side_is_reported_with_its_length(group: float, sender: float) -> None:
    assert complaint(group=group, sender=sender) == "Kafka has not answered for 12 s"


def test_a_worker_without_kafka_looks_seldom_for_something_to_read() -> None:
    """It may be away for hours; it looked fifty times a second over all its partitions."""
    reader: Any = object.__new__(RoundConsumer)
    reader.flow_active, reader.silence = True, lambda: 15.1
    reader.app = SimpleNamespace(conf=SimpleNamespace(broker_session_timeout=15.0))
    reader._with_room = lambda: pytest.fail("nothing is read without the group")

    async def looks(seconds: float) -> int:
        count, loop = 0, asyncio.get_running_loop()
        while loop.time() < seconds:
            await reader._read_round()
            count += 1
        return count

    assert virtual.run(looks(60.0)) <= 120


def test_a_worker_that_is_not_ready_says_why_rather_than_how_long() -> None:
    assert complaint(group=60, sender=60, ready=False) == "waiting for partitions and their tables"


async def test_a_producer_is_silent_only_while_something_is_unconfirmed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(confirmed, "time", SimpleNamespace(monotonic=lambda: now))
    sender = AsyncProducer({"bootstrap.servers": "127.0.0.1:1"}, max_message_bytes=1_000_000)
    assert sender.silence() == 0
    first, second, third = sender.begin(), sender.begin(), sender.begin()
    sender.expect(first)
    now += 7
    sender.expect(second)
    assert sender.silence() == 7
    sender.finished(first)
    now += 2
    assert sender.silence() == 2
    sender.finished(second)
    now += 50
    assert sender.silence() == 0
    sender.expect(third)
    assert sender.silence() == 0
    sender.finished(third)


async def test_a_set_that_stays_unconfirmed_is_silence_whatever_else_is_confirmed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One partition may take nothing while all others do."""
    now = 100.0
    monkeypatch.setattr(confirmed, "time", SimpleNamespace(monotonic=lambda: now))
    sender = AsyncProducer({"bootstrap.servers": "127.0.0.1:1"}, max_message_bytes=1_000_000)
    stuck = sender.begin()
    sender.expect(stuck)
    for _ in range(40):
        now += 1
        other = sender.begin()
        sender.expect(other)
        sender.finished(other)
    assert sender.silence() == 40
    sender.finished(stuck)


class Sender:
    """Messages that have waited so long, and the partitions that nobody leads."""

    def __init__(self, waited: list[float], led: list[list[str] | None]) -> None:
        self.waited, self.led = waited, led

    def silence(self) -> float:
        return self.waited.pop(0) if self.waited else 0.0

    def leaderless(self) -> list[str]:
        found = self.led.pop(0)
        if found is None:
            raise BrokerError("Kafka does not answer")
        return found


async def watched(sender: Sender, *, group: bool = False) -> None:
    """Watch until all that it says was heard: the group's silence, or that of what was sent."""
    watch = KafkaWatch(lambda: cast("Any", sender), cast("AsyncProducer", sender), sender.leaderless, every=0)
    async with asyncio.timeout(5):
        task = asyncio.ensure_future(watch.group() if group else watch.sending())
        while sender.waited and not task.done():
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        task.cancel()
        await task


async def test_a_worker_ends_where_kafka_would_take_what_waits() -> None:
    with pytest.raises(ProducerStuck, match="not confirmed messages for 45 s"):
        await watched(Sender([35, 45], [[]]))


@pytest.mark.parametrize(
    "sender",
    [
        Sender([29, 30, 12], []),
        Sender([35, 45, 55], [["t/1"], ["t/1"], ["t/1"]]),
        Sender([35, 45], [None, None]),
        Sender([35, 0], [[]]),
    ],
    ids=["not long", "no leader", "Kafka away", "confirmed meanwhile"],
)
async def test_and_only_there(sender: Sender) -> None:
    with pytest.raises(asyncio.CancelledError):
        await watched(sender)
    assert not sender.waited


async def test_a_worker_ends_where_its_group_alone_does_not_answer() -> None:
    with pytest.raises(MembershipLost, match="not answered for minutes"):
        await watched(Sender([130, 140], [["t/1"]]), group=True)


@pytest.mark.parametrize(
    "sender",
    [Sender([119, 120, 12], []), Sender([130, 140], [None, None]), Sender([130, 0], [[]])],
    ids=["not long", "Kafka away", "heard meanwhile"],
)
async def test_and_not_where_nobody_answers(sender: Sender) -> None:
    with pytest.raises(asyncio.CancelledError):
        await watched(sender, group=True)
    assert not sender.waited
