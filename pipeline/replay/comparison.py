"""Events of a range -> what today's code says -> what that changes in Connectif. On disk, in bounded memory.

Its steps, in order: `remember` what translate knows, `event` by event of the range, `sent` for what deliver
sent last, `record` by record for the values of that, and `judged`.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple, Self

import orjson
from pydantic import TypeAdapter, ValidationError

from pipeline.deliver.state.commands import Command
from pipeline.deliver.state.diff import diff
from pipeline.deliver.state.key import Key
from pipeline.deliver.state.last_sent import LastSent, last_sent_from_json
from pipeline.deliver.state.states import State, merged, state_from_json, state_of
from pipeline.engine.foreign import JUNK
from pipeline.events import Kind
from pipeline.kafka.keys import entity_key
from pipeline.kafka.messages import LibrdkafkaMessage
from pipeline.records import Record, RecordKind, record_key
from pipeline.replay.changes import Change, Difference, Held, changes, difference, held
from pipeline.shops.base import Rejected
from pipeline.translate.emit import Again, Emission
from pipeline.translate.reading import Stores, UnknownStore, read
from pipeline.translate.replayed import OLDER, apply_again
from pipeline.translate.rules import EventPosition, Outcome
from pipeline.translate.state import EntityState

_RECORD: TypeAdapter[Record] = TypeAdapter(Record)
_TABLES = """
    create table entities(key blob primary key, state blob) without rowid;
    create table records(key blob primary key, account text, kind text, id text, state blob, sent blob,
        held blob);
"""


class Judged(NamedTuple):
    """One record that would be told.

    Attributes:
        account, key: of the record.
        last_sent: what deliver sent last; None: nothing.
        state: what it would be told.
        held: values last sent, where `record` found them.
    """

    account: str
    key: Key
    last_sent: LastSent | None
    state: State
    held: Held

    @property
    def difference(self) -> Difference:
        """What it is to Connectif."""
        return difference(self.last_sent, self.state)

    def command(self, *, resend: bool) -> Command:
        """What deliver would do; `resend` as in the record."""
        return diff(self.last_sent, self.state, resend=resend)

    def changes(self, *, personal: bool) -> list[Change]:
        """The fields that would change; `personal`: with values about people."""
        return changes(self.account, self.key, self.last_sent, self.state, self.held, personal=personal)


class Comparison:
    """What a replay of some events would change.

    Args:
        rows: an empty database.
        stores: of today's settings.
    """

    def __init__(self, rows: sqlite3.Connection, stores: Stores) -> None:
        self._rows = rows
        self._stores = stores
        rows.executescript(f"pragma journal_mode=off; pragma synchronous=off; begin; {_TABLES}")

    @classmethod
    @contextmanager
    def on_disk(cls, stores: Stores) -> Iterator[Self]:
        """One in a file that goes with it."""
        with (
            tempfile.TemporaryDirectory(prefix="pipeline-replay-") as directory,
            closing(sqlite3.connect(Path(directory) / "rows", isolation_level=None)) as rows,
        ):
            yield cls(rows, stores)

    def remember(self, batch: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Rows of translate's memory: `store|kind|id` -> an `EntityState`; None: forgotten."""
        self._rows.executemany("replace into entities values (?, ?)", batch)

    def event(self, message: LibrdkafkaMessage, topic: str) -> tuple[str, str]:
        """An event of the range, as translate would judge it; returns its outcome and the reason.

        Args:
            message: as it lies in `shop.*`.
            topic: its topic, without the prefix.
        """
        kind = next(kind for kind in Kind if kind.topic == topic)
        try:
            event, feed = read(message.key, message.value, message.headers, kind, self._stores)
        except Rejected as rejected:
            return Outcome.REJECTED, rejected.reason
        except UnknownStore:
            return Outcome.REJECTED, "unknown_store"
        row = self._rows.execute("select state from entities where key = ?", (event.key,)).fetchone()
        place = EventPosition(topic, message.partition, message.offset)
        try:
            state = EntityState() if row is None or row[0] is None else EntityState.decode(row[0])
            result = apply_again(event, place, state, feed, Again())
        except Exception:  # noqa: BLE001 - as translate: a failure of ours is no reason to stop
            return Outcome.REJECTED, "translate_error"
        if result.remember:
            self._rows.execute("replace into entities values (?, ?)", (event.key, state.encode()))
        for emission in result.emissions:
            self._keep(emission)
        return ("older" if result.reason == OLDER else result.outcome.value), result.reason

    def _keep(self, emission: Emission) -> None:
        """A record that would be told; versions of one key are merged, as those that wait are."""
        key = record_key(emission.account, emission.kind, emission.id)
        state = state_of(_RECORD.validate_json(emission.value))
        row = self._rows.execute("select state from records where key = ?", (key,)).fetchone()
        if row is not None:
            state = merged(state_from_json(emission.kind, orjson.loads(row[0])), state)
        self._rows.execute(
            "replace into records values (?, ?, ?, ?, ?, null, null)",
            (key, emission.account, emission.kind.value, emission.id, orjson.dumps(state.to_json())),
        )

    def sent(self, batch: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Rows of deliver's memory: `account|kind|id` -> a `LastSent`; None: forgotten."""
        self._rows.executemany(
            "update records set sent = ? where key = ?", ((value, key) for key, value in batch)
        )

    def record(self, key: bytes | None, value: bytes | None) -> None:
        """A message of `connectif.*`: it may have values that were last sent."""
        key = entity_key(key or b"")
        row = self._rows.execute(
            "select kind, sent, held from records where key = ? and sent is not null", (key,)
        ).fetchone()
        if row is None:
            return
        sent = _last_sent(RecordKind(row[0]), row[1])
        try:
            said = state_of(_RECORD.validate_json(value or b""))
        except ValidationError:
            return  # not of this pipeline: deliver made a dead letter of it
        values = {} if sent is None else held(sent, said)
        if values:
            known = orjson.loads(row[2] or b"{}") | values
            self._rows.execute("update records set held = ? where key = ?", (orjson.dumps(known), key))

    def judged(self) -> Iterator[Judged]:
        """Every record, by account, kind and id."""
        question = "select account, kind, id, state, sent, held from records order by account, kind, key"
        for account, name, record_id, said, sent, known in self._rows.execute(question):
            kind = RecordKind(name)
            state = state_from_json(kind, orjson.loads(said))
            fields = orjson.loads(known or b"{}")
            yield Judged(account, Key(kind, record_id), _last_sent(kind, sent), state, fields)


def _last_sent(kind: RecordKind, raw: bytes | None) -> LastSent | None:
    """A row of deliver's; one that cannot be read counts as absent, as in deliver."""
    try:
        return None if raw is None else last_sent_from_json(kind, orjson.loads(raw))
    except JUNK:
        return None


__all__ = ["Comparison", "Judged"]
