"""Steps end in the order they were submitted, and only confirmed ones release their offsets."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from pipeline.engine.steps import StepClosed, Steps
from pipeline.engine.table import NOTHING_UNSTORED, StateTable
from pipeline.kafka.confirmed import AsyncProducer, Unconfirmed
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.producer import Refused
from tests.processes import until

A, B = TopicPartition("orders", 0), TopicPartition("orders", 1)


class StubSending:
    """A set of messages that the test confirms."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.sealed = False
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send(self, *message: Any) -> None:
        self.sent.append(message)
        slot = message[5] if len(message) > 5 else None
        if slot is not None:
            slot[0] = 40 + len(self.sent)

    def seal(self) -> None:
        self.sealed = True

    async def confirmed(self) -> None:
        await self.answer


class StubTable:
    """A table that keeps what it is told."""

    name, changelog = "t", "changelog"

    def __init__(self) -> None:
        self.unstored: list[tuple[int, bytes, bytes | None]] = []
        self.stored: list[tuple[int, dict[bytes, bytes | None], int]] = []

    def put_unstored(self, partition: int, key: bytes, value: bytes | None) -> object:
        self.unstored.append((partition, key, value))
        return NOTHING_UNSTORED

    def store_confirmed(self, partition: int, changes: dict[bytes, bytes | None], offset: int) -> None:
        self.stored.append((partition, changes, offset))


class Bench:
    """Steps on stubs."""

    def __init__(self) -> None:
        self.sendings: list[StubSending] = []
        self.released: list[dict[TopicPartition, int]] = []
        self.errors: list[BaseException] = []
        self.steps = Steps(cast("AsyncProducer", self), self.released.append, self.errors.append)

    def begin(self) -> StubSending:
        self.sendings.append(StubSending())
        return self.sendings[-1]

    def confirm(self, number: int) -> None:
        self.sendings[number].answer.set_result(None)


async def test_offsets_are_released_in_the_order_of_submission() -> None:
    bench = Bench()
    for tp, offset in ((A, 4), (B, 9), (A, 5)):
        step = bench.steps.begin()
        step.done(tp, offset)
        await bench.steps.submit(step, ahead=9)
    bench.confirm(2)
    bench.confirm(1)
    await asyncio.sleep(0)
    assert bench.released == []
    bench.confirm(0)
    await bench.steps.drain()
    assert bench.released == [{A: 5}, {B: 10}, {A: 6}]


async def test_the_last_write_of_a_key_is_logged_once_and_stored_with_its_offset() -> None:
    bench, table = Bench(), StubTable()
    step = bench.steps.begin()
    for key, value in ((b"k", b"1"), (b"other", b"x"), (b"k", None)):
        step.write(cast("StateTable", table), 3, key, value)
    await bench.steps.submit(step, ahead=9)
    assert [message[:4] for message in bench.sendings[0].sent] == [
        ("changelog", None, b"k", 3),
        ("changelog", b"x", b"other", 3),
    ]
    assert table.stored == []
    bench.confirm(0)
    await bench.steps.drain()
    assert table.stored == [(3, {b"k": None, b"other": b"x"}, 42)]


async def test_submission_waits_while_too_many_are_on_their_way() -> None:
    bench = Bench()
    for _ in range(2):
        await bench.steps.submit(bench.steps.begin())
    third = asyncio.create_task(bench.steps.submit(bench.steps.begin()))
    await until(lambda: len(bench.sendings) == 3 and bench.sendings[2].sealed)
    assert not third.done()
    bench.confirm(0)
    await third


async def test_a_confirmed_step_waits_for_those_before_it() -> None:
    bench = Bench()
    await bench.steps.submit(bench.steps.begin(), ahead=9)
    second = asyncio.create_task(bench.steps.confirm(bench.steps.begin()))
    await until(lambda: len(bench.sendings) == 2 and bench.sendings[1].sealed)
    bench.confirm(1)
    await asyncio.sleep(0)
    assert not second.done()
    bench.confirm(0)
    await second


async def test_a_step_the_broker_refuses_ends_everything_and_releases_nothing() -> None:
    bench = Bench()
    step = bench.steps.begin()
    step.done(A, 4)
    await bench.steps.submit(step, ahead=9)
    bench.sendings[0].answer.set_exception(Unconfirmed("refused"))
    await until(lambda: bool(bench.errors))
    assert bench.released == []
    assert isinstance(bench.errors[0], Unconfirmed)


def _held() -> StateTable:
    """A table that holds partition 3 and needs no files."""
    table: Any = object.__new__(StateTable)
    table.name, table.changelog = "t", "changelog"
    table._loaded, table._unstored = {3}, {}
    table._stores = {3: _Stored()}
    return cast("StateTable", table)


class _Stored:
    def get(self, key: bytes) -> bytes | None:
        return b"stored" if key == b"k" else None


async def test_a_step_that_is_not_submitted_leaves_nothing_behind() -> None:
    bench, table = Bench(), _held()
    with bench.steps.begin() as step:
        step.send("topic", b"x")
        step.write(table, 3, b"k", b"1")
        step.write(table, 3, b"k", None)
        assert table.get(3, b"k") is None
    assert table.get(3, b"k") == b"stored"
    assert bench.sendings[0].sent == []


async def test_what_an_earlier_step_wrote_is_seen_again_once_a_later_one_is_taken_back() -> None:
    bench, table = Bench(), _held()
    with bench.steps.begin() as first:
        first.write(table, 3, b"k", b"first")
        await bench.steps.submit(first)
    with bench.steps.begin() as second:
        second.write(table, 3, b"k", b"second")
        second.write(table, 3, b"new", b"second")
    assert (table.get(3, b"k"), table.get(3, b"new")) == (b"first", None)


async def test_a_step_that_was_submitted_stays_as_it_is() -> None:
    bench, table = Bench(), _held()
    with bench.steps.begin() as step:
        step.write(table, 3, b"k", b"1")
        await bench.steps.submit(step)
    assert table.get(3, b"k") == b"1"
    assert [message[:3] for message in bench.sendings[0].sent] == [("changelog", b"1", b"k")]


async def test_a_step_that_fails_leaves_nothing_behind() -> None:
    bench, table = Bench(), _held()

    def work() -> None:
        with bench.steps.begin() as step:
            step.write(table, 3, b"k", b"1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert table.get(3, b"k") == b"stored"
    assert (bench.sendings[0].sent, bench.errors) == ([], [])


async def test_a_step_whose_work_is_cancelled_leaves_nothing_behind() -> None:
    bench, table = Bench(), _held()

    async def work() -> None:
        with bench.steps.begin() as step:
            step.write(table, 3, b"k", b"1")
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await until(lambda: table.get(3, b"k") == b"1")
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert table.get(3, b"k") == b"stored"
    assert bench.sendings[0].sent == []


async def test_a_step_whose_submission_is_cancelled_while_it_waits_for_room_is_finished() -> None:
    bench, table = Bench(), StubTable()
    for _ in range(2):
        await bench.steps.submit(bench.steps.begin())

    async def work() -> None:
        with bench.steps.begin() as step:
            step.write(cast("StateTable", table), 3, b"k", b"1")
            step.done(A, 4)
            await bench.steps.submit(step)

    working = asyncio.create_task(work())
    await until(lambda: len(bench.sendings) == 3 and bench.sendings[2].sealed)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    for number in range(3):
        bench.confirm(number)
    await bench.steps.drain()
    assert bench.released == [{}, {}, {A: 5}]
    assert table.stored == [(3, {b"k": b"1"}, 41)]


async def test_a_step_that_cannot_be_sent_ends_everything_and_releases_nothing() -> None:
    bench, table = Bench(), _held()
    refusal = Refused("too large", for_good=True)

    def refuse(*_message: Any) -> None:
        raise refusal

    with bench.steps.begin() as step:
        bench.sendings[0].send = refuse  # type: ignore[method-assign]
        step.write(table, 3, b"k", b"1")
        step.done(A, 4)
        with pytest.raises(Refused):
            await bench.steps.submit(step)
    assert bench.errors == [refusal]
    assert bench.released == []


async def test_a_step_takes_nothing_once_it_was_submitted_or_taken_back() -> None:
    bench, table = Bench(), _held()
    with bench.steps.begin() as submitted:
        await bench.steps.submit(submitted)
    with bench.steps.begin() as left:
        left.done(A, 4)
    for step in (submitted, left):
        with pytest.raises(StepClosed):
            step.send("topic", b"x")
        with pytest.raises(StepClosed):
            step.write(table, 3, b"k", b"1")
        with pytest.raises(StepClosed):
            step.seal()
    assert table.get(3, b"k") == b"stored"
