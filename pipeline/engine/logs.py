"""A worker's log: one line for what happens, not sixty a second while a broker is away."""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Hashable

#: What librdkafka has to say goes here, instead of to standard error in a form of its own.
LIBRDKAFKA = logging.getLogger("librdkafka")
#: Client libraries, whose lines are not repeated.
_LIBRARIES = ("aiokafka", "librdkafka")
#: Seconds during which a client library's line is not repeated.
QUIET = 10.0

_VARYING = re.compile(r"\S*\d\S*")


class OnceInAWhile(logging.Filter):
    """Lets a line of a client library pass once every `QUIET` seconds, whatever numbers it mentions."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._passed: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line passes."""
        if not record.name.startswith(_LIBRARIES):
            return True
        # librdkafka's are formatted: the numbers and names in them are left out.
        now, line = self._clock(), (record.name, _VARYING.sub("", str(record.msg)))
        if now - self._passed.get(line, -QUIET) < QUIET:
            return False
        self._passed[line] = now
        return True


class Sparingly:
    """Counts what happens often, so that one line a while tells how often it happened."""

    def __init__(self, every: float = QUIET, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._clock = clock
        self._told: dict[Hashable, float] = {}
        self._untold: Counter[Hashable] = Counter()

    def happened(self, what: Hashable, count: int = 1) -> int:
        """How many times to tell of now; 0: not yet. `what` is one of a bounded set."""
        self._untold[what] += count
        now = self._clock()
        if now - self._told.get(what, -self._every) < self._every:
            return 0
        self._told[what] = now
        return self._untold.pop(what)


def set_up() -> None:
    """Log to standard error, from INFO."""
    handler = logging.StreamHandler()
    handler.addFilter(OnceInAWhile())
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[handler],
    )
