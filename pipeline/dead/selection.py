"""Which letters are meant."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from pipeline.config import Settings
from pipeline.dead.letter import RECEIPT, UNKNOWN, Letter, LetterId
from pipeline.dead.state import LetterState, LetterStatus
from pipeline.events import Kind
from pipeline.reasons import known
from pipeline.records import RecordKind


class LetterFilter(enum.StrEnum):
    """Letters by what was done about them."""

    OPEN = "open"
    REDRIVEN = "redriven"
    DROPPED = "dropped"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Selection:
    """What a letter must be; what is left empty does not matter.

    Attributes:
        since_ms: the first moment of its arrival, in epoch milliseconds.
        until_ms: the moment before which it arrived.
        ids: these letters alone.
    """

    account: str = ""
    store: str = ""
    stage: str = ""
    kind: str = ""
    reason: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    ids: frozenset[LetterId] = frozenset()

    @property
    def empty(self) -> bool:
        """Whether every letter is meant."""
        return self == Selection()

    def matches(self, letter: Letter) -> bool:
        """Whether a letter is meant."""
        return (
            (not self.ids or letter.id in self.ids)
            and self.account in {"", letter.account}
            and self.store in {"", letter.store}
            and self.stage in {"", letter.stage}
            and self.kind in {"", letter.kind}
            and self.reason in {"", letter.reason}
            and (self.since_ms is None or letter.at_ms >= self.since_ms)
            and (self.until_ms is None or letter.at_ms < self.until_ms)
        )


def doubts(selection: Selection, settings: Settings) -> Iterator[str]:
    """What of a selection names nothing that this program knows, in words: a typing error finds no letters.

    Accounts and stores that were taken out of the settings are named too, and their letters are found.
    """
    kinds = {*map(str, RecordKind), *map(str, Kind), RECEIPT, UNKNOWN}
    stages = {stage for stage, _ in known()}
    for name, given, there in (
        ("--account", selection.account, set(settings.accounts)),
        ("--store", selection.store, set(settings.stores)),
        ("--stage", selection.stage, stages | {UNKNOWN}),
        ("--kind", selection.kind, kinds),
        ("--reason", selection.reason, {reason for _, reason in known()} | {UNKNOWN}),
    ):
        if given and given not in there:
            like = get_close_matches(given, sorted(there), n=1)
            yield f"{name} {given} is not known{f'; is {like[0]} meant?' if like else ''}"


def is_wanted(wanted: LetterFilter, status: LetterStatus) -> bool:
    """Whether a letter's state is the one asked for."""
    return wanted is LetterFilter.ALL or LetterState(wanted.value) is status.state
