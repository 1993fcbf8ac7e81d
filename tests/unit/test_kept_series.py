"""Families that keep their text: to the page and to `prometheus_client` they are the client's own."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterable, Iterator
from types import ModuleType

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline import kept_series
from pipeline.events import Lane
from pipeline.exposition import Exposition
from pipeline.kept_series import KeptGauge, Labels
from pipeline.records import RecordKind

VALUES = (0, 0.0, -0.0, 1, 999, 1_000, 1e6, 2.5e9, 1e17, 0.1, -3, math.inf, -math.inf, math.nan)
STRANGE = ("plain", 'quo"te', "back\\slash", "line\nfeed", "é", "", "{a=b,}")


class Given(Collector):
    """Exports what it is given."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


async def page(*families: Metric) -> bytes:
    return await Exposition("status", Given(families)).page()


async def test_a_gauge_of_a_collector_is_written_word_for_word_as_the_clients() -> None:
    names = ["zone", "account"]  # the client writes labels by their names
    kept = KeptGauge("waiting", 'What "waits"\\ here.\nYes.', names)
    rows: dict[Labels, float] = {
        (text, f"{number}"): value for text in STRANGE for number, value in enumerate(VALUES)
    }
    for _ in range(2):
        ours, theirs = kept.look(), GaugeMetricFamily(kept.name, kept.documentation, labels=names)
        ours.add(rows)
        ours.add_metric(("z", "last"), 7)
        for labels, value in [*rows.items(), (("z", "last"), 7)]:
            theirs.add_metric(labels, value)
        assert await page(ours) == await page(theirs) == generate_latest(Given([theirs]))
        assert generate_latest(Given([ours])) == generate_latest(Given([theirs]))


async def test_words_of_the_code_are_written_as_their_values() -> None:
    ours = KeptGauge("waiting", "Waits.", ["kind", "lane"]).look()
    ours.add_metric((RecordKind.CONTACT, Lane.LIVE), 1)
    assert b'waiting{kind="contact",lane="live"} 1.0\n' in await page(ours)


def metrics_of(module: ModuleType) -> CollectorRegistry:
    """The same metrics, made of the classes of a module."""
    registry = CollectorRegistry()
    events = module.Counter("events_total", "Events.", ["zone", "kind"], registry=registry)
    for text in STRANGE:
        events.labels(text, "order").inc(2)
    events.labels("gone", "order").inc()
    events.remove("gone", "order")
    module.Counter("lost", "Without labels.", registry=registry).inc()
    module.Counter("none", "None yet.", ["zone"], registry=registry)
    module.Gauge("read", "Read.", ["zone"], registry=registry).labels("z").set_function(lambda: 5)
    for number, value in enumerate(VALUES):
        module.Gauge(f"up_{number}", "Without labels.", registry=registry).set(value)
    took = module.Histogram("took_seconds", "Took.", ["stage"], registry=registry, buckets=(0.1, 1, 1e7))
    took.labels("é").observe(0.3)
    module.Histogram("alone_seconds", "Took.", registry=registry).observe(3)
    return registry


async def test_metrics_of_the_process_are_written_word_for_word_as_the_clients() -> None:
    ours, theirs = metrics_of(kept_series), metrics_of(prometheus_client)
    exposition = Exposition("status", ours)
    for _ in range(2):
        assert await exposition.page() == generate_latest(ours) == generate_latest(theirs)


async def test_what_is_cleared_is_not_written_and_what_comes_back_is() -> None:
    registry = CollectorRegistry()
    gauge = kept_series.Gauge("held", "Held.", ["place"], registry=registry)
    exposition = Exposition("status", registry)
    gauge.labels("a").set(1)
    assert b'held{place="a"} 1.0' in await exposition.page()
    gauge.clear()
    assert b"held{" not in await exposition.page()
    gauge.labels("a").set(2)
    assert b'held{place="a"} 2.0' in await exposition.page()


def test_values_are_found_by_name_and_labels() -> None:
    registry = CollectorRegistry()
    kept_series.Counter("events_total", "Events.", ["zone"], registry=registry).labels("z").inc(3)
    ours = KeptGauge("waiting", "Waits.", ["zone"]).look()
    ours.add_metric(("z",), 4)
    registry.register(Given([ours]))
    assert registry.get_sample_value("events_total", {"zone": "z"}) == 3
    assert registry.get_sample_value("waiting", {"zone": "z"}) == 4


def test_the_text_of_series_that_are_gone_is_not_kept_for_ever() -> None:
    kept = KeptGauge("waiting", "Waits.", ["zone"])
    for number in range(20):
        kept.texts([(f"{number} {place}",) for place in range(500)])
    assert len(kept._texts) <= 3 * 500 + 1_000


@pytest.mark.parametrize("made_by", [kept_series, prometheus_client], ids=["kept", "client"])
def test_a_look_leaves_nothing_for_the_garbage_collection(made_by: ModuleType) -> None:
    registry = CollectorRegistry()
    counter = made_by.Counter("events_total", "Events.", ["zone"], registry=registry)
    for number in range(5_000):
        counter.labels(f"{number}")
    exposition, collections = Exposition("status", registry), 0
    list(exposition.parts())

    def counted(phase: str, _: object) -> None:
        nonlocal collections
        collections += phase == "start"

    usual = gc.get_threshold()
    gc.collect()
    gc.set_threshold(700, 10, 10)  # as Python has it: other tests begin processes, which look less often
    gc.callbacks.append(counted)
    try:
        "".join(exposition.parts())
    finally:
        gc.callbacks.remove(counted)
        gc.set_threshold(*usual)
    assert (collections == 0) is (made_by is kept_series)
