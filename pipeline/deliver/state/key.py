"""What identifies a record within its account."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.records import RecordKind


@dataclass(frozen=True, slots=True)
class Key:
    """A record's key without its account."""

    kind: RecordKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}|{self.id}"
