"""What an operator asks for -> the plan of a run: ranges, rejected events, how far back topics go."""

from __future__ import annotations

import re
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.archive.access import event_reader
from pipeline.config import Settings
from pipeline.config_checks import require_store
from pipeline.errors import PipelineError, SettingsError
from pipeline.events import Kind
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.ranges import LostRange, OffsetRange
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.replays import ReplayMode
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import DEADLETTERS, full_name
from pipeline.replay.run import Part, Plan
from pipeline.replay.selection import Choice, Places, rejected_at

#: Bytes of a file of ids, at most: more fits into no run.
MOST_ID_BYTES = 8_000_000
_OFFSETS = re.compile(r"(?P<topic>[a-z.]+):(?P<partition>\d+):(?P<start>\d+)-(?P<end>\d+)")


@dataclass(frozen=True, slots=True)
class Request:
    """What an operator asks for.

    Attributes:
        choice: of events.
        mode, trigger: see `ReplayMark`.
        since_ms, until_ms: arrival, epoch milliseconds; None: all there is.
        offsets: instead of arrival, parts as `parse_offsets` gives them.
    """

    choice: Choice
    mode: ReplayMode = ReplayMode.MISSING
    trigger: bool = False
    since_ms: int | None = None
    until_ms: int | None = None
    offsets: tuple[Part, ...] = ()


def parse_offsets(text: str) -> Part:
    """`shop.orders:3:100-200`: these offsets of a partition, the last one with them.

    Raises:
        SettingsError: it is of another form.
    """
    found = _OFFSETS.fullmatch(text)
    topics = {kind.topic for kind in Kind}
    if found is None or found["topic"] not in topics or int(found["end"]) < int(found["start"]):
        raise SettingsError(
            f"{text!r} names no offsets", field="--offsets", hint="as in shop.orders:3:100-200"
        )
    return Part(
        topic=found["topic"],
        partition=int(found["partition"]),
        start=int(found["start"]),
        end=int(found["end"]) + 1,
    )


def read_ids(file: Path) -> frozenset[str]:
    """The ids of a file, one a line.

    Raises:
        PipelineError: it cannot be read, or names none.
    """
    try:
        with file.open("rb") as opened:
            raw = opened.read(MOST_ID_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"cannot read {file}: {error}", hint="one id a line, as text") from error
    if len(raw) > MOST_ID_BYTES:
        raise PipelineError(
            f"{file} has more than {MOST_ID_BYTES:,} bytes", hint="split it, a run for each part"
        )
    ids = frozenset(line.strip() for line in text.split("\n") if line.strip())
    odd = next((one for one in ids if not one.isprintable()), None)
    if odd is not None:
        raise PipelineError(f"{file} has a line that is no id: {odd[:40]!r}", hint="one id a line, as text")
    if not ids:
        raise PipelineError(f"{file} names no ids", hint="one a line")
    return ids


def check_request(settings: Settings, request: Request) -> None:
    """That the settings have its stores, and its range is one.

    Raises:
        SettingsError: they have not, or it is none.
    """
    since, until = request.since_ms, request.until_ms
    if since is not None and since > time.time() * 1_000:
        raise SettingsError("nothing has arrived since then: it is in the future, by UTC", field="--since")
    if since is not None and until is not None and until <= since:
        raise SettingsError("the range ends before it begins", field="--until")
    places = [(part.topic, part.partition) for part in request.offsets]
    twice = next((place for place in places if places.count(place) > 1), None)
    if twice is not None:
        named = f"{twice[0]} partition {twice[1]}"
        raise SettingsError(
            f"{named} is named twice", field="--offsets", hint="one range of each, and a run each"
        )
    choice = request.choice
    for store in sorted(choice.stores):
        require_store(settings, store, field="--store")


def make_plan(settings: Settings, request: Request) -> Plan:
    """The plan of a new run; its ends are those of the topics now."""
    with event_reader(settings) as reader:
        parts = _parts(settings, reader, request)
    now = datetime.now(UTC)
    return Plan(
        run=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        made_ms=int(time.time() * 1_000),
        choice=request.choice,
        mode=request.mode,
        trigger=request.trigger,
        parts=tuple(parts),
        since_ms=request.since_ms,
        until_ms=request.until_ms,
    )


def _parts(settings: Settings, reader: RangeReader, request: Request) -> list[Part]:
    prefix = settings.kafka.topic_prefix
    topics = [full_name(settings, topic) for topic in request.choice.topics]
    if request.offsets:
        places = {
            TopicPartition(prefix + part.topic, part.partition): part
            for part in request.offsets
            if part.topic in request.choice.topics
        }
        found = reader.ranges(*topics, start={place: part.start for place, part in places.items()})
        wanted = [
            (read.place, read.start, min(read.end, places[read.place].end))
            for read in found
            if read.place in places
        ]
    else:
        found = reader.ranges(*topics, start=request.since_ms or 0, until=request.until_ms)
        wanted = [(read.place, read.start, read.end) for read in found]
    return [
        Part(topic=place.topic.removeprefix(prefix), partition=place.partition, start=start, end=end)
        for place, start, end in wanted
        if start < end
    ]


def held_since(settings: Settings, topics: Iterable[str], since_ms: int | None) -> dict[str, int]:
    """Topics of which nothing as old as asked for is held any more, and the arrival of the oldest that is.

    The archive counts, where there is one.

    Args:
        settings: the program's.
        topics: without the prefix.
        since_ms: where the range begins; None: wherever the topic does.
    """
    gone: dict[str, int] = {}
    with event_reader(settings) as reader:
        for topic in topics:
            places = reader.offsets.partitions(full_name(settings, topic))
            extents = reader.offsets.extents(places)
            # Where a partition begins at 0, nothing of it is gone.
            firsts = [
                OffsetRange(place, extent.low, extent.low + 1)
                for place, extent in extents.items()
                if 0 < extent.low < extent.high
            ]
            oldest = [message.timestamp for batch in reader.read(firsts) for message in batch.messages()]
            if oldest and (since_ms is None or max(oldest) > since_ms):
                gone[topic] = max(oldest)
    return gone


@dataclass(frozen=True, slots=True)
class ArchivedPart:
    """What of a plan the topics do not hold.

    Attributes:
        offsets: read from the archive, by topic.
        missing: what neither holds.
    """

    offsets: Mapping[str, int]
    missing: Sequence[LostRange]


def archived_part(settings: Settings, plan: Plan) -> ArchivedPart:
    """What of a plan is read from the archive, and what it does not hold either."""
    prefix = settings.kafka.topic_prefix
    ranges = [
        OffsetRange(TopicPartition(prefix + part.topic, part.partition), part.start, part.end)
        for part in plan.parts
    ]
    offsets: Counter[str] = Counter()
    missing: list[LostRange] = []
    with event_reader(settings) as reader:
        for piece, archived in reader.older(ranges):
            if archived:
                offsets[piece.place.topic.removeprefix(prefix)] += len(piece)
            else:
                missing.append(LostRange(piece.place, piece.start, piece.end))
    return ArchivedPart(offsets, missing)


def rejected_places(settings: Settings, choice: Choice) -> Places | None:
    """Where the events lie that ended `rejected` for these reasons; None where none are asked for.

    About 100 bytes of memory each.
    """
    if not choice.rejected:
        return None
    found: dict[tuple[str, int], set[int]] = {}
    with RangeReader(client_config(settings)) as reader:
        for batch in reader.read(reader.ranges(full_name(settings, DEADLETTERS))):
            for message in batch.messages():
                at = rejected_at(message.headers, choice.rejected)
                if at is not None:
                    topic, partition, offset = at
                    found.setdefault((topic, partition), set()).add(offset)
    return found


def calls_per_minute(settings: Settings, stores: Sequence[str]) -> float:
    """What the accounts of these stores take together; of all stores where none is named."""
    names = stores or list(settings.stores)
    accounts = {
        account for name in names if name in settings.stores for account in settings.stores[name].accounts
    }
    return sum(settings.accounts[name].calls_per_minute for name in accounts)


__all__ = [
    "ArchivedPart",
    "Request",
    "archived_part",
    "calls_per_minute",
    "check_request",
    "held_since",
    "make_plan",
    "parse_offsets",
    "read_ids",
    "rejected_places",
]
