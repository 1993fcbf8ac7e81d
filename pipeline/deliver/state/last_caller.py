"""Which worker last made an account's calls: so that the next one knows the calls made before its own."""

from __future__ import annotations

from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class LastCaller:
    """The worker that last made an account's calls.

    Attributes:
        worker: its name.
        left: if it stopped in order, when the calls of its last window were answered, in epoch seconds: no
            calls since. None: it may still be making calls.
    """

    worker: str
    left: tuple[float, ...] | None = None

    def encode(self) -> bytes:
        """The table's value."""
        return orjson.dumps([self.worker, self.left])

    @classmethod
    def decode(cls, raw: bytes) -> LastCaller:
        """What `encode` wrote.

        Raises:
            ValueError, TypeError: it is something else.
        """
        worker, left = orjson.loads(raw)
        if not isinstance(worker, str):
            raise TypeError("not a worker's name")
        return cls(worker, None if left is None else tuple(float(moment) for moment in left))
