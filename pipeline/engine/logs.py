"""A worker's log: one line for what happens, not sixty a second while a broker is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

#: Seconds during which a client library's line is not repeated.
QUIET = 10.0


class OnceInAWhile(logging.Filter):
    """Lets a line of aiokafka pass once every `QUIET` seconds, whatever numbers and names it mentions."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._passed: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line passes."""
        if not record.name.startswith("aiokafka"):
            return True
        now, line = self._clock(), (record.name, record.msg)
        if now - self._passed.get(line, -QUIET) < QUIET:
            return False
        self._passed[line] = now
        return True


def set_up() -> None:
    """Log to standard error, from INFO."""
    handler = logging.StreamHandler()
    handler.addFilter(OnceInAWhile())
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[handler],
    )
