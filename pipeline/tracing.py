"""W3C trace context: one trace for each delivery of a shop, from the gateway to its receipts (docs/adr/0026).

A stage has a `Tracer` where the settings ask for traces, else None: then nothing of this runs. Nothing
personal is in a span, nor an id of an entity, which may be an e-mail address.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from pipeline.events import TRACE

#: Kafka's header of a record with the delivery that it came of, for logs.
DELIVERY = "pipeline-delivery"
_FORM = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL
)
_LONGEST = 512
#: Characters of a delivery's id that are kept with a record: ids are unsigned headers.
LONGEST_DELIVERY = 100

Value = str | int
Attributes = Mapping[str, Value]


class TraceContext(NamedTuple):
    """A span's place: its trace, itself, and whether the trace is recorded."""

    trace: str
    span: str
    sampled: bool = True

    @classmethod
    def read(cls, text: str | bytes | None) -> TraceContext | None:
        """What a header `traceparent` says; None where it is none, or not of the specification's form."""
        if isinstance(text, bytes):
            text = text[:_LONGEST].decode("latin-1")
        found = None if text is None or len(text) > _LONGEST else _FORM.fullmatch(text.strip(" \t"))
        if found is None or (found[1] == "00" and found[5] is not None):
            return None
        return cls(found[2], found[3], bool(int(found[4], 16) & 1))

    def written(self) -> str:
        """The header's value, of version 00."""
        return f"00-{self.trace}-{self.span}-{'01' if self.sampled else '00'}"


class Span(NamedTuple):
    """One piece of work that is over.

    Attributes:
        name: of a bounded set.
        own: its place.
        parent: the span that it is part of; None for a trace's first.
        start_ns, end_ns: epoch nanoseconds.
        attributes: see the module.
        failed: whether it ended in a dead letter.
    """

    name: str
    own: TraceContext
    parent: TraceContext | None
    start_ns: int
    end_ns: int
    attributes: Attributes
    failed: bool = False


class Tracer:
    """Makes the spans of one process.

    Args:
        export: takes spans that are over; None: contexts are passed on, and nothing is exported.
        sample: share of the traces begun here that are recorded.
        chance: random numbers; ids need no secrecy.
    """

    def __init__(
        self,
        export: Callable[[Span], object] | None = None,
        sample: float = 1.0,
        chance: random.Random | None = None,
    ) -> None:
        self._export = export
        self._sample = sample
        self._chance = chance or random.Random(os.urandom(16))  # noqa: S311 - no secret

    @property
    def exports(self) -> bool:
        """Whether spans go anywhere; else it is no use to make them."""
        return self._export is not None

    def begin(self, given: str | None) -> tuple[TraceContext, TraceContext | None]:
        """The place of a delivery's first span here, and its parent where the sender named one."""
        parent = TraceContext.read(given)
        if parent is not None:
            return parent._replace(span=self._id(16)), parent
        return TraceContext(self._id(32), self._id(16), self._chance.random() < self._sample), None

    def follow(self, parent: TraceContext) -> TraceContext:
        """The place of a span within another; the other's, where none are exported."""
        return parent if self._export is None else parent._replace(span=self._id(16))

    def ended(self, span: Span) -> None:
        """Export a span that is over, if its trace is recorded."""
        if self._export is not None and span.own.sampled:
            self._export(span)

    def _id(self, digits: int) -> str:
        return f"{self._chance.getrandbits(4 * digits) or 1:0{digits}x}"


def context_in(headers: Iterable[tuple[str, bytes | None]]) -> TraceContext | None:
    """The context in a Kafka message's headers."""
    return TraceContext.read(_first(headers, TRACE))


def delivery_in(headers: Iterable[tuple[str, bytes | None]]) -> str:
    """The delivery that a record came of; "" where it is not said."""
    return (_first(headers, DELIVERY) or b"")[:LONGEST_DELIVERY].decode(errors="replace")


def _first(headers: Iterable[tuple[str, bytes | None]], wanted: str) -> bytes | None:
    return next((value for name, value in headers if name == wanted), None)
