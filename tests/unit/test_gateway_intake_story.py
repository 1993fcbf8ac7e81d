"""Whatever happens to Kafka and to the gateway: nothing promised is lost, and no order turns round."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.gateway.message import Stored
from tests.processes import until
from tests.unit.intake_bench import TIMEOUT, Bench, FakeKafka, numbers
from tests.unit.spooling import crashed_copy

pytestmark = pytest.mark.real_time


class Story:
    """A gateway's life under hypothesis: events, a broker with moods, crashes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.kafka = FakeKafka()
        self.bench = Bench(directory / "spool", self.kafka)
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
