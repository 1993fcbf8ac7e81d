"""The events of one entity, in their order -> today's verdict on each, by translate's own rules. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import orjson

from pipeline.events import Kind, RawEvent
from pipeline.kafka.messages import ReceivedMessage
from pipeline.shops.base import Rejected
from pipeline.trace.life import EntityKey, Place, TracedEvent, record_name
from pipeline.tracing import context_in
from pipeline.translate.reading import Stores, UnknownStore, read
from pipeline.translate.rules import EventPosition, Outcome, Result, apply, bounded, rejection
from pipeline.translate.state import EntityState

#: The verdict on an event that waits until the settings have its store.
HELD = "held"


class EventVerdict(NamedTuple):
    """What the rules say of an event; `result` is None where it waits for the settings."""

    result: Result | None
    event: RawEvent | None
    store: str


class Replay:
    """Judges the events of one entity, each after those before it.

    Args:
        key: which.
        stores: of today's settings.
        max_record: largest record, in bytes.
    """

    def __init__(self, key: EntityKey, stores: Stores, max_record: int) -> None:
        self.key = key
        self._stores = stores
        self._max_record = max_record
        self._state = EntityState()
        #: Which accounts any of the events told, or would tell.
        self.accounts: set[str] = set()

    def judge(self, message: ReceivedMessage) -> TracedEvent:
        """The next event of the entity."""
        kind = self.key.kind
        place = EventPosition(kind.topic, message.partition, message.offset)
        verdict = self._verdict(message, kind, place)
        event, result = verdict.event, verdict.result
        headers = {name: value for name, value in message.headers if name.startswith("pipeline-")}
        context = context_in(message.headers)
        traced = TracedEvent(
            place=Place(*place),
            at_ms=message.timestamp,
            received_ms=event.received_ms if event is not None else 0,
            topic=event.topic if event is not None else _text(headers, "pipeline-topic"),
            delivery=event.delivery if event is not None else _text(headers, "pipeline-delivery"),
            lane=event.lane.value if event is not None else "",
            outcome=HELD if result is None else result.outcome.value,
            reason="" if result is None else result.reason,
            detail=f"the settings have no store {verdict.store!r}" if result is None else _detail(result),
            version=self._version(result, place.offset),
            emits=()
            if result is None
            else tuple(record_name(made.account, made.kind, made.id) for made in result.emissions),
            unchanged=() if result is None else tuple(str(kind) for kind in result.unchanged),
            bytes=len(message.value or b""),
            trace="" if context is None else context.trace,
        )
        self.accounts.update(made.account for made in (result.emissions if result is not None else ()))
        return traced

    def _verdict(self, message: ReceivedMessage, kind: Kind, place: EventPosition) -> EventVerdict:
        try:
            event, feed = read(message.key, message.value, message.headers, kind, self._stores)
        except Rejected as rejected:
            return EventVerdict(rejection(rejected), None, "")
        except UnknownStore as unknown:
            return EventVerdict(None, None, unknown.store)
        state = self._state.copy()
        try:
            result = bounded(apply(event, place, state, feed), self._max_record)
        except Exception as bug:  # noqa: BLE001 - as the worker does: it counts as a rejection
            result = rejection(Rejected("translate_error", detail=type(bug).__name__))
        if result.remember:
            self._state = state
        return EventVerdict(result, event, feed.context.name)

    def _version(self, result: Result | None, offset: int) -> int | None:
        if result is None:
            return None
        if result.emissions:
            found: int = orjson.loads(result.emissions[0].value)["version"]
            return found
        marks = [mark.version for mark in self._state.newest.values() if mark.offset == offset]
        return max(marks, default=None)


def _detail(result: Result) -> str:
    refused = result.rejection
    if refused is None or result.outcome is not Outcome.REJECTED:
        return ""
    return f"{refused.field}: {refused.detail}" if refused.field else refused.detail


def _text(headers: Mapping[str, bytes | None], name: str) -> str:
    return (headers.get(name) or b"").decode(errors="replace")[:500]
