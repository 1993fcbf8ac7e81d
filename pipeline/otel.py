"""Each process's tracer; its spans go out by OpenTelemetry's protocol, OTLP over HTTP: the extra `otel`."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from typing import Any

from pipeline.config import Settings
from pipeline.extras import require
from pipeline.tracing import Span, TraceContext, Tracer

SERVICE = "shop-connectif-pipeline"
#: Seconds in which a batch is sent, or given up: spans may be lost, deliveries not.
_TIMEOUT = 5


def tracer_of(settings: Settings, stage: str) -> Tracer | None:
    """The tracer of a process; None where the settings ask for no traces.

    Raises:
        PipelineError: spans are to be exported, and the extra `otel` is not installed.
    """
    asked = settings.traces
    if not asked.enabled:
        return None
    if asked.endpoint is None:
        return Tracer(None, asked.sample)
    return Tracer(exporter(asked.endpoint, stage), asked.sample)


def exporter(endpoint: str, stage: str) -> Callable[[Span], None]:
    """What sends spans, in batches and from a thread of its own; what does not fit into its queue is dropped.

    Args:
        endpoint: of the collector, as `http://127.0.0.1:4318`.
        stage: whose spans they are.

    Raises:
        PipelineError: the extra is not installed.
    """
    require("otel", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http", by="traces.endpoint")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    processor = BatchSpanProcessor(
        OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_TIMEOUT)
    )
    atexit.register(processor.shutdown)
    return into(processor, stage)


def into(processor: Any, stage: str) -> Callable[[Span], None]:
    """What gives spans to a processor of OpenTelemetry's, with their own ids and times."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - of the extra
    from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415
    from opentelemetry.trace import SpanContext, SpanKind, TraceFlags  # noqa: PLC0415
    from opentelemetry.trace.status import Status, StatusCode  # noqa: PLC0415

    resource = Resource({"service.name": f"{SERVICE}-{stage}", "service.namespace": SERVICE})
    scope = InstrumentationScope("pipeline")
    kinds = {"receive": SpanKind.SERVER, "deliver": SpanKind.CLIENT}

    def place(of: TraceContext, *, remote: bool) -> Any:
        flags = TraceFlags(TraceFlags.SAMPLED if of.sampled else TraceFlags.DEFAULT)
        return SpanContext(int(of.trace, 16), int(of.span, 16), is_remote=remote, trace_flags=flags)

    def export(span: Span) -> None:
        processor.on_end(
            ReadableSpan(
                name=span.name,
                context=place(span.own, remote=False),
                parent=None if span.parent is None else place(span.parent, remote=True),
                resource=resource,
                attributes={f"pipeline.{name}": value for name, value in span.attributes.items()},
                kind=kinds.get(span.name, SpanKind.CONSUMER),
                status=Status(StatusCode.ERROR if span.failed else StatusCode.OK),
                start_time=span.start_ns,
                end_time=max(span.start_ns, span.end_ns),
                instrumentation_scope=scope,
            )
        )

    return export
