"""Where events go while Kafka comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipeline.errors import BrokerError
from pipeline.gateway import intake as module
from pipeline.gateway.intake import Intake
from pipeline.gateway.intakes import Intakes
from pipeline.gateway.message import Message, Overloaded, Stored
from pipeline.gateway.spool import Spool
from tests.processes import until
from tests.unit.intake_bench import TIMEOUT, TOPIC, Bench, FakeKafka, FakeLink, numbers

pytestmark = pytest.mark.real_time


@pytest.fixture
def kafka() -> FakeKafka:
    return FakeKafka()


@pytest.fixture
async def bench(tmp_path: Path, kafka: FakeKafka) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path / "spool", kafka)
    await bench.until_direct()
    yield bench
    await bench.close()
    assert all(link.closed for link in kafka.links)


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
    bench = Bench(tmp_path / "spool", kafka)
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

    spool, now = Spool(tmp_path / "spool", 1_000_000, [TOPIC]), [0.0]
    intake = Intake(spool.lanes[TOPIC], connect, confirm_timeout=TIMEOUT, clock=lambda: now[0])
    while not intake.direct:
        now[0] += 1
        await asyncio.sleep(0.001)
    await intake.close()
    await spool.close()


async def test_a_start_with_a_spool_drains_it_before_anything_new(tmp_path: Path) -> None:
    down, kafka = FakeKafka(up=False), FakeKafka()
    bench = Bench(tmp_path / "spool", down)
    await asyncio.gather(*(bench.submit(number) for number in range(1, 6)))
    await bench.close()
    bench = Bench(tmp_path / "spool", kafka)
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
    bench = Bench(tmp_path / "spool", kafka, max_bytes=150)
    assert await bench.submit(1) is Stored.SPOOL
    with pytest.raises(Overloaded):
        await asyncio.gather(bench.submit(2), bench.submit(3))
    bench = await _restarted(bench, max_bytes=50)
    assert bench.intake.complaint() == "Kafka does not take shop.orders now, and the spool is full"
    kafka.up = True
    await bench.until_direct()
    assert bench.intake.complaint() is None
    await bench.close()


async def _restarted(bench: Bench, max_bytes: int) -> Bench:
    await bench.close()
    return Bench(bench.path, bench.kafka, max_bytes)


async def test_without_a_spool_events_wait_for_kafka_or_are_refused(tmp_path: Path) -> None:
    kafka = FakeKafka(up=False)
    bench = Bench(tmp_path / "spool", kafka, max_bytes=0)
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


async def test_a_defect_in_the_ticks_ends_the_intake_so_that_the_process_ends(
    tmp_path: Path, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(_: FakeLink) -> None:
        raise RuntimeError("a defect")

    failures: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    bench = Bench(tmp_path / "spool", kafka)
    await bench.until_direct()
    monkeypatch.setattr(FakeLink, "poll", defect)
    await until(bench.intake.task.done)
    assert "a defect" in str(failures[0]["exception"])
    await bench.files.close()


@pytest.mark.parametrize("locally", [True, False], ids=["the client", "the broker"])
async def test_an_event_that_is_never_taken_is_kept_aside_and_the_others_go_on(
    tmp_path: Path, locally: bool
) -> None:
    kafka = FakeKafka(up=False, never=b"2", locally=locally)
    bench = Bench(tmp_path / "spool", kafka)
    await asyncio.gather(*(bench.submit(number) for number in range(1, 6)))
    kafka.up = True
    await bench.until_direct()
    await until(lambda: bench.spool.unrefused == 0)
    assert numbers(kafka) == [1, 3, 4, 5]
    assert bench.spool.events == 1
    kafka.never = b"7"
    assert [await bench.submit(number) for number in (6, 7, 8)] == [
        Stored.KAFKA,
        Stored.SPOOL,
        Stored.KAFKA,
    ]
    assert bench.intake.direct
    kafka.never = None
    bench = await _restarted(bench, max_bytes=1_000_000)
    await bench.until_direct()
    await until(lambda: bench.spool.events == 0)
    assert numbers(kafka) == [1, 3, 4, 5, 6, 8, 2, 7]
    await bench.close()


async def test_a_topic_that_kafka_does_not_take_holds_up_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("shop.orders", "shop.products")
    kafka, gone = FakeKafka(), FakeKafka(error="_UNKNOWN_TOPIC")
    links = iter([kafka, gone])
    spool, now = Spool(tmp_path / "spool", 1_000, names), [0.0]
    intakes = Intakes(
        spool,
        lambda: next(links, gone).connect(),
        names,
        confirm_timeout=TIMEOUT,
        clock=lambda: now[0],
    )

    async def submit(topic: str, number: int) -> Stored:
        now[0] += 1
        return await intakes.submit(Message(topic, b"acme|x|1", b"%d" % number, []))

    orders = intakes._all["shop.orders"]
    await until(lambda: orders.direct)
    for number in range(8):
        assert await submit("shop.products", number) is Stored.SPOOL
        assert await submit("shop.orders", number) is Stored.KAFKA
    with pytest.raises(Overloaded):
        await asyncio.gather(*(submit("shop.products", number) for number in range(20)))
    assert await submit("shop.orders", 8) is Stored.KAFKA
    assert intakes.complaint() is None
    assert "Kafka does not take shop.products: _UNKNOWN_TOPIC" in caplog.text
    assert (orders.direct, spool.lanes["shop.products"].events > 5) == (True, True)
    gone.error = None
    await intakes.close()


async def test_topics_without_events_notice_that_kafka_is_gone_when_another_does(tmp_path: Path) -> None:
    names = ("shop.orders", "shop.products")
    kafka, now = FakeKafka(), [0.0]
    spool = Spool(tmp_path / "spool", 1_000, names)
    intakes = Intakes(spool, kafka.connect, names, confirm_timeout=TIMEOUT, clock=lambda: now[0])
    await until(lambda: all(intakes._all[name].direct for name in names))
    kafka.up = False
    waiting = intakes.submit(Message("shop.orders", b"acme|x|1", b"1", []))
    now[0] += TIMEOUT + 0.1
    assert await waiting is Stored.SPOOL
    await until(lambda: not intakes._all["shop.products"].direct)
    spool.not_written("No space left on device")
    assert "the spool's disk cannot be written" in str(intakes.complaint())
    kafka.up = True
    now[0] += 60.0
    await until(lambda: all(intakes._all[name].direct for name in names))
    assert intakes.complaint() is None
    await intakes.close()
