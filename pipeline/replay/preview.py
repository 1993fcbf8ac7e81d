"""What a replay would do: today's adapters over the range, compared with what was last sent as deliver does.

Nothing is sent. What the workers remember is read from the changelogs of their tables.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipeline.archive.access import event_reader
from pipeline.config import Settings
from pipeline.deliver.explain.plan import Volume, forecast
from pipeline.deliver.state.commands import ReplacePurchase, Unchanged
from pipeline.events import Kind
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.ranges import OffsetRange
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.replays import ReplayMode
from pipeline.kafka.topics import full_name
from pipeline.records import RecordKind
from pipeline.replay import memory
from pipeline.replay.changes import Change
from pipeline.replay.comparison import Comparison
from pipeline.replay.planning import rejected_places
from pipeline.replay.run import Plan
from pipeline.replay.selection import Chooser
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.reading import stores_of
from pipeline.translate.rules import Outcome

#: Told of how much is read: what is read, how much of it, and of how much.
Progress = Callable[[str, int, int], object]

_KINDS = (RecordKind.CONTACT, RecordKind.PRODUCT, RecordKind.PURCHASE)
_HOUR_MS = 3_600_000


@dataclass(slots=True)
class Preview:
    """What a replay would do.

    Attributes:
        events: that are chosen, by what becomes of them.
        rejected: of them, by reason.
        records: by account, kind and `Difference`.
        sent: those that cost calls, by account and kind; `replaced` purchases cost two.
        calls: by account.
        seconds: until the last account is done, beside live orders as of the last hour.
    """

    events: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    records: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    replaced: Counter[str] = field(default_factory=Counter)
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
    stores = stores_of(settings, PLATFORMS)
    with Comparison.on_disk(stores) as comparison, event_reader(settings) as reader:
        _remember(settings, reader, plan, comparison, progress)
        _translate(settings, reader, plan, comparison, found, progress)
        for batch in memory.last_sent(settings, reader, _part(progress, "what was last sent")):
            comparison.sent(batch)
        if on_change is not None:
            _find_values(settings, reader, comparison, progress)
        for judged in comparison.judged():
            account, kind = judged.account, judged.key.kind
            found.records[account, kind, judged.difference] += 1
            command = judged.command(resend=plan.mode is ReplayMode.FORCE)
            if not isinstance(command, Unchanged):
                found.sent[account, kind] += 1
                found.replaced[account] += isinstance(command, ReplacePurchase)
            if on_change is not None:
                for change in judged.changes(personal=personal):
                    on_change(change)
        _cost(settings, found, _live_per_minute(settings, reader), progress)
    return found


def _remember(
    settings: Settings, reader: RangeReader, plan: Plan, comparison: Comparison, progress: Progress
) -> None:
    """What translate remembers of the entities of the chosen stores."""
    stores = tuple(f"{store}|".encode() for store in plan.choice.stores) or b""
    for batch in memory.entities(settings, reader, _part(progress, "what translate remembers")):
        comparison.remember(row for row in batch if row[0].startswith(stores))


def _translate(  # noqa: PLR0917 - the steps of `preview`
    settings: Settings,
    reader: RangeReader,
    plan: Plan,
    comparison: Comparison,
    found: Preview,
    progress: Progress,
) -> None:
    prefix = settings.kafka.topic_prefix
    chooser = Chooser(plan.choice, rejected_places(settings, plan.choice))
    ranges = [
        OffsetRange(TopicPartition(prefix + part.topic, part.partition), part.start, part.end)
        for part in plan.parts
    ]
    batches = reader.read(ranges, progress=_part(progress, "events"), on_lost=lambda _: None)
    for batch in batches:
        topic = batch.place.topic.removeprefix(prefix)
        for message in batch.messages():
            if chooser.takes(topic, message.partition, message.offset, message.key):
                outcome, reason = comparison.event(message, topic)
                found.events[outcome] += 1
                if outcome == Outcome.REJECTED:
                    found.rejected[reason] += 1


def _find_values(settings: Settings, reader: RangeReader, comparison: Comparison, progress: Progress) -> None:
    """The values last sent, from the records that are kept."""
    topics = [full_name(settings, kind.topic) for kind in _KINDS]
    batches = reader.read(reader.ranges(*topics), progress=_part(progress, "records"), on_lost=lambda _: None)
    for batch in batches:
        for raw in batch.raw:
            comparison.record(raw.key(), raw.value())


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


def _cost(settings: Settings, found: Preview, live: Counter[str], progress: Progress) -> None:
    """Calls and time, by the real scheduler and limiter."""
    for account in sorted({account for account, _ in found.sent}):
        orders = found.sent[account, RecordKind.PURCHASE]
        volume = Volume(
            orders,
            new_customers=0.0,
            customers=found.sent[account, RecordKind.CONTACT],
            products=found.sent[account, RecordKind.PRODUCT],
            # A DELETE and a POST for one: of a correction, a POST less.
            corrections=0.0 if not orders else min(1.0, found.replaced[account] / orders / 2),
            live_per_minute=live[account] / 60,
        )
        came = forecast(settings.accounts[account], settings.deliver, volume, _part(progress, "calls"))
        found.calls[account] = came.calls.total()
        found.seconds = max(found.seconds, came.seconds)


def _part(progress: Progress, what: str) -> Callable[[int, int], None]:
    """Progress of one part."""

    def told(done: int, of: int) -> None:
        progress(what, done, of)

    return told


__all__ = ["Preview", "preview"]
