"""The stage's tables as the partition state reads them; `pipeline.engine` stores them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


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
