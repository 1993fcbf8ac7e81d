"""Whose an account is: the mark by which a worker knows what calls were made before its own."""

from __future__ import annotations

from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class LastCaller:
    """The worker that last made an account's calls.

    Attributes:
        worker: its name.
        left: where it stopped in order, when the calls of its last window were answered, in epoch seconds:
            nobody has called since. None: it may be calling.
    """

    worker: str
    left: tuple[float, ...] | None = None

    def encode(self) -> bytes:
        """The bytes of the table."""
        return orjson.dumps([self.worker, self.left])

    @classmethod
    def decode(cls, raw: bytes) -> LastCaller:
        """The mark `encode` wrote.

        Raises:
            ValueError, TypeError: no mark.
        """
        worker, left = orjson.loads(raw)
        if not isinstance(worker, str):
            raise TypeError("not a worker's name")
        return cls(worker, None if left is None else tuple(float(moment) for moment in left))
