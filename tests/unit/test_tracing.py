"""One trace for each delivery: what a header may say, what is passed on, and what a span holds."""

from __future__ import annotations

import asyncio
import logging
import random
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import config
from pipeline.deliver.partition.reading import read_record
from pipeline.deliver.partition.receipt_writer import ReceiptWriter
from pipeline.deliver.partition.receipts import AccountPartition
from pipeline.deliver.partition.traced_records import TracedRecords
from pipeline.deliver.state.ending import Ending
from pipeline.deliver.state.entry import Waiting
from pipeline.deliver.state.key import Key
from pipeline.errors import PipelineError
from pipeline.events import TRACE
from pipeline.gateway.message import Message
from pipeline.gateway.webhooks import Webhooks
from pipeline.logs import TextFormatter, of_delivery
from pipeline.otel import exporter, into, tracer_of
from pipeline.records import Outcome, RecordKind
from pipeline.shops.registry import PLATFORMS
from pipeline.tracing import DELIVERY, Span, TraceContext, Tracer, context_in, delivery_in
from pipeline.translate.worker import Translator
from tests import stubengine
from tests.shopify import paid_order
from tests.stubengine import StubEngine, StubStep
from tests.unit.gateway_app import RecordingKeeper
from tests.webhooks import STORES, shopify

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PERSON = "ana.planted@mail.example"
TRACED = {**STORES, "traces": {"enabled": True}}


@pytest.mark.parametrize(
    "text",
    [
        GIVEN,
        GIVEN.encode(),
        f" {GIVEN}\t",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-of-tomorrow",
    ],
)
def test_a_header_of_the_specifications_form_is_read(text: str | bytes) -> None:
    found = TraceContext.read(text)
    assert found is not None
    assert found.written() == GIVEN


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "x" * 10_000,
        GIVEN.upper(),
        GIVEN + "-more",
        GIVEN[:-1],
        "ff" + GIVEN[2:],
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        GIVEN.replace("-", "_"),
        f"{GIVEN},{GIVEN}",
        b"\xff" * 55,
    ],
)
def test_anything_else_is_no_context(text: str | bytes | None) -> None:
    assert TraceContext.read(text) is None


@given(st.integers(0), st.text(max_size=80))
def test_what_is_begun_can_be_read_and_a_bad_header_begins_a_trace(seed: int, given_text: str) -> None:
    tracer = Tracer(None, chance=random.Random(seed))  # noqa: S311
    own, parent = tracer.begin(given_text)
    assert TraceContext.read(own.written()) == own
    if parent is None:
        assert own.sampled
    else:
        assert own.trace == parent.trace


def test_a_share_of_the_traces_is_recorded_and_a_sender_says_it_of_its_own() -> None:
    spans: list[Span] = []
    tracer = Tracer(spans.append, sample=0.0, chance=random.Random(1))  # noqa: S311
    own, parent = tracer.begin(None)
    assert (own.sampled, parent) == (False, None)
    tracer.ended(Span("receive", own, None, 1, 2, {}))
    assert spans == []
    own, parent = tracer.begin(GIVEN)
    assert own.sampled
    assert parent is not None
    tracer.ended(Span("receive", own, parent, 1, 2, {}))
    assert [span.own for span in spans] == [own]


def _order() -> bytes:
    return orjson.dumps(paid_order(email=PERSON, contact_email=PERSON))


async def _through(tracer: Tracer | None, headers: dict[str, str]) -> tuple[Message, StubEngine]:
    """An order through the gateway and translate, as far as its records."""
    settings, keeper = config.parse({**TRACED}, {}), RecordingKeeper()
    webhooks = Webhooks(settings, PLATFORMS, keeper, tracer=tracer)
    route = webhooks.route(b"/webhooks/shopify/acme-es")
    assert route is not None
    body = _order()
    kept = webhooks.keep(route, {**shopify(body, delivery="delivery-77"), **headers}, body)
    assert isinstance(kept, asyncio.Future)
    await kept
    await asyncio.sleep(0)
    [message] = keeper.kept
    engine = StubEngine(settings)
    Translator(engine.as_engine(), PLATFORMS, tracer=tracer)
    await engine.read(stubengine.Message("shop.orders", 3, 9, message.key, message.body, message.headers))
    return message, engine


async def test_a_delivery_is_one_trace_from_the_gateway_to_its_receipts(tmp_path: Path) -> None:
    spans: list[Span] = []
    tracer = Tracer(spans.append)
    message, engine = await _through(tracer, {TRACE: GIVEN})
    at_gateway = context_in(message.headers)
    records = [sent for sent in engine.sent if sent.topic.startswith("connectif.")]
    assert {sent.topic for sent in records} >= {"connectif.purchases", "connectif.contacts"}
    [at_translate] = {context_in(sent.headers) for sent in records}
    assert {delivery_in(sent.headers) for sent in records} == {"orders/updated:delivery-77"}

    traced = TracedRecords(tracer)
    [purchase] = engine.to("connectif.purchases")
    traced.heard(RecordKind.PURCHASE, 0, 5, purchase.headers)
    writer = ReceiptWriter(config.parse({**TRACED, "data_dir": str(tmp_path)}, {}), lambda: 2e9, traced)
    record = read_record(purchase.value, RecordKind.PURCHASE, purchase.partition or 0, 8, max_bytes=10**6)
    waiting = Waiting.of(record, 5, 1)
    step = StubStep(StubEngine(config.parse({**TRACED}, {})))
    key = Key(RecordKind.PURCHASE, record.id)
    ended = [(key, waiting, Ending(Outcome.DEAD, "bad_domain"))]
    writer.letters(step, AccountPartition("acme", 0), ended)
    writer.receipt_of_each(step, AccountPartition("acme", 0), ended)
    receipt = step.engine.sent[-1]
    at_deliver = context_in(receipt.headers)

    assert [span.name for span in spans] == ["receive", "translate", "deliver"]
    assert [span.own for span in spans] == [at_gateway, at_translate, at_deliver]
    assert [span.parent for span in spans] == [TraceContext.read(GIVEN), at_gateway, at_translate]
    assert len({span.own.trace for span in spans}) == 1
    assert len({span.own.span for span in spans}) == 3
    assert [span.failed for span in spans] == [False, False, True]
    assert all(span.end_ns >= span.start_ns for span in spans)
    said = repr(spans)
    order = orjson.loads(message.body)
    for personal in (PERSON, "planted", str(order["id"]), str(order.get("name", "#1001"))):
        assert personal not in said


async def test_without_an_exporter_the_context_is_passed_on_as_the_gateway_wrote_it() -> None:
    message, engine = await _through(Tracer(), {})
    begun = context_in(message.headers)
    assert begun is not None
    assert {context_in(sent.headers) for sent in engine.to("connectif.purchases")} == {begun}


async def test_where_traces_are_off_no_message_has_a_header_of_them() -> None:
    message, engine = await _through(None, {TRACE: GIVEN})
    assert context_in(message.headers) is None
    for sent in engine.sent:
        assert {TRACE, DELIVERY}.isdisjoint(name for name, _ in sent.headers or ())
    assert tracer_of(config.parse({**STORES}, {}), "gateway") is None


def test_a_record_that_came_before_the_last_start_has_no_span() -> None:
    traced = TracedRecords(Tracer())
    assert traced.in_logs(RecordKind.PURCHASE, 0, 1) == {}
    traced.heard(RecordKind.PURCHASE, 0, 1, [])
    assert traced.in_logs(RecordKind.PURCHASE, 0, 1) == {}


def test_spans_need_the_extra_where_they_are_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.extras.find_spec", lambda _: None)
    with pytest.raises(PipelineError, match=r"opentelemetry\.sdk") as refused:
        exporter("http://127.0.0.1:4318", "gateway")
    assert "[otel]" in refused.value.hint


def test_opentelemetry_gets_the_spans_with_their_ids_and_times() -> None:
    pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415 - of an extra
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415

    memory = InMemorySpanExporter()
    tracer = Tracer(into(SimpleSpanProcessor(memory), "translate"))
    own, parent = tracer.begin(GIVEN)
    said: dict[str, str | int] = {"store": "acme", "records": 3}
    tracer.ended(Span("translate", own, parent, 1_000, 2_000, said, failed=True))
    [span] = memory.get_finished_spans()
    assert f"{span.context.trace_id:032x}" == own.trace
    assert f"{span.context.span_id:016x}" == own.span
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert (span.start_time, span.end_time) == (1_000, 2_000)
    assert dict(span.attributes) == {"pipeline.store": "acme", "pipeline.records": 3}
    assert span.status.status_code.name == "ERROR"
    assert span.resource.attributes["service.name"] == "shop-connectif-pipeline-translate"


def test_a_line_of_a_delivery_has_its_id_in_text_and_in_json(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("pipeline.x").warning("store %s: odd", "acme", extra=of_delivery("d-1", "a" * 32))
    line = TextFormatter().format(caplog.records[0])
    assert line.endswith(f"store acme: odd [delivery d-1, trace {'a' * 32}]")
    said: Any = of_delivery("ana@mail.example\x1b[31m<b>" + "x" * 500)
    assert said == {"delivery": "ana?mail.example?[31m?b?" + "x" * 56}
