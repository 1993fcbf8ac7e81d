"""Whether Kafka holds each store's webhooks in the order in which they were sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from pipeline.config import Settings
from pipeline.demo.shop_history import Delivery
from pipeline.events import Kind
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import full_name

_STORE = "pipeline-store"


def out_of_order(settings: Settings, sent: Sequence[Delivery]) -> tuple[int, list[str]]:
    """How many webhooks were compared, and sentences about those that lie behind one that was sent later.

    Of a body that was sent more than once the first counts; order is that of a partition, as events of one
    entity share one. Blocks.
    """
    places: dict[tuple[str, bytes], int] = {}
    for number, one in enumerate(sent):
        if one.kind is None:  # a forgery has the body of a genuine one, which may come later
            continue
        places.setdefault((one.shop, _hash(one.body)), number)
    newest: dict[tuple[str, TopicPartition], int] = {}
    met: set[tuple[str, bytes]] = set()
    wrong: list[str] = []
    for place, store, body in _kept(settings):
        known = store, _hash(body)
        if known not in places or known in met:  # fetched from an API, or a repeat
            continue
        met.add(known)
        number = places[known]
        before = newest.get((store, place), -1)
        if number < before:
            wrong.append(f"{store}: number {number} lies behind number {before} in {place}")
        newest[store, place] = max(before, number)
    return len(met), wrong


def _kept(settings: Settings) -> Iterator[tuple[TopicPartition, str, bytes]]:
    """Partition, store and body of every event, each partition's in its order."""
    with RangeReader(client_config(settings)) as reader:
        ranges = reader.ranges(*(full_name(settings, kind.topic) for kind in Kind))
        for batch in reader.read(ranges):
            for message in batch.messages():
                store = dict(message.headers or ()).get(_STORE) or b""
                yield batch.place, store.decode(), message.value or b""


def _hash(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()
