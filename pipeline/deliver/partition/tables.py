"""The stage's tables as the partition state reads them; `pipeline.engine` stores them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.deliver.state.key import Key
from pipeline.records import RecordKind


class Table(Protocol):
    """What the partition state reads of a table; `pipeline.engine.table.StateTable` is one."""

    def get(self, partition: int, key: bytes) -> bytes | None:
        """The newest value."""

    def multi_get(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """The newest values."""

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Everything, as stored."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The stage's tables."""

    pending: Table
    delivered: Table
    tally: Table


def split_key(raw_key: bytes) -> tuple[str, Key]:
    """Account and key of a row of `pending` or `delivered`."""
    account, kind, record_id = raw_key.decode().split("|", 2)
    return account, Key(RecordKind(kind), record_id)


def key_named(name: str) -> Key:
    """The key that `kind|id` names."""
    kind, _, record_id = name.partition("|")
    return Key(RecordKind(kind), record_id)
