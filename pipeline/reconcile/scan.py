"""What the topics hold of one store's orders, into the database: events, dead letters, records, receipts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from pipeline.archive.access import event_reader
from pipeline.config import Settings
from pipeline.events import Kind
from pipeline.kafka.keys import entity_key
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.ranges import MessageBatch, OffsetRange
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.topics import DAY_MS, DEADLETTERS, RECEIPTS, TRANSLATE_APP, full_name
from pipeline.reconcile.database import Database
from pipeline.reconcile.rules import Held
from pipeline.records import Op, Outcome, RecordKind, partition_of
from pipeline.text import without_addresses

log = logging.getLogger(__name__)

#: (topic, offsets dealt with, offsets in all).
Progress = Callable[[str, int, int], object]
#: Clocks of shops differ from ours: so much earlier than asked for is read, too.
SLACK_MS = DAY_MS
#: Characters kept of what an operator is told of one order.
DETAIL_MAX = 300
#: Between the account and the id in a purchase's key.
_PURCHASE = f"|{RecordKind.PURCHASE}|".encode()
#: A receipt of an `unchanged` record with this reason: there is nothing to take back.
NEVER_SENT, RETRACTED = "never_sent", "retracted"


class TopicsScan:
    """Reads the topics of one store, each once.

    Args:
        settings: where they are.
        store: its name.
        database: what is found goes there.
        progress: told after each look.

    Attributes:
        translated: the offset up to which translate is done, for each partition of `shop.orders`.
        log_begins_ms: the arrival of the first event that is kept, where older ones were deleted.
        foreign: messages that are none of ours, or unreadable.
    """

    def __init__(self, settings: Settings, store: str, database: Database, progress: Progress) -> None:
        self._settings = settings
        self._store = store
        accounts = settings.stores[store].accounts
        #: The beginning of a purchase's key -> its account's number.
        self._heads = {name.encode(): number for number, name in enumerate(accounts)}
        self._accounts = accounts
        self._database = database
        self._progress = progress
        self.events_topic = full_name(settings, Kind.ORDER.topic)
        self.translated: dict[int, int] = {}
        self.log_begins_ms: int | None = None
        self.foreign = 0

    def run(self, reader: RangeReader, since_ms: int) -> None:
        """Read all that arrived since a moment.

        In the order of a record's way: an order that moves on while this runs is met again further on, and
        never taken for one that stopped.

        Args:
            reader: as `reader` makes it.
            since_ms: epoch ms; 0: all that is kept.

        Raises:
            PipelineError: a topic is missing or cannot be read.
        """
        start = max(0, since_ms - SLACK_MS)
        places = reader.offsets.partitions(self.events_topic)
        self._events(reader, start)
        committed = reader.committed(places)
        self.translated = {place.partition: committed.get(place) or 0 for place in places}
        self._letters(reader, start)
        self._records(reader, start)
        self._receipts(reader, start)

    @staticmethod
    def reader(settings: Settings) -> RangeReader:
        """A reader of the topics, with translate's group, of which it asks how far it has come."""
        return event_reader(settings, group=full_name(settings, TRANSLATE_APP))

    def _events(self, reader: RangeReader, start: int) -> None:
        prefix = f"{self._store}|{Kind.ORDER}|".encode()
        cut = len(prefix)
        ranges = reader.ranges(self.events_topic, start=start)
        first = {found.place: found.start for found in ranges if found.start > 0}
        extents = reader.offsets.extents(first)
        shortened = {place for place, offset in first.items() if extents[place].low == offset}
        for batch in self._read(reader, ranges):
            if batch.place in shortened:
                shortened.discard(batch.place)
                begins = batch.raw[0].timestamp()[1]
                self.log_begins_ms = max(self.log_begins_ms or 0, begins)
            found: dict[str, list[int]] = {}
            for message in batch.raw:
                key = message.key()
                if key is None or not key.startswith(prefix):
                    continue
                entity, at = entity_key(key)[cut:].decode(errors="replace"), message.timestamp()[1]
                known = found.get(entity)
                if known is None:
                    found[entity] = [1, at, at, batch.place.partition, message.offset()]
                else:
                    known[0] += 1
                    known[2], known[4] = at, message.offset()
            self._database.put("events", ((entity, *row) for entity, row in found.items()))

    def _letters(self, reader: RangeReader, start: int) -> None:
        prefix = f"{self._store}|{Kind.ORDER}|".encode()
        for batch in self._read(reader, reader.ranges(full_name(self._settings, DEADLETTERS), start=start)):
            rows = []
            for message in batch.messages():
                if message.key is None or not message.key.startswith(prefix):
                    continue
                said = {name: (value or b"").decode(errors="replace") for name, value in message.headers}
                place = said.get("dead-partition", ""), said.get("dead-offset", "")
                own = said.get("dead-stage") == "translate" and said.get("dead-topic") == Kind.ORDER.topic
                if not own or not all(map(str.isdecimal, place)):
                    continue
                words = (said.get("dead-field", ""), said.get("dead-detail", ""))
                detail = without_addresses(": ".join(filter(None, words)))[:DETAIL_MAX]
                entity = entity_key(message.key)[len(prefix) :].decode(errors="replace")
                rows.append((entity, int(place[0]), int(place[1]), said.get("dead-reason", "")[:100], detail))
            self._database.put("letters", rows)

    def _records(self, reader: RangeReader, start: int) -> None:
        for batch in self._of_accounts(reader, RecordKind.PURCHASE.topic, start):
            records, links = {}, {}
            for account, offset, tree in self._purchases(batch):
                body = tree.get("body")
                takes_back = body is None or tree.get("op") == Op.RETRACT
                pid, store = tree["id"], tree.get("store", "")
                total, placed = (body.get("total_price"), body.get("purchase_date")) if body else (None, None)
                told = total and str(total)
                records[pid, account] = (pid, account, offset, int(takes_back), told, placed, store)
                kind, _, entity = str(tree.get("owner", "")).partition("|")
                if kind == Kind.ORDER and store == self._store:
                    links[pid] = (pid, entity)
            self._database.put("records", records.values())
            self._database.put("links", links.values())

    def _receipts(self, reader: RangeReader, start: int) -> None:
        for batch in self._of_accounts(reader, RECEIPTS, start):
            rows = []
            for account, _, tree in self._purchases(batch):
                record = tree.get("record")
                offset = record.get("offset", -1) if isinstance(record, Mapping) else -1
                outcome, reason = str(tree.get("outcome", "")), str(tree.get("reason", ""))
                detail = without_addresses(str(tree.get("detail", "")))[:DETAIL_MAX]
                held, store = held_after(outcome, reason), str(tree.get("store", ""))
                row = (tree["id"], account, held, offset, outcome, reason[:100], detail, store)
                rows.append((*row, _epoch_ms(tree, "received_ms"), _epoch_ms(tree, "at_ms")))
            self._database.put("receipts", rows)

    def _purchases(self, batch: MessageBatch) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """The accounts' purchases of records or receipts: account, offset, tree; an id is a text in each."""
        for message in batch.raw:
            head, is_purchase, _ = (message.key() or b"").partition(_PURCHASE)
            account = self._heads.get(head)
            if account is None or not is_purchase:
                continue
            try:
                tree = orjson.loads(message.value() or b"")
            except ValueError:
                tree = None
            if isinstance(tree, dict) and isinstance(tree.get("id"), str):
                yield account, message.offset(), tree
            else:
                self.foreign += 1

    def _of_accounts(self, reader: RangeReader, topic: str, start: int) -> Iterator[MessageBatch]:
        """A topic of the accounts, the messages of each of which share a partition."""
        name = full_name(self._settings, topic)
        count = len(reader.offsets.partitions(name))
        own = {TopicPartition(name, partition_of(account, count)) for account in self._accounts}
        return self._read(reader, [one for one in reader.ranges(name, start=start) if one.place in own])

    def _read(self, reader: RangeReader, ranges: list[OffsetRange]) -> Iterator[MessageBatch]:
        if not ranges:
            return
        topic = ranges[0].place.topic
        # What retention deletes meanwhile is gone for every reader: go on behind it.
        yield from reader.read(
            ranges, progress=lambda done, of: self._progress(topic, done, of), on_lost=lambda _lost: None
        )


def _epoch_ms(tree: Mapping[str, Any], name: str) -> int:
    """A moment of a receipt; 0 where a message of somebody else's has none."""
    value = tree.get(name)
    return value if isinstance(value, int) and 0 <= value < 2**62 else 0


def held_after(outcome: str, reason: str) -> Held:
    """What Connectif holds once a record has ended so; nothing said: as before."""
    if outcome == Outcome.DELIVERED:
        return Held.GONE if reason == RETRACTED else Held.THERE
    if outcome == Outcome.UNCHANGED:
        if reason == NEVER_SENT:
            return Held.GONE
        return Held.NOTHING_SAID if reason in {"older", "another_owner", "same"} else Held.THERE
    return Held.NOTHING_SAID
