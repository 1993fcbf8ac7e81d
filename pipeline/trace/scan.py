"""The topics -> the life of some entities: only the partitions and times that can hold anything of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import orjson
from pydantic import ValidationError
from rich.console import Console

from pipeline.config import Settings
from pipeline.events import Kind
from pipeline.kafka.keys import entity_key, partition_of_key
from pipeline.kafka.messages import LibrdkafkaMessage, TopicPartition
from pipeline.kafka.ranges import MessageBatch, OffsetRange, clamped
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.topics import DEADLETTERS, RECEIPTS, full_name
from pipeline.progress import scanning
from pipeline.records import Receipt, RecordKind, partition_of, record_key
from pipeline.shops.registry import PLATFORMS
from pipeline.trace.life import (
    EntityKey,
    EntityLife,
    Place,
    TracedLetter,
    TracedReceipt,
    TracedRecord,
)
from pipeline.trace.replay import Replay
from pipeline.translate.reading import stores_of
from pipeline.translate.rules import max_record_bytes

#: The raw event that a record or receipt comes from, as both are written; and how far into them it may stand.
_SOURCE = re.compile(rb'"source":\{"topic":"(shop\.[a-z]+)","partition":(\d{1,9}),"offset":(\d{1,19})\}')
HEAD_BYTES = 8_192
#: Bytes of a dead letter's header that are shown: ours are shorter.
LONGEST = 4_096
#: Milliseconds by which the brokers' clocks may differ: what follows from an event may seem older by so much.
SKEW_MS = 60_000
#: The kinds of records that events make.
_KINDS = (RecordKind.CONTACT, RecordKind.PRODUCT, RecordKind.PURCHASE)


class LifeScan:
    """Reads topics.

    Args:
        settings: the program's.
        reader: of the cluster.
        console: is told how far it is.
        since_ms: nothing that arrived before is looked at, in epoch milliseconds; None: all that is kept.
        stop: called several times a second; True ends the reading by `Stopped`.
    """

    def __init__(
        self,
        settings: Settings,
        reader: RangeReader,
        console: Console,
        since_ms: int | None,
        *,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._console = console
        self._since_ms = since_ms
        self._stop = stop
        self._shop_topics = {full_name(settings, kind.topic): kind for kind in Kind}
        self._stores = stores_of(settings, PLATFORMS)

    def lives(self, keys: Collection[EntityKey]) -> list[EntityLife]:
        """The events of some entities, with today's verdict on each, in the order of `keys`."""
        lives = {key.message_key: EntityLife(key) for key in keys}
        most = max_record_bytes(self._settings.kafka.max_message_bytes)
        replays = {key.message_key: Replay(key, self._stores, most) for key in keys}
        partitions = self._settings.kafka.shop_partitions
        of_place: dict[TopicPartition, list[EntityLife]] = {}
        for raw_key, life in lives.items():
            topic = full_name(self._settings, life.key.kind.topic)
            place = TopicPartition(topic, partition_of_key(raw_key, partitions))
            of_place.setdefault(place, []).append(life)
        ranges, cut = self._ranges(of_place, self._since_ms)
        for place in cut:
            for life in of_place[place]:
                life.whole = False
        topics = self._shop_topics
        for message in self._found(ranges, "events", replays.__contains__):
            key = entity_key(message.key or b"")
            # Orders, customers and products of one id have keys of their own, but anybody may write one.
            if lives[key].key.kind is topics[message.topic]:
                lives[key].add(replays[key].judge(message))
                lives[key].sources.add(message.offset)
        for raw_key, life in lives.items():
            feed = self._stores.feeds.get(life.key.store)
            life.accounts |= replays[raw_key].accounts | set(feed.own_accounts if feed is not None else ())
        return list(lives.values())

    def follow(self, lives: Collection[EntityLife]) -> None:
        """What followed from the events: records, receipts and dead letters."""
        lives = [life for life in lives if life.sources]
        if not lives:
            return
        first = min(life.events[0].at_ms for life in lives if life.events) - SKEW_MS
        if any(life.left_out["event"] for life in lives):
            first = self._since_ms or 0
        self._records(lives, first)
        self._letters(lives, first)

    def _records(self, lives: Collection[EntityLife], first: int) -> None:
        partitions = self._settings.kafka.account_partitions
        of_source = {
            (life.key.kind.topic.encode(), offset, _partition(life, self._settings)): life
            for life in lives
            for offset in life.sources
        }
        numbers = {partition_of(account, partitions) for life in lives for account in life.accounts}
        names = [kind.topic for kind in _KINDS] + [RECEIPTS]
        places = [TopicPartition(full_name(self._settings, name), at) for name in names for at in numbers]
        ranges, _ = self._ranges(places, first)
        receipts = full_name(self._settings, RECEIPTS)
        with scanning("records and receipts", self._console) as tell:
            for batch in self._read(ranges, tell):
                is_receipt = batch.place.topic == receipts
                for raw in batch.raw:
                    value = raw.value() or b""
                    found = _SOURCE.search(value, 0, HEAD_BYTES)
                    if found is None:
                        continue
                    life = of_source.get((found[1], int(found[3]), int(found[2])))
                    if life is not None:
                        place = Place(self._plain(batch.place.topic), batch.place.partition, raw.offset())
                        made = _receipt(value, place) if is_receipt else _record(value, place, raw)
                        if made is not None:
                            life.add(made)

    def _letters(self, lives: Collection[EntityLife], first: int) -> None:
        keys = {life.key.message_key: life for life in lives}
        of_record: dict[Place, EntityLife] = {}
        for life in lives:
            for record in life.records:
                keys[record_key(record.account, record.kind, record.id)] = life
                of_record[record.place] = life
        of_event = {
            Place(life.key.kind.topic, _partition(life, self._settings), offset): life
            for life in lives
            for offset in life.sources
        }
        topic = full_name(self._settings, DEADLETTERS)
        ranges, _ = self._ranges(self._reader.offsets.partitions(topic), first)
        # A letter whose message was too large to be copied has no key.
        for message in self._found(ranges, "dead letters", lambda key: not key or key in keys):
            letter = _letter(message, self._plain(message.topic))
            if letter is not None:
                owner = of_event.get(letter.of) or of_record.get(letter.of)
                if owner is not None:
                    owner.add(letter)

    def matching(
        self, title: str, topics: Iterable[str], wanted: Callable[[bytes, bytes], bool]
    ) -> Iterator[tuple[bytes, bytes]]:
        """What every wanted message of some topics is about, and its value, a partition's oldest first.

        Args:
            title: for the progress.
            topics: without the prefix.
            wanted: by key and value.
        """
        names = [full_name(self._settings, topic) for topic in topics]
        ranges, _ = self._ranges(self._reader.offsets.partitions(*names), self._since_ms)
        yield from self._pairs(ranges, title, wanted)

    def of_account(
        self, title: str, topic: str, account: str, wanted: Callable[[bytes, bytes], bool]
    ) -> Iterator[tuple[bytes, bytes]]:
        """The same in the partition of an account, of one topic of records."""
        number = partition_of(account, self._settings.kafka.account_partitions)
        ranges, _ = self._ranges([TopicPartition(full_name(self._settings, topic), number)], self._since_ms)
        yield from self._pairs(ranges, title, wanted)

    # Inside.

    def _read(
        self, ranges: Collection[OffsetRange], tell: Callable[[int, int], object]
    ) -> Iterator[MessageBatch]:
        return self._reader.read(ranges, progress=tell, stop=self._stop, on_lost=_passed_over)

    def _plain(self, topic: str) -> str:
        return topic.removeprefix(self._settings.kafka.topic_prefix)

    def _ranges(
        self, places: Iterable[TopicPartition], since_ms: int | None
    ) -> tuple[list[OffsetRange], set[TopicPartition]]:
        """What to read, and the partitions whose beginning is left out, or gone."""
        wanted = list(places)
        offsets = self._reader.offsets
        extents = offsets.extents(wanted)
        starts: Mapping[TopicPartition, int | None] = {}
        if since_ms is not None and since_ms > 0:
            since = offsets.since(wanted, since_ms)
            starts = {place: extents[place].high if at is None else at for place, at in since.items()}
        cut = {place for place in wanted if max(extents[place].low, starts.get(place) or 0) > 0}
        ranges = clamped(extents, starts)
        cut |= {gone.place for gone, is_archived in self._reader.older(ranges) if not is_archived}
        return ranges, cut

    def _found(
        self, ranges: Collection[OffsetRange], title: str, wanted: Callable[[bytes], bool]
    ) -> Iterator[LibrdkafkaMessage]:
        """The messages whose keys are wanted."""
        with scanning(title, self._console) as tell:
            for batch in self._read(ranges, tell):
                for raw in batch.raw:
                    if wanted(entity_key(raw.key() or b"")):
                        yield LibrdkafkaMessage.of(raw)

    def _pairs(
        self, ranges: Collection[OffsetRange], title: str, wanted: Callable[[bytes, bytes], bool]
    ) -> Iterator[tuple[bytes, bytes]]:
        with scanning(title, self._console) as tell:
            for batch in self._read(ranges, tell):
                for raw in batch.raw:
                    key, value = entity_key(raw.key() or b""), raw.value() or b""
                    if wanted(key, value):
                        yield key, value


@functools.lru_cache(4_096)
def _number(key: bytes, partitions: int) -> int:
    return partition_of_key(key, partitions)


def _partition(life: EntityLife, settings: Settings) -> int:
    return _number(life.key.message_key, settings.kafka.shop_partitions)


def _passed_over(_: object) -> None:
    """What retention deletes while it is read was about to be gone: the scan goes on behind it."""


def _record(value: bytes, place: Place, raw: Any) -> TracedRecord | None:
    try:
        said = orjson.loads(value)
        return TracedRecord(
            place=place,
            at_ms=raw.timestamp()[1],
            account=str(said["account"]),
            kind=RecordKind(said["kind"]),
            id=str(said["id"]),
            version=int(said["version"]),
            op=str(said["op"]),
            lane=str(said["lane"]),
            source=int(said["source"]["offset"]),
            notes=tuple(map(str, said["notes"])),
        )
    except (ValueError, TypeError, LookupError, OverflowError):
        return None  # somebody else wrote it; deliver made a dead letter of it


def _receipt(value: bytes, place: Place) -> TracedReceipt | None:
    try:
        said = Receipt.model_validate_json(value)
    except ValidationError:
        return None
    return TracedReceipt(
        place=place,
        at_ms=said.at_ms,
        account=said.account,
        kind=said.kind,
        id=said.id,
        version=said.version,
        record=said.record.offset,
        source=said.source.offset,
        outcome=said.outcome.value,
        reason=said.reason,
        detail=said.detail,
        status=said.status,
        calls=said.calls,
        fingerprint=said.fingerprint,
        lane=said.lane.value,
        seconds=max(0.0, (said.at_ms - said.received_ms) / 1_000),
        repaired=said.repaired,
        notes=said.notes,
    )


def _bounded(text: str) -> int:
    """A number of 63 bits, as ours are.

    Raises:
        ValueError: it is none.
    """
    if not text.isascii() or len(text) >= 20 or (found := int(text)) >= 2**63:  # noqa: PLR2004 - its digits
        raise ValueError(f"no number of ours: {text[:20]}")
    return found


def _letter(message: LibrdkafkaMessage, topic: str) -> TracedLetter | None:
    said = {
        name.removeprefix("dead-"): (value or b"")[:LONGEST].decode(errors="replace")
        for name, value in message.headers
        if name.startswith("dead-")
    }
    try:
        return TracedLetter(
            place=Place(topic, message.partition, message.offset),
            at_ms=_bounded(said["at"]),
            stage=said["stage"],
            of=Place(said["topic"], _bounded(said["partition"]), _bounded(said["offset"])),
            reason=said["reason"],
            field=said.get("field", ""),
            detail=said.get("detail", ""),
            account=said.get("account", ""),
        )
    except (ValueError, LookupError):
        return None
