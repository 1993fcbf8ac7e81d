"""What traces cost the gateway and translate: `python -m benchmarks.traces [--rounds 7]`, processor time.

The same webhook is checked and made a message, and the same event translated, with traces off, passed on, and
made into spans that go nowhere; medians of rounds that take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import time
from collections.abc import Awaitable, Callable

import orjson

from pipeline import config
from pipeline.gateway.webhooks import Webhooks
from pipeline.shops.registry import PLATFORMS
from pipeline.tracing import Span, Tracer
from pipeline.translate.worker import Translator
from tests import stubengine
from tests.shopify import paid_order
from tests.stubengine import StubEngine
from tests.unit.gateway_app import RecordingKeeper
from tests.webhooks import STORES, shopify

EVENTS = 1_000


def _nowhere(_: Span) -> None:
    """Takes a span."""


TRACERS: dict[str, Callable[[], Tracer | None]] = {
    "off": lambda: None,
    "passed on": Tracer,
    "spans": lambda: Tracer(_nowhere),
}


async def _gateway(tracer: Tracer | None) -> float:
    """Seconds of the processor for each webhook."""
    keeper = RecordingKeeper()
    webhooks = Webhooks(config.parse({**STORES}, {}), PLATFORMS, keeper, tracer=tracer)
    route = webhooks.route(b"/webhooks/shopify/acme-es")
    assert route is not None
    body = orjson.dumps(paid_order())
    headers = shopify(body)
    began = time.process_time()
    for _ in range(EVENTS):
        kept = webhooks.keep(route, headers, body)
        assert isinstance(kept, asyncio.Future)
    await asyncio.sleep(0)
    return (time.process_time() - began) / EVENTS


async def _translate(tracer: Tracer | None) -> float:
    """Seconds of the processor for each event, every one of another order."""
    settings, keeper = config.parse({**STORES}, {}), RecordingKeeper()
    webhooks = Webhooks(settings, PLATFORMS, keeper, tracer=tracer)
    route = webhooks.route(b"/webhooks/shopify/acme-es")
    assert route is not None
    for number in range(EVENTS):
        body = orjson.dumps(paid_order(id=910_000_000_000 + number))
        webhooks.keep(route, shopify(body, delivery=f"d-{number}"), body)
    await asyncio.sleep(0)
    engine = StubEngine(settings)
    Translator(engine.as_engine(), PLATFORMS, tracer=tracer)
    messages = [
        stubengine.Message("shop.orders", 3, offset, one.key, one.body, one.headers)
        for offset, one in enumerate(keeper.kept)
    ]
    began = time.process_time()
    for at in range(0, EVENTS, 500):
        await engine.read(*messages[at : at + 500])
    return (time.process_time() - began) / EVENTS


def main() -> None:
    """Measure, and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    asked = options.parse_args()
    logging.disable(logging.CRITICAL)
    stages: dict[str, Callable[[Tracer | None], Awaitable[float]]] = {
        "gateway": _gateway,
        "translate": _translate,
    }
    for stage, measure in stages.items():
        found: dict[str, list[float]] = {name: [] for name in TRACERS}
        for _ in range(asked.rounds):
            for name, tracer in TRACERS.items():
                found[name].append(asyncio.run(measure(tracer())))  # type: ignore[arg-type]
        for name, seconds in found.items():
            print(f"{stage:10} {name:10} {statistics.median(seconds) * 1e6:8.1f} µs")


if __name__ == "__main__":
    main()
