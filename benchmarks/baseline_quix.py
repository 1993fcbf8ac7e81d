"""The rules of the translate stage on quixstreams: what another engine makes of them.

    python -m benchmarks.baseline_quix SETTINGS PORT

State in its RocksDB store with a changelog, at least once. It has no tally and no partition per account.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from prometheus_client import Counter, start_http_server
from quixstreams import Application
from quixstreams.models import SerializationContext, Serializer, Topic

from pipeline import config
from pipeline.events import Kind
from pipeline.kafka.topics import full_name
from pipeline.records import record_key
from pipeline.shops.base import Rejected
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.reading import feeds, read
from pipeline.translate.rules import EventPosition, apply
from pipeline.translate.state import EntityState

HANDLED = Counter("bench_handled_total", "Messages handled.")


def main() -> None:
    """Run until killed."""
    settings, port = config.load(Path(sys.argv[1])), int(sys.argv[2])
    known = feeds(settings, PLATFORMS)
    app = Application(
        broker_address=settings.kafka.bootstrap,
        consumer_group=full_name(settings, "quix"),
        auto_offset_reset="earliest",
        state_dir=settings.data_dir / "quix",
        producer_extra_config={"linger.ms": 5, "compression.type": "lz4", "enable.idempotence": True},
        loglevel="WARNING",
    )
    name = full_name(settings, "connectif.contacts")
    out = app.topic(name, value_serializer=_Value(), key_serializer="bytes")
    for kind in Kind:
        _stage(app, out, kind, known, full_name(settings, kind.topic))
    start_http_server(port, "127.0.0.1")
    app.run()


class _Value(Serializer):  # type: ignore[misc]  # quixstreams is not typed here
    """The value of a (key, value) pair."""

    def __call__(self, value: Any, ctx: SerializationContext) -> bytes:  # noqa: ARG002 - the contract
        """As it is."""
        told: bytes = value[1]
        return told


def _stage(app: Application, out: Topic, kind: Kind, known: Any, name: str) -> None:
    offset = 0

    def translate(value: bytes, key: bytes, _timestamp: int, headers: Any, state: Any) -> list[Any]:
        nonlocal offset
        offset += 1
        HANDLED.inc()
        try:
            event, feed = read(key, value, headers, kind, known)
        except Rejected:
            return [(b"dead", value)]
        row = state.get_bytes("state")
        entity = EntityState() if row is None else EntityState.decode(row)
        result = apply(event, EventPosition(kind.topic, 0, offset), entity, feed)
        if result.remember:
            state.set_bytes("state", entity.encode())
        return [(record_key(feed.account, told.kind, told.id), told.value) for told in result.emissions]

    topic = app.topic(name, value_deserializer="bytes", key_deserializer="bytes")
    told = app.dataframe(topic).apply(translate, stateful=True, metadata=True)
    told.apply(lambda pairs: pairs, expand=True).to_topic(out, key=lambda pair: pair[0])


if __name__ == "__main__":
    main()
