"""What follows from an event goes into its round's step: records, used codes, and what is asked of others."""

from __future__ import annotations

import time

from pipeline.config import Settings
from pipeline.events import TRACE, RawEvent
from pipeline.kafka.erase_requests import PARTITION
from pipeline.kafka.fetches import FetchRequest, place_of
from pipeline.kafka.keys import unique_key
from pipeline.kafka.topics import (
    COUPONS_USED,
    ERASE_REQUESTS,
    SYNC_CONSENTS_TOPIC,
    SYNC_REQUESTS_TOPIC,
    full_name,
)
from pipeline.records import RecordKind, Source, partition_of, record_key
from pipeline.shops.api import IGNORED
from pipeline.shops.callbacks import told_event
from pipeline.tracing import DELIVERY, LONGEST_DELIVERY, Span, TraceContext, Tracer
from pipeline.translate.emit import Again
from pipeline.translate.privacy_requests import PRIVACY_REQUESTS, privacy_request
from pipeline.translate.round_work import RoundWork
from pipeline.translate.rules import EventPosition, Result
from pipeline.translate.told import told_in


class Outbox:
    """Sends it to the topics of these settings."""

    def __init__(self, settings: Settings, tracer: Tracer | None = None) -> None:
        self._tracer = tracer
        self._topics = {kind: full_name(settings, kind.topic) for kind in RecordKind}
        self._used = full_name(settings, COUPONS_USED)
        self._erasures = full_name(settings, ERASE_REQUESTS)
        self._fetches = full_name(settings, SYNC_REQUESTS_TOPIC)
        self._consents = full_name(settings, SYNC_CONSENTS_TOPIC)
        self._called_back = {name for name, store in settings.stores.items() if store.callbacks}
        partitions = settings.kafka.account_partitions
        self._partitions = {name: partition_of(name, partitions) for name in settings.accounts}
        self._shops = {name: partition_of(name, partitions) for name in settings.stores}

    def send(
        self, work: RoundWork, event: RawEvent, place: EventPosition, result: Result, again: Again | None
    ) -> None:
        """Put what follows from an event into the round's step, and count it."""
        if again is None:
            self._ask(work, event, place, result.reason)
        traced = None if self._tracer is None else self._traced(self._tracer, event, place, result)
        for account, kind, record_id, notes, value in result.emissions:
            key = unique_key(record_key(account, kind, record_id))
            work.step.send(self._topics[kind], value, key, self._partitions[account], traced)
            if kind is RecordKind.CONTACT and event.store in self._called_back:
                self._say_told(work, event, value)
            for note in notes:
                work.noted[event.store, kind, note] += 1
        for use in result.uses:
            # The order's own partition, so that the messages about a code stay in order.
            key = unique_key(f"{use.account}|{use.store}|{use.purchase_id}|{use.code}".encode())
            work.step.send(self._used, use.model_dump_json().encode(), key, place.partition)
            work.used[use.account, use.store] += use.used

    def _traced(
        self, tracer: Tracer, event: RawEvent, place: EventPosition, result: Result
    ) -> list[tuple[str, bytes]] | None:
        """The headers of an event's records, where it has a trace; and the span of making them."""
        parent = TraceContext.read(event.headers.get(TRACE))
        if parent is None:
            return None
        own = tracer.follow(parent)
        if tracer.exports:
            at = time.time_ns()
            said: dict[str, str | int] = {
                "store": event.store,
                "kind": event.kind.value,
                "lane": event.lane.value,
                "outcome": result.outcome,
                "reason": result.reason,
                "records": len(result.emissions),
                "source": place_of(*place),
            }
            tracer.ended(Span("translate", own, parent, at, at, said, result.rejection is not None))
        delivery = event.delivery[:LONGEST_DELIVERY].encode()
        return [(TRACE, own.written().encode()), (DELIVERY, delivery)]

    def _say_told(self, work: RoundWork, event: RawEvent, value: bytes) -> None:
        """What Connectif is being told of a newsletter: it may call back to say the same."""
        said = told_in(value)
        if said is not None:
            told = told_event(event.store, event.platform, said, event.received_ms)
            key = unique_key(told.key)
            work.step.send(self._consents, told.body, key, self._shops[event.store], told.to_kafka_headers())

    def _ask(self, work: RoundWork, event: RawEvent, place: EventPosition, reason: str) -> None:
        """What others are to do; a replay has what came of it behind the event."""
        if reason == IGNORED:
            request = FetchRequest(place_of(*place), event)
            key = unique_key(request.key)
            work.step.send(self._fetches, event.body, key, self._shops[event.store], request.headers())
        elif reason in PRIVACY_REQUESTS:
            source = Source(topic=place.topic, partition=place.partition, offset=place.offset)
            key, value = privacy_request(event.store, reason, source, event.received_ms)
            work.step.send(self._erasures, value, key, PARTITION)
