"""Failed attempts for a record: for its back-off, and for `explain`."""

from __future__ import annotations

from dataclasses import dataclass

#: Characters of an answer's message that are kept for each record.
WORDS = 200


@dataclass(frozen=True, slots=True)
class Retries:
    """Of one version of a record.

    Attributes:
        count: how many.
        since: when the first ended, in epoch seconds.
        last: when the last ended.
        words: the result of the last one.
    """

    count: int
    since: float
    last: float
    words: str

    @classmethod
    def after(cls, before: Retries | None, words: str, wall: float) -> Retries:
        """One more than before."""
        if before is None:
            return cls(1, wall, wall, words[:WORDS])
        return cls(before.count + 1, before.since, wall, words[:WORDS])
