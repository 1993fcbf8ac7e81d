"""Where events go while Kafka comes and goes: nothing promised is lost, and no entity's order turns round.

Kafka is a list here, the spool is real, and time is a number.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import BrokerError
from pipeline.gateway import intake as module
from pipeline.gateway.intake import Intake
from pipeline.gateway.message import Message, Overloaded, Stored
from pipeline.gateway.produce import Refused, Report
from pipeline.gateway.spool import Spool
from pipeline.gateway.spool_file import SpoolFile
from tests.processes import until
from tests.unit.test_gateway_spool import crashed_copy

TIMEOUT = 2.0


@dataclass
class FakeKafka:
    """A log; `up` whether it takes messages, `confirms` whether it says so, `refuses` a full queue.

    `stuck` is the key whose partition has no leader.
    """

    up: bool = True
    confirms: bool = True
    refuses: bool = False
    error: str | None = None
    stuck: bytes | None = None
    log: list[bytes] = field(default_factory=list)
    links: list[FakeLink] = field(default_factory=list)

    def connect(self) -> FakeLink:
        self.links.append(FakeLink(self))
        return self.links[-1]


class FakeLink:
    """As librdkafka: a queue that is sent in order while the broker is up, reported from `poll`."""

    def __init__(self, kafka: FakeKafka) -> None:
        self.kafka = kafka
        self._queue: list[tuple[Message, Report]] = []
        self._unconfirmed: list[Report] = []
        self.closed = False

    def send(self, message: Message, report: Report) -> None:
        if self.kafka.refuses:
            raise Refused("the queue is full")
        self._queue.append((message, report))

    def poll(self) -> None:
        if not self.kafka.up:
            return
        sent = [one for one in self._queue if one[0].key != self.kafka.stuck]
        self._queue = [one for one in self._queue if one[0].key == self.kafka.stuck]
        if self.kafka.error is None:
            self.kafka.log += [message.body for message, _ in sent]
            self._unconfirmed += [report for _, report in sent]
        for report in self._unconfirmed if self.kafka.confirms else []:
            report(None, None)
        if self.kafka.confirms:
            self._unconfirmed.clear()
        if self.kafka.error is not None:
            for _, report in sent:
                report(self.kafka.error, None)

    def purge(self) -> None:
        self._queue.clear()
        self._unconfirmed.clear()

    def probe(self) -> str | None:
        return None if self.kafka.up else "no broker answers"

    def close(self) -> None:
        self.closed = True


class Bench:
    """An intake with its surroundings."""

    def __init__(self, path: Path, kafka: FakeKafka, max_bytes: int = 1_000_000) -> None:
        self.path = path
        self.kafka = kafka
        self.now = 0.0
        self.closed = False
        self.spool = Spool(SpoolFile(path), max_bytes)
        self.intake = Intake(self.spool, kafka.connect, confirm_timeout=TIMEOUT, clock=lambda: self.now)

    def submit(self, number: int) -> asyncio.Future[Stored]:
        return self.intake.submit(Message("shop.orders", b"%d" % (number % 2), b"%d" % number, []))

    async def until_direct(self) -> None:
        """Until events go to Kafka; time passes meanwhile."""
        async with asyncio.timeout(20):
            while not self.intake.direct:
                self.now += 1
                await asyncio.sleep(0.001)

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            await self.intake.close()


@pytest.fixture
def kafka() -> FakeKafka:
    return FakeKafka()


@pytest.fixture
async def bench(tmp_path: Path, kafka: FakeKafka) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path / "spool.sqlite", kafka)
    await bench.until_direct()
    yield bench
    await bench.close()
    assert all(link.closed for link in kafka.links)


def numbers(kafka: FakeKafka) -> list[int]:
    return [int(body) for body in kafka.log]


async def test_a_confirmed_event_is_answered_without_the_spool(bench: Bench, kafka: FakeKafka) -> None:
    assert await bench.submit(1) is Stored.KAFKA
    assert (numbers(kafka), bench.spool.events) == ([1], 0)


async def test_what_kafka_does_not_confirm_in_time_is_spooled_in_order_before_what_comes_later(
    bench: Bench, kafka: FakeKafka
) -> None:
    kafka.up = False
    early = [bench.submit(1), bench.submit(2)]
    bench.now += TIMEOUT + 0.1
    assert await asyncio.gather(*early) == [Stored.SPOOL, Stored.SPOOL]
    assert await bench.submit(3) is Stored.SPOOL
    kafka.up = True
    await bench.until_direct()
    await until(lambda: bench.spool.events == 0)
    assert numbers(kafka) == [1, 2, 3]
    assert await bench.submit(4) is Stored.KAFKA


async def test_an_event_confirmed_in_time_is_not_spooled_because_another_was_not(
    bench: Bench, kafka: FakeKafka
) -> None:
    assert await bench.submit(1) is Stored.KAFKA
    kafka.up = False
    late = bench.submit(2)
    bench.now += TIMEOUT + 0.1
    await late
    kafka.up = True
    await bench.until_direct()
    await until(lambda: bench.spool.events == 0)
    assert numbers(kafka) == [1, 2]


async def test_what_kafka_took_without_saying_so_comes_twice_and_is_not_lost(
    bench: Bench, kafka: FakeKafka
) -> None:
    kafka.confirms = False
    waiting = bench.submit(1)
    await until(lambda: numbers(kafka) == [1])
    bench.now += TIMEOUT + 0.1
    assert await waiting is Stored.SPOOL
    kafka.confirms = True
    await bench.until_direct()
    await until(lambda: bench.spool.events == 0)
    assert set(numbers(kafka)) == {1}
    assert len(numbers(kafka)) >= 2


@pytest.mark.parametrize("failure", ["refuses", "error"])
async def test_a_refusal_or_a_failed_delivery_sends_the_event_to_the_spool_at_once(
    bench: Bench, kafka: FakeKafka, failure: str
) -> None:
    setattr(kafka, failure, "_MSG_TIMED_OUT" if failure == "error" else True)
    assert await bench.submit(1) is Stored.SPOOL
    setattr(kafka, failure, None if failure == "error" else False)
    await bench.until_direct()
    await until(lambda: bench.spool.events == 0)
    assert numbers(kafka) == [1]


async def test_without_kafka_at_the_start_events_are_spooled_at_once(tmp_path: Path) -> None:
    kafka = FakeKafka(up=False)
    bench = Bench(tmp_path / "spool.sqlite", kafka)
    assert await bench.submit(1) is Stored.SPOOL
    assert bench.intake.complaint() is None
    kafka.up = True
    await bench.until_direct()
    await until(lambda: numbers(kafka) == [1])
    await bench.close()


async def test_a_broker_whose_address_is_not_known_yet_is_asked_for_again(tmp_path: Path) -> None:
    kafka = FakeKafka()
    answers = iter([BrokerError("none runs"), BrokerError("none runs")])

    def connect() -> FakeLink:
        for error in answers:
            raise error
        return kafka.connect()

    spool, now = Spool(SpoolFile(tmp_path / "spool.sqlite"), 1_000_000), [0.0]
    intake = Intake(spool, connect, confirm_timeout=TIMEOUT, clock=lambda: now[0])
    while not intake.direct:
        now[0] += 1
        await asyncio.sleep(0.001)
    await intake.close()


async def test_a_start_with_a_spool_drains_it_before_anything_new(tmp_path: Path) -> None:
    down, kafka = FakeKafka(up=False), FakeKafka()
    bench = Bench(tmp_path / "spool.sqlite", down)
    await asyncio.gather(*(bench.submit(number) for number in range(1, 6)))
    await bench.close()
    bench = Bench(tmp_path / "spool.sqlite", kafka)
    await bench.submit(6)
    await bench.until_direct()
    await bench.submit(7)
    await bench.close()
    assert numbers(kafka) == [1, 2, 3, 4, 5, 6, 7]


async def test_under_a_stream_of_events_the_spool_is_left_behind(
    bench: Bench, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each new event would keep the spool from ever being empty, were the last ones not waited for."""
    monkeypatch.setattr(module, "WINDOW_EVENTS", 50)
    kafka.up = False
    count = 0

    async def shop() -> list[Stored]:
        nonlocal count
        stored: list[Stored] = []
        while not stored or stored[-1] is not Stored.KAFKA:
            count += 1
            stored.append(await bench.submit(count))
        return stored

    shops = [asyncio.create_task(shop()) for _ in range(8)]
    await until(lambda: count == len(shops))
    bench.now += TIMEOUT + 0.1
    await until(lambda: bench.spool.events > 200)
    kafka.up = True
    await bench.until_direct()
    await asyncio.gather(*shops)
    await until(lambda: bench.spool.events == 0)
    assert numbers(kafka) == list(range(1, count + 1))


async def test_an_event_does_not_wait_for_the_last_of_the_spool_longer_than_for_kafka(
    bench: Bench, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WINDOW_EVENTS", 2)
    kafka.up = False
    spooled = [bench.submit(number) for number in (2, 4, 1, 3, 5)]
    bench.now += TIMEOUT + 0.1
    await asyncio.gather(*spooled)
    kafka.up, kafka.stuck = True, b"1"
    bench.now += 10
    await until(lambda: bench.intake._gate is not None)
    held_back = bench.submit(6)
    bench.now += TIMEOUT + 0.1
    assert await held_back is Stored.SPOOL
    kafka.stuck = None
    await until(lambda: bench.spool.events == 0)
    assert numbers(kafka) == [2, 4, 1, 3, 5, 6]


async def test_a_full_spool_refuses_and_says_so(tmp_path: Path) -> None:
    kafka = FakeKafka(up=False)
    bench = Bench(tmp_path / "spool.sqlite", kafka, max_bytes=150)
    assert await bench.submit(1) is Stored.SPOOL
    with pytest.raises(Overloaded):
        await asyncio.gather(bench.submit(2), bench.submit(3))
    bench = await _restarted(bench, max_bytes=50)
    assert bench.intake.complaint() == "the spool is full"
    kafka.up = True
    await bench.until_direct()
    assert bench.intake.complaint() is None
    await bench.close()


async def _restarted(bench: Bench, max_bytes: int) -> Bench:
    await bench.close()
    return Bench(bench.path, bench.kafka, max_bytes)


async def test_without_a_spool_events_wait_for_kafka_or_are_refused(tmp_path: Path) -> None:
    kafka = FakeKafka(up=False)
    bench = Bench(tmp_path / "spool.sqlite", kafka, max_bytes=0)
    with pytest.raises(Overloaded):
        await bench.submit(1)
    kafka.up = True
    await bench.until_direct()
    assert await bench.submit(2) is Stored.KAFKA
    await bench.close()


async def test_closing_waits_for_confirmations(bench: Bench, kafka: FakeKafka) -> None:
    kafka.up = False
    waiting = bench.submit(1)
    closing = asyncio.create_task(bench.close())
    await asyncio.sleep(0.01)
    kafka.up = True
    await closing
    assert (waiting.result(), numbers(kafka)) == (Stored.KAFKA, [1])


async def test_closing_spools_what_is_not_confirmed(
    bench: Bench, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.intake, "_confirm_timeout", 0.05)
    kafka.up = False
    waiting = bench.submit(1)
    await bench.close()
    assert await waiting is Stored.SPOOL
    kafka.up = True
    bench = Bench(bench.path, kafka)
    await bench.until_direct()
    await bench.close()
    assert numbers(kafka) == [1]


class Story:
    """A gateway's life under hypothesis: events, a broker with moods, crashes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.kafka = FakeKafka()
        self.bench = Bench(directory / "spool.sqlite", self.kafka)
        self.promised: set[int] = set()
        self.waiting: list[tuple[int, asyncio.Future[Stored]]] = []
        self.submitted = 0
        self.crashes = 0

    async def submit(self) -> None:
        self.submitted += 1
        self.waiting.append((self.submitted, self.bench.submit(self.submitted)))

    async def breathe(self) -> None:
        """Let threads and timers have their turns."""
        for _ in range(3):
            await asyncio.sleep(0.0015)
        self._collect()

    async def down(self) -> None:
        self.kafka.up = False

    async def mute(self) -> None:
        self.kafka.confirms = False

    async def fail(self) -> None:
        self.kafka.error = "_TRANSPORT"

    async def refuse(self) -> None:
        self.kafka.refuses = True

    async def stick(self) -> None:
        self.kafka.stuck = b"1"

    async def recover(self) -> None:
        self.kafka.up = self.kafka.confirms = True
        self.kafka.error, self.kafka.stuck, self.kafka.refuses = None, None, False

    async def wait(self) -> None:
        self.bench.now += TIMEOUT + 0.1

    async def crash(self) -> None:
        """Kill -9, and a start on what lies on the disk."""
        await until(lambda: self.bench.spool.quiet)
        self._collect()
        self.waiting.clear()
        self.crashes += 1
        copy = crashed_copy(self.bench.path, self.directory / f"crash-{self.crashes}")
        dead = FakeKafka(error="dead")
        for link in self.kafka.links:
            link.kafka = dead
        self.bench.now += TIMEOUT + 0.1
        await self.bench.close()
        self.bench = Bench(copy, self.kafka)

    async def end(self) -> None:
        await self.recover()
        async with asyncio.timeout(20):
            while self.bench.spool.events or not all(future.done() for _, future in self.waiting):
                self.bench.now += 0.05
                await asyncio.sleep(0.001)
        self._collect()
        await self.bench.close()

    def _collect(self) -> None:
        done = [(number, future) for number, future in self.waiting if future.done()]
        self.promised |= {number for number, future in done if future.exception() is None}
        self.waiting = [(number, future) for number, future in self.waiting if not future.done()]


STEPS = (
    *["submit"] * 6,
    *["breathe"] * 3,
    *["recover"] * 2,
    "down",
    "mute",
    "wait",
    "fail",
    "refuse",
    "crash",
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=40))
def test_whatever_happens_nothing_promised_is_lost_and_order_holds(todo: list[str]) -> None:
    async def live(directory: Path) -> Story:
        story = Story(directory)
        for step in todo:
            await getattr(story, step)()
        await story.end()
        return story

    with tempfile.TemporaryDirectory() as directory:
        story = asyncio.run(live(Path(directory)))
    arrived = numbers(story.kafka)
    assert story.promised <= set(arrived)
    for key in (0, 1):
        of_key = [number for number in arrived if number % 2 == key]
        firsts = list(dict.fromkeys(of_key))
        lasts = list(dict.fromkeys(reversed(of_key)))[::-1]
        assert firsts == sorted(firsts)
        assert lasts == sorted(lasts)
