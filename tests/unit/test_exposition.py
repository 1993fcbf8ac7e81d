"""The page of metrics: word for word what `prometheus_client` writes, in parts, and faster."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline.exposition import PIECE, Exposition


class Others(Collector):
    """Families that are made at each look; their series come and go."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], float] = {("a", "live"): 1.0, ("b", "live"): 2e9}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily("waiting", 'What "waits"\nhere', labels=["store", "lane"])
        for labels, value in self.rows.items():
            family.add_metric(labels, value)
        yield family


def filled() -> tuple[CollectorRegistry, Others, Counter]:
    registry, others = CollectorRegistry(), Others()
    counter = Counter("events_total", "Events.", ["zone", "kind"], registry=registry)
    for number in range(3):
        counter.labels(f'z"{number}\n', "order").inc(number + 0.5)
    Gauge("up", "Without labels.", registry=registry).set(float("nan"))
    Gauge("far", "Infinite.", ["x"], registry=registry).labels("\\").set(float("-inf"))
    took = Histogram("took_seconds", "Took.", ["stage"], registry=registry, buckets=(0.1, 1, 10_000_000))
    took.labels("é").observe(0.3)
    Info("build", "Of it.", registry=registry).info({"version": "1"})
    registry.register(others)
    return registry, others, counter


async def test_it_is_word_for_word_the_clients_own() -> None:
    registry, others, counter = filled()
    page = Exposition("gateway", registry)
    for _ in range(2):
        assert await page.page() == generate_latest(registry)
    counter.labels("new", "product").inc()
    del others.rows["a", "live"]
    others.rows["c", "live"] = -0.0
    assert await page.page() == generate_latest(registry)


def test_what_is_gone_is_not_kept() -> None:
    registry, others, _ = filled()
    page = Exposition("gateway", registry)
    list(page.parts())
    kept = len(page._known)
    others.rows = {(str(number), "live"): 1.0 for number in range(50)}
    list(page.parts())
    others.rows = {("a", "live"): 1.0, ("b", "live"): 1.0}
    list(page.parts())
    assert len(page._known) == kept


async def test_others_have_their_turn_while_it_is_written() -> None:
    registry, others, _ = filled()
    others.rows = {(str(number), "live"): 1.0 for number in range(10 * PIECE)}
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await Exposition("gateway", registry).page()
    task.cancel()
    assert turns >= 10


async def test_two_looks_at_once_see_the_same() -> None:
    registry, _, _ = filled()
    page = Exposition("gateway", registry)
    first, second = await asyncio.gather(page.page(), page.page())
    assert first == second == generate_latest(registry)
