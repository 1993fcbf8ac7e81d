"""Which of the records that wait have a trace; it is kept in memory alone (docs/adr/0026)."""

from __future__ import annotations

import time
from typing import NamedTuple

from pipeline.kafka.messages import Headers
from pipeline.logs import of_delivery
from pipeline.records import Outcome, Receipt, RecordKind
from pipeline.tracing import Span, TraceContext, Tracer, context_in, delivery_in

#: Records remembered, the newest; some 300 bytes each.
MOST = 100_000
_MS = 1_000_000

_Place = tuple[RecordKind, int, int]


class _Traced(NamedTuple):
    context: TraceContext
    delivery: str
    heard_ns: int


class TracedRecords:
    """Remembers the traces of records by their kinds, partitions and offsets."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._known: dict[_Place, _Traced] = {}

    def heard(self, kind: RecordKind, partition: int, offset: int, headers: Headers) -> None:
        """A record came; one without a trace is passed over."""
        context = context_in(headers)
        if context is None:
            return
        self._known[kind, partition, offset] = _Traced(context, delivery_in(headers), time.time_ns())
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]

    def ended(self, receipt: Receipt) -> TraceContext | None:
        """The place of the span of a record that ended, which is exported; None where it has no trace."""
        place = (receipt.kind, receipt.record.partition, receipt.record.offset)
        traced = self._known.pop(place, None)
        if traced is None:
            return None
        own = self._tracer.follow(traced.context)
        said: dict[str, str | int] = {
            "account": receipt.account,
            "store": receipt.store,
            "kind": receipt.kind.value,
            "lane": receipt.lane.value,
            "outcome": receipt.outcome.value,
            "reason": receipt.reason,
            "calls": receipt.calls,
        }
        failed = receipt.outcome is Outcome.DEAD
        end = max(traced.heard_ns, receipt.at_ms * _MS)
        self._tracer.ended(Span("deliver", own, traced.context, traced.heard_ns, end, said, failed))
        return own

    def in_logs(self, kind: RecordKind, partition: int, offset: int) -> dict[str, str]:
        """What a log's line about a record says besides."""
        traced = self._known.get((kind, partition, offset))
        return {} if traced is None else of_delivery(traced.delivery, traced.context.trace)
