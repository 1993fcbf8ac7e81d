"""Writes receipts and dead letters into steps, under the topics' full names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.config import Settings
from pipeline.deliver.pending import Stamp, Waiting
from pipeline.deliver.receipts import Ending, Key, Place, dead_headers, receipt_of, record_of
from pipeline.deliver.steps import Step
from pipeline.records import Outcome, record_key
from pipeline.topics import DEADLETTERS, RECEIPTS, full_name

#: A record that has come to its end.
Written = tuple[Key, Waiting, Ending]


class Paper:
    """See the module.

    Args:
        settings: the topics' prefix.
        wall: epoch seconds.
    """

    def __init__(self, settings: Settings, wall: Callable[[], float]) -> None:
        self.receipts = full_name(settings, RECEIPTS)
        self.dead_letters = full_name(settings, DEADLETTERS)
        self._wall = wall

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return int(self._wall() * 1_000)

    def write(self, step: Step, place: Place, endings: Sequence[Written]) -> None:
        """The receipts of some records, and the dead letters of those that Connectif refused."""
        for key, waiting, ending in endings:
            if ending.outcome is Outcome.DEAD:
                headers = dead_headers(place, key, waiting.stamp, ending, self.now_ms())
                value = record_of(place.account, key, waiting).model_dump_json(exclude_none=True).encode()
                step.send(self.dead_letters, value, _raw(place, key), None, headers)
            self.receipt(step, place, key, waiting.stamp, ending)

    def receipt(self, step: Step, place: Place, key: Key, stamp: Stamp, ending: Ending) -> None:
        """The receipt of one version."""
        receipt = receipt_of(place, key, stamp, ending, self.now_ms())
        step.send(self.receipts, receipt.model_dump_json().encode(), _raw(place, key), place.partition)


def _raw(place: Place, key: Key) -> bytes:
    return record_key(place.account, key.kind, key.id)
