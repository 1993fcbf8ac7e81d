"""The account of it all, read from the processes' `/metrics`: what came in, and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from prometheus_client.parser import text_string_to_metric_families

EVENT_OUTCOMES = ("accepted", "duplicate", "stale", "ignored", "rejected")
ENDINGS = ("delivered", "unchanged", "superseded", "dead")
#: What an accepted record can be at any moment.
RECORD_OUTCOMES = (*ENDINGS, "pending")

EVENTS = "pipeline_account_events"
TRANSLATED = "pipeline_account_translated"
RECORDS = "pipeline_account_records"
REASONS = "pipeline_account_reasons"
LAG = "pipeline_lag_messages"
ANSWERS = "pipeline_gateway_requests"
READY = "pipeline_ready"
WAITING = "pipeline_pending_records"
FETCHING = "pipeline_sync_waiting"

#: (store, event kind) and (account, store, record kind).
EventRow = tuple[str, str]
RecordRow = tuple[str, str, str]
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class PipelineTotals:
    """Both identities' figures.

    Attributes:
        events: row -> outcome -> count.
        translated: row -> `emitted` or `unchanged` -> count.
        records: row -> `accepted`, how they ended, and `pending` -> count.
        rejected: row -> reason -> count.
        lag: topic -> messages that are not dealt with yet.
        ready: process -> whether it processes events.
        answers: outcome -> the gateway's answers since it started.
        waiting: lane -> contacts, products and purchases that are still to be sent.
        fetching: store -> notifications whose documents are still to be fetched.
    """

    events: dict[EventRow, Counter[str]] = field(default_factory=dict)
    translated: dict[RecordRow, Counter[str]] = field(default_factory=dict)
    records: dict[RecordRow, Counter[str]] = field(default_factory=dict)
    rejected: dict[EventRow, Counter[str]] = field(default_factory=dict)
    lag: Counter[str] = field(default_factory=Counter)
    ready: dict[str, bool] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    fetching: Counter[str] = field(default_factory=Counter)

    @property
    def received(self) -> int:
        """Events that came in."""
        return sum(counts.total() for counts in self.events.values())

    @property
    def accepted(self) -> int:
        """Records that came to the deliver stage."""
        return sum(counts["accepted"] for counts in self.records.values())

    @property
    def emitted(self) -> int:
        """Records that left the translate stage."""
        return sum(counts["emitted"] for counts in self.translated.values())

    @property
    def settled(self) -> int:
        """Records that have their receipt."""
        return sum(counts[ending] for counts in self.records.values() for ending in ENDINGS)

    @property
    def pending(self) -> int:
        """Records that wait."""
        return sum(counts["pending"] for counts in self.records.values())

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is in flight and every record has its receipt."""
        return not any(self.unrest())

    def unrest(self) -> Iterator[str]:
        """What is in flight or waits, in words."""
        if self.emitted > self.accepted:
            yield f"{self.emitted} records left translate and {self.accepted} came to deliver"
        for topic, count in sorted((+self.lag).items()):
            yield f"{count} messages of {topic} are not dealt with"
        for store, count in sorted((+self.fetching).items()):
            yield f"{count} documents of {store} are not fetched"
        if self.pending or self.accepted != self.settled:
            yield f"{self.settled} of {self.accepted} records settled, {self.pending} pending"
        for process, ready in sorted(self.ready.items()):
            if not ready:
                yield f"{process} is not ready"

    def unbalanced(self, *, repeats: bool = False) -> Iterator[str]:
        """Sentences about rows whose figures do not add up.

        Args:
            repeats: whether a worker was killed: then translate may have sent a record again that it had
                counted before, and deliver counts each it reads.
        """
        for row, counts in sorted(self.records.items()):
            parts = sum(counts[outcome] for outcome in RECORD_OUTCOMES)
            if counts["accepted"] != parts:
                yield f"{' '.join(row)}: accepted {counts['accepted']}, but the parts sum to {parts}"
        for row in sorted(self.translated.keys() | self.records.keys()):
            sent = self.translated.get(row, Counter())["emitted"]
            came = self.records.get(row, Counter())["accepted"]
            if came < sent or (came > sent and not repeats):
                yield f"{' '.join(row)}: translate sent {sent}, deliver accepted {came}"


def read(pages: Iterable[str]) -> PipelineTotals:
    """Add up the pages of several processes."""
    account = PipelineTotals()
    plain = {
        LAG: (account.lag, "topic"),
        ANSWERS: (account.answers, "outcome"),
        WAITING: (account.waiting, "lane"),
        FETCHING: (account.fetching, "store"),
    }
    for page in pages:
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                labels, count = sample.labels, int(sample.value)
                if family.name == EVENTS:
                    _add(account.events, (labels["store"], labels["kind"]), labels["outcome"], count)
                elif family.name in plain:
                    counts, label = plain[family.name]
                    counts[labels[label]] += count
                elif family.name == READY:
                    account.ready[labels["process"]] = count == 1
                elif family.name == REASONS and labels["outcome"] == "rejected":
                    _add(account.rejected, (labels["store"], labels["kind"]), labels["reason"], count)
                elif family.name in (TRANSLATED, RECORDS):
                    rows = account.translated if family.name == TRANSLATED else account.records
                    _add(rows, (labels["account"], labels["store"], labels["kind"]), labels["outcome"], count)
    return account


def _add(rows: dict[Row, Counter[str]], row: Row, outcome: str, count: int) -> None:
    if count:  # what can happen is exported as 0 before it does
        rows.setdefault(row, Counter())[outcome] += count
