"""Sends what is missing once more, where the log has its events: through `shop.replay`, and nothing else.

Every event of such an order is repeated, in its order: translate lets the newest statement stand, whichever
arrived last, and none that is older. What Connectif was told before is sent by force: one POST a purchase,
which changes nothing where it is there after all.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.config import Settings
from pipeline.events import Kind
from pipeline.kafka.keys import entity_key, unique_key
from pipeline.kafka.messages import LibrdkafkaMessage
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.replays import ReplayMark, ReplayMode, replay_headers
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import REPLAY, full_name
from pipeline.reconcile import meanings
from pipeline.reconcile.database import Database
from pipeline.reconcile.rules import Category, OrderStage
from pipeline.sync.pull import operate
from pipeline.sync.pull.state import Wanted
from pipeline.translate.alone import Meaning

#: Where an order may have stopped that its events can bring on, and how they are sent.
MODES = {
    OrderStage.LOST: ReplayMode.FORCE,
    OrderStage.NOT_KEPT: ReplayMode.FORCE,
    OrderStage.DEAD: ReplayMode.MISSING,
    OrderStage.REJECTED: ReplayMode.MISSING,
}
_NO_EVENT = "of which no event came"
#: Shops' clocks differ from ours: so much earlier than the first order's placing is read, in seconds.
_SLACK = 3_600.0
#: What the shop's own API says otherwise than its events did, or without any.
_UNTOLD = """FROM findings f JOIN orders o ON o.pid = f.pid JOIN listed s ON s.entity = o.entity
    WHERE s.meaning <> :rejected AND (f.stage = :never AND f.category = :missing
        OR f.stage = :there AND f.category = :different)"""
#: Told of what is done: (what, offsets dealt with, of how many).
Progress = Callable[[str, int, int], object]


@dataclass(slots=True)
class Repair:
    """What was sent once more.

    Attributes:
        run: the replay's id, which stands on each message.
        orders: that were sent.
        events: of theirs.
        left: orders that no event of the log brings on, by the reason.
        read_again: orders that are read from the shop's API again, as no event said how they are.
        sync: the run of `pipeline sync` that reads them; "" for none.
    """

    run: str = ""
    orders: int = 0
    events: int = 0
    left: Counter[str] = field(default_factory=Counter)
    read_again: int = 0
    sync: str = ""

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "run": self.run,
            "orders": self.orders,
            "events": self.events,
            "left": dict(self.left),
            "read_again": self.read_again,
            "sync": self.sync,
        }

    def in_words(self) -> str:
        """What was done, in a sentence or two."""
        left = ", ".join(f"{count:,} {reason}" for reason, count in self.left.most_common())
        said = f"{self.orders:,} orders are sent again ({self.events:,} events, run {self.run})"
        read = f"; {self.read_again:,} are read from the shop's API (run {self.sync})" if self.sync else ""
        return f"{said if self.orders else 'nothing is sent again'}{read}{f'; not: {left}' if left else ''}"


def repair(
    reader: RangeReader, settings: Settings, store: str, database: Database, progress: Progress
) -> Repair:
    """Repeat the events of missing orders; returns once Kafka has confirmed them.

    Args:
        reader: of the topics.
        settings: of Kafka and the store.
        store: its name.
        database: with the findings.
        progress: told after each look.

    Raises:
        PipelineError: Kafka cannot be read or written.
    """
    done = Repair(f"reconcile-{secrets.token_hex(6)}")
    meanings.look(
        reader, settings, database, _newest_events(database), lambda at, of: progress("what to send", at, of)
    )
    _choose(database, done)
    if not done.orders:
        return done
    producer = Producer(client_config(settings), max_message_bytes=settings.kafka.max_message_bytes)
    try:
        for messages in _events(
            reader, settings, store, database, lambda at, of: progress("sending again", at, of)
        ):
            producer.send_all([_outgoing(settings, done.run, message, mode) for message, mode in messages])
            done.events += len(messages)
    finally:
        producer.close()
    return done


def read_again(settings: Settings, store: str, database: Database, done: Repair) -> None:
    """Have the sync worker read the orders of which the shop's API says what no event did.

    All that changed since the first of them was placed is read: a shop has no list of some orders. What was
    told before is no news.

    Args:
        settings: of Kafka and the store.
        store: its name.
        database: with the findings, of the list of the shop's API.
        done: what was sent again; gets what is read.

    Raises:
        PipelineError: Kafka cannot be written.
    """
    values = {
        "rejected": Meaning.REJECTED.value,
        "never": OrderStage.NEVER_RECEIVED.value,
        "missing": Category.MISSING.value,
        "there": OrderStage.IN_CONNECTIF.value,
        "different": Category.DIFFERENT.value,
    }
    question = f"SELECT COUNT(DISTINCT o.entity), MIN(o.at_ms), SUM(f.category = :missing) {_UNTOLD}"
    count, first_ms, missing = next(database.rows(question, values))
    if not count or first_ms is None:
        return
    seconds = time.time() - first_ms / 1_000 + _SLACK
    wanted = operate.command(store, Wanted.SINCE, seconds=max(_SLACK, seconds), kinds=[Kind.ORDER])
    operate.give(settings, wanted)
    done.read_again, done.sync = count, wanted.id
    done.left[_NO_EVENT] -= missing
    done.left += Counter()  # what is none any more is not said


def _newest_events(database: Database) -> Iterator[tuple[int, int]]:
    """Where the newest event of each missing order lies."""
    question = """SELECT e.part, e.off FROM findings f JOIN events e ON e.entity = f.entity
        WHERE f.category = ?"""
    yield from database.rows(question, (Category.MISSING.value,))


def _choose(database: Database, done: Repair) -> None:
    """Which orders are sent, and how; what is not is counted."""
    question = """SELECT f.entity, f.stage, e.entity, m.meaning, m.reason FROM findings f
        LEFT JOIN events e ON e.entity = f.entity LEFT JOIN meanings m ON m.entity = f.entity
        WHERE f.category = ?"""
    rows: list[tuple[str, str]] = []
    for entity, stage, logged, meaning, reason in database.rows(question, (Category.MISSING.value,)):
        mode = MODES.get(OrderStage(stage))
        if logged is None or mode is None:
            done.left[_NO_EVENT] += 1
        elif meaning != Meaning.TELLS:
            done.left[f"that would be {meaning or 'unread'} again ({reason})"] += 1
        else:
            rows.append((entity, mode.value))
    database.put("repairs", rows)
    done.orders = database.one("SELECT COUNT(*) FROM repairs")


def _events(
    reader: RangeReader,
    settings: Settings,
    store: str,
    database: Database,
    progress: Callable[[int, int], object],
) -> Iterator[list[tuple[LibrdkafkaMessage, ReplayMode]]]:
    """Every event of the chosen orders, in the order of each partition."""
    prefix = f"{store}|{Kind.ORDER}|".encode()
    ranges = reader.ranges(full_name(settings, Kind.ORDER.topic))
    for batch in reader.read(ranges, progress=progress, on_lost=lambda _lost: None):
        found: list[tuple[LibrdkafkaMessage, ReplayMode]] = []
        for raw in batch.raw:
            key = raw.key()
            if key is not None and key.startswith(prefix):
                entity = entity_key(key)[len(prefix) :].decode(errors="replace")
                for (mode,) in database.rows("SELECT mode FROM repairs WHERE entity = ?", (entity,)):
                    found.append((LibrdkafkaMessage.of(raw), ReplayMode(mode)))
        if found:
            yield found


def _outgoing(settings: Settings, run: str, message: LibrdkafkaMessage, mode: ReplayMode) -> Outgoing:
    topic = message.topic.removeprefix(settings.kafka.topic_prefix)
    mark = ReplayMark(run, topic, message.partition, message.offset, mode)
    headers = replay_headers(message.headers, mark)
    key = unique_key(message.key or b"")
    return Outgoing(full_name(settings, REPLAY), message.value, key, message.partition, headers)
