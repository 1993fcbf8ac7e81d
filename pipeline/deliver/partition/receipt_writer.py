"""Puts receipts and dead letters into steps, with the topics' full names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pipeline.config import Settings
from pipeline.deliver.partition.receipts import AccountPartition, dead_headers, receipt_of, record_of
from pipeline.deliver.partition.traced_records import TracedRecords
from pipeline.deliver.partition.unit_of_work import UnitOfWork
from pipeline.deliver.state.ending import Ending
from pipeline.deliver.state.entry import Stamp, Waiting
from pipeline.deliver.state.key import Key
from pipeline.events import TRACE, Lane
from pipeline.kafka.keys import unique_key
from pipeline.kafka.topics import DEADLETTERS, RECEIPTS, full_name, letter_partition
from pipeline.logs import Sparingly
from pipeline.metrics import REDRIVEN_REJECTED
from pipeline.records import Outcome, record_key

log = logging.getLogger(__name__)

#: A record and how it ended.
EndedRecord = tuple[Key, Waiting, Ending]


class ReceiptWriter:
    """See the module.

    Args:
        settings: the topics' prefix.
        wall: epoch seconds.
        traced: which records have a trace; None: none have.
    """

    def __init__(
        self, settings: Settings, wall: Callable[[], float], traced: TracedRecords | None = None
    ) -> None:
        self._traced = traced
        self._refused = Sparingly()
        self.receipts = full_name(settings, RECEIPTS)
        self.dead_letters = full_name(settings, DEADLETTERS)
        self._wall = wall

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return int(self._wall() * 1_000)

    def letters(
        self, step: UnitOfWork, account_partition: AccountPartition, endings: Sequence[EndedRecord]
    ) -> None:
        """The dead letters of those records that Connectif refused."""
        for key, waiting, ending in endings:
            if ending.outcome is not Outcome.DEAD:
                continue
            self._say(account_partition, key, waiting.stamp, ending.reason)
            headers = dead_headers(account_partition, key, waiting.stamp, ending, self.now_ms())
            record = record_of(account_partition.account, key, waiting)
            value, letter = record.model_dump_json(exclude_none=True).encode(), _raw(account_partition, key)
            step.send(self.dead_letters, value, letter, letter_partition(letter), headers)
            if waiting.stamp.lane is Lane.RETRY:  # nothing but dead letters comes in it
                REDRIVEN_REJECTED.labels(
                    "deliver", account_partition.account, waiting.stamp.store, key.kind, ending.reason
                ).inc()

    def receipt_of_each(
        self, step: UnitOfWork, account_partition: AccountPartition, endings: Sequence[EndedRecord]
    ) -> None:
        """The receipts of records, once Kafka has their dead letters: with its receipt a record is over."""
        for key, waiting, ending in endings:
            self.receipt(step, account_partition, key, waiting.stamp, ending)

    def receipt(
        self, step: UnitOfWork, account_partition: AccountPartition, key: Key, stamp: Stamp, ending: Ending
    ) -> None:
        """The receipt of one version."""
        receipt = receipt_of(account_partition, key, stamp, ending, self.now_ms())
        traced = None if self._traced is None else self._traced.ended(receipt)
        step.send(
            self.receipts,
            receipt.model_dump_json().encode(),
            _raw(account_partition, key),
            account_partition.partition,
            None if traced is None else [(TRACE, traced.written().encode())],
        )

    def _say(self, account_partition: AccountPartition, key: Key, stamp: Stamp, reason: str) -> None:
        """Now and then, how many were refused: by the last of them a person finds the others."""
        account = account_partition.account
        count = self._refused.happened((account, key.kind, reason))
        if count:
            place = (key.kind, account_partition.partition, stamp.offset)
            log.warning(
                "account %s: %d %ss of store %s were refused (%s), the last of the event at %s/%d/%d: "
                "`pipeline dead list`",
                *(account, count, key.kind, stamp.store, reason, *stamp.source),
                extra={} if self._traced is None else self._traced.in_logs(*place),
            )


def _raw(account_partition: AccountPartition, key: Key) -> bytes:
    return unique_key(record_key(account_partition.account, key.kind, key.id))
