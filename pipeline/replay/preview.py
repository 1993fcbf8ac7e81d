"""What a replay would do: today's adapters over the range, compared with what `connectif.*` holds of it.

Nothing is sent. Entities and records are kept on disk, in a file that goes with this process.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from pipeline.config import Settings
from pipeline.deliver.explain.plan import Volume, forecast
from pipeline.events import Kind
from pipeline.kafka.messages import LibrdkafkaMessage, TopicPartition
from pipeline.kafka.ranges import OffsetRange
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.replays import ReplayMode
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import full_name
from pipeline.records import Op, RecordKind, record_key
from pipeline.replay.changes import Change, changes
from pipeline.replay.planning import rejected_places
from pipeline.replay.run import Plan
from pipeline.replay.selection import Chooser
from pipeline.shops.base import Rejected
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.emit import Again, Emission
from pipeline.translate.reading import Stores, UnknownStore, feeds, read
from pipeline.translate.replayed import OLDER, apply_again
from pipeline.translate.rules import EventPosition, Outcome
from pipeline.translate.state import EntityState, digest

#: Told of how much is read: what is read, how much of it, and of how much.
Progress = Callable[[str, int, int], object]

_KINDS = (RecordKind.CONTACT, RecordKind.PRODUCT, RecordKind.PURCHASE)
_HOUR_MS = 3_600_000
_NEW, _SAME, _CHANGED = "new", "same", "changed"
_TABLES = """
    create table entities(key blob primary key, state blob) without rowid;
    create table records(key blob primary key, account text, kind text, op text, digest text, version integer,
        value blob);
    create table told(key blob primary key, digest text, op text, version integer, value blob);
"""


_DIFFERENT = """
    select records.value, told.value from records left join told using (key)
    where told.key is null or (told.digest <> records.digest and told.version <= records.version)
    order by records.account, records.kind, key
"""


@dataclass(slots=True)
class Preview:
    """What a replay would do.

    Attributes:
        events: that are chosen, by what becomes of them.
        rejected: of them, by reason.
        records: by account, kind and new, changed or same; new is what `connectif.*` does not hold.
        calls: by account.
        seconds: until the last account is done, beside live orders as of the last hour.
    """

    events: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    records: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        by_account: dict[str, dict[str, dict[str, int]]] = {}
        for (account, kind, what), count in sorted(self.records.items()):
            by_account.setdefault(account, {}).setdefault(kind, {})[what] = count
        return {
            "events": dict(self.events),
            "rejected": dict(self.rejected),
            "records": by_account,
            "calls": dict(self.calls),
            "seconds": round(self.seconds, 1),
        }


def preview(
    settings: Settings,
    plan: Plan,
    progress: Progress = lambda *_: None,
    *,
    on_change: Callable[[Change], object] | None = None,
    personal: bool = False,
) -> Preview:
    """What the replay of a plan would do.

    Args:
        settings: the program's.
        plan: of the replay.
        progress: told how far it is.
        on_change: told of every field that would change.
        personal: whether it is told values about people.
    """
    found = Preview()
    with _database() as rows, RangeReader(client_config(settings)) as reader:
        _translate(settings, reader, plan, rows, found, progress)
        _compare(settings, reader, rows, progress)
        _count(rows, found)
        if on_change is not None:
            for value, told in rows.execute(_DIFFERENT):
                before = None if told is None else orjson.loads(told)
                for change in changes(before, orjson.loads(value), personal=personal):
                    on_change(change)
        live = _live_per_minute(settings, reader)
        _cost(settings, plan, rows, found, live, progress)
    return found


@contextmanager
def _database() -> Iterator[sqlite3.Connection]:
    with (
        tempfile.TemporaryDirectory(prefix="pipeline-replay-") as directory,
        closing(sqlite3.connect(Path(directory) / "rows", isolation_level=None)) as rows,
    ):
        rows.executescript(f"pragma journal_mode=off; pragma synchronous=off; begin; {_TABLES}")
        yield rows


def _translate(  # noqa: PLR0917 - the steps of `preview`
    settings: Settings,
    reader: RangeReader,
    plan: Plan,
    rows: sqlite3.Connection,
    found: Preview,
    progress: Progress,
) -> None:
    prefix = settings.kafka.topic_prefix
    chooser = Chooser(plan.choice, rejected_places(settings, plan.choice))
    known = Stores(feeds(settings, PLATFORMS), frozenset(PLATFORMS), settings.translate.retired_stores)
    ranges = [
        OffsetRange(TopicPartition(prefix + part.topic, part.partition), part.start, part.end)
        for part in plan.parts
    ]
    batches = reader.read(
        ranges, progress=lambda done, of: progress("events", done, of), on_lost=lambda _: None
    )
    for batch in batches:
        topic = batch.place.topic.removeprefix(prefix)
        for message in batch.messages():
            if chooser.takes(topic, message.partition, message.offset, message.key):
                outcome, reason, emissions = _judge(message, topic, known, rows)
                found.events[outcome] += 1
                if outcome == Outcome.REJECTED:
                    found.rejected[reason] += 1
                rows.executemany("replace into records values (?, ?, ?, ?, ?, ?, ?)", map(_row, emissions))


def _judge(
    message: LibrdkafkaMessage, topic: str, known: Stores, rows: sqlite3.Connection
) -> tuple[str, str, tuple[Emission, ...]]:
    kind = next(kind for kind in Kind if kind.topic == topic)
    try:
        event, feed = read(message.key, message.value, message.headers, kind, known)
    except Rejected as rejected:
        return Outcome.REJECTED, rejected.reason, ()
    except UnknownStore:
        return Outcome.REJECTED, "unknown_store", ()
    row = rows.execute("select state from entities where key = ?", (event.key,)).fetchone()
    state = EntityState() if row is None else EntityState.decode(row[0])
    place = EventPosition(topic, message.partition, message.offset)
    try:
        result = apply_again(event, place, state, feed, Again())
    except Exception:  # noqa: BLE001 - as translate: a failure of ours is no reason to stop
        return Outcome.REJECTED, "translate_error", ()
    if result.remember:
        rows.execute("replace into entities values (?, ?)", (event.key, state.encode()))
    outcome = "older" if result.reason == OLDER else result.outcome.value
    return outcome, result.reason, result.emissions


def _row(emission: Emission) -> tuple[bytes, str, str, str, str, int, bytes]:
    said = orjson.loads(emission.value)
    key = record_key(emission.account, emission.kind, emission.id)
    return key, emission.account, emission.kind, said["op"], _digest(said), said["version"], emission.value


def _digest(said: dict[str, Any]) -> str:
    """Of what Connectif would be told by a record."""
    return digest(orjson.dumps([said["op"], said["body"]]))


def _compare(settings: Settings, reader: RangeReader, rows: sqlite3.Connection, progress: Progress) -> None:
    """Find the last record told of each that the replay would tell."""
    topics = [full_name(settings, kind.topic) for kind in _KINDS]
    batches = reader.read(
        reader.ranges(*topics),
        progress=lambda done, of: progress("records", done, of),
        on_lost=lambda _: None,
    )
    for batch in batches:
        for raw in batch.raw:
            key = raw.key()
            if rows.execute("select 1 from records where key = ?", (key,)).fetchone() is None:
                continue
            try:
                said = orjson.loads(raw.value() or b"")
                row = key, _digest(said), said["op"], said["version"], raw.value()
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue
            rows.execute("replace into told values (?, ?, ?, ?, ?)", row)


def _count(rows: sqlite3.Connection, found: Preview) -> None:
    counted = rows.execute(
        """select account, kind, case when told.key is null then ? when told.digest = records.digest
           or told.version > records.version then ? else ? end as what, count(*)
           from records left join told using (key) group by account, kind, what""",
        (_NEW, _SAME, _CHANGED),
    )
    for account, kind, what, count in counted:
        found.records[account, kind, what] += count


def _live_per_minute(settings: Settings, reader: RangeReader) -> Counter[str]:
    """Orders a minute of the last hour, by account."""
    since = int(time.time() * 1_000) - _HOUR_MS
    counts: Counter[str] = Counter()
    for batch in reader.read(reader.ranges(full_name(settings, Kind.ORDER.topic), start=since)):
        for raw in batch.raw:
            store = (raw.key() or b"").decode(errors="replace").partition("|")[0]
            if store in settings.stores:
                counts.update(settings.stores[store].accounts)  # which one it goes to, its body says
    return counts


def _cost(  # noqa: PLR0917 - the steps of `preview`
    settings: Settings,
    plan: Plan,
    rows: sqlite3.Connection,
    found: Preview,
    live: Counter[str],
    progress: Progress,
) -> None:
    forced = plan.mode is ReplayMode.FORCE
    sent: Counter[tuple[str, str]] = Counter()
    for (account, kind, what), count in found.records.items():
        if what != _SAME or forced:
            sent[account, kind] += count
    # What is taken back and was never told costs no call.
    for account, kind, count in rows.execute(
        """select records.account, records.kind, count(*) from records left join told using (key)
           where records.op = ? and told.key is null group by records.account, records.kind""",
        (Op.RETRACT,),
    ):
        sent[account, kind] -= count
    for account in sorted({account for account, _ in sent}):
        orders = sent[account, RecordKind.PURCHASE]
        changed = found.records[account, RecordKind.PURCHASE, _CHANGED]
        volume = Volume(
            orders,
            new_customers=0.0,
            customers=sent[account, RecordKind.CONTACT],
            products=sent[account, RecordKind.PRODUCT],
            corrections=0.0 if not orders else min(1.0, changed / orders / 2),
            live_per_minute=live[account] / 60,
        )

        def told(done: int, of: int) -> None:
            progress("calls", done, of)

        came = forecast(settings.accounts[account], settings.deliver, volume, told)
        found.calls[account] = came.calls.total()
        found.seconds = max(found.seconds, came.seconds)


__all__ = ["Preview", "preview"]
