"""Events as they are read back from Kafka."""

from __future__ import annotations

from pipeline.events import Kind
from pipeline.translate.reading import Stores, read
from tests import plainshop


def test_no_event_was_sent_after_it_arrived_whatever_an_unsigned_header_says() -> None:
    stores = Stores({"plain": plainshop.feed()}, frozenset())
    for triggered, believed in ((0, 0), (900, 900), (1_000, 1_000), (5_000, 1_000)):
        event = plainshop.event({"version": 1}, triggered_ms=triggered, received_ms=1_000)
        read_back, _ = read(event.key, event.body, event.to_kafka_headers(), Kind.ORDER, stores)
        assert read_back.triggered_ms == believed
