"""What processes log: one line for what happens, with its moment and offset, as text or as JSON objects."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from pipeline.errors import SettingsError

#: Seconds during which a client library's line is not repeated.
QUIET = 10.0
MOST_REMEMBERED = 1_000
#: The environment's name for the format, so that processes started by a process have the same.
VARIABLE = "PIPELINE_LOG_FORMAT"
#: Characters of a delivery's id.
_LONGEST_ID = 80
#: How many words of a message make the name of its event.
EVENT_WORDS = 6

_PLACEHOLDER = re.compile(r"%(?:\([^)]*\))?[-#0 +]*[\d*]*(?:\.[\d*]+)?[a-zA-Z%]")
_ORDINARY = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "event"}


class LogFormat(StrEnum):
    """How a line looks."""

    TEXT = "text"
    JSON = "json"


def moment(record: logging.LogRecord) -> str:
    """When it was logged: ISO 8601 with milliseconds and the offset."""
    return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")


def event_of(record: logging.LogRecord) -> str:
    """The name of a line's event, the same whatever values it has.

    It is what the code gave as `extra={"event": ...}`; else the module and the first words of the message
    before its values are filled in.
    """
    if given := record.__dict__.get("event"):
        return str(given)
    words = re.findall(r"[a-z0-9]+", _PLACEHOLDER.sub(" ", str(record.msg)).lower())
    return ".".join(filter(None, (record.name.removeprefix("pipeline."), "_".join(words[:EVENT_WORDS]))))


def of_delivery(delivery: str, trace: str = "") -> dict[str, str]:
    """What a line about one delivery has as `extra`: the shop's id of it, and its trace.

    The id is a header that nobody signed: it is cut, and what no terminal should get is taken out.
    """
    said = "".join(one if one.isprintable() and one not in "@<>" else "?" for one in delivery[:_LONGEST_ID])
    return {"delivery": said, **({"trace": trace} if trace else {})}


class TextFormatter(logging.Formatter):
    """`2026-11-29T19:10:56.123+00:00 INFO pipeline.gateway.run: listening on ...`.

    A line about one delivery ends with its id, and that of its trace.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """The line, without a traceback."""
        named = [
            f"{name} {record.__dict__[name]}" for name in ("delivery", "trace") if name in record.__dict__
        ]
        return super().formatMessage(record) + (f" [{', '.join(named)}]" if named else "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        """As `moment`."""
        return moment(record)


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, event, message, logger; exception where there is one; extras."""

    def format(self, record: logging.LogRecord) -> str:
        """The object."""
        line: dict[str, Any] = {
            "time": moment(record),
            "level": record.levelname,
            "event": event_of(record),
            "message": record.getMessage(),
            "logger": record.name,
            "process": record.process,
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = "".join(traceback.format_exception(*record.exc_info))
        line |= {name: value for name, value in record.__dict__.items() if name not in _ORDINARY}
        return json.dumps(line, default=str)


class OnceInAWhile(logging.Filter):
    """Lets a line of a Kafka client through once every `QUIET` seconds, whatever numbers it has.

    One broker that is away would otherwise be sixty lines a second. What a client calls an error it tries
    again by itself: that is a warning. What comes of it, our own lines say.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._passed: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is logged."""
        if record.name.startswith("aiokafka"):
            gist: object = record.msg
        elif record.name.startswith("librdkafka"):
            gist = re.sub(r"\d+", "", record.getMessage().partition("(after ")[0])
        else:
            return True
        now, line = self._clock(), (record.name, gist)
        if now - self._passed.get(line, -QUIET) < QUIET:
            return False
        if len(self._passed) > MOST_REMEMBERED:
            self._passed.clear()
        self._passed[line] = now
        if record.levelno == logging.ERROR:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


class Sparingly:
    """Counts frequent events, so that one log line now and then says how often they happened."""

    def __init__(self, every: float = QUIET, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._clock = clock
        self._told: dict[Hashable, float] = {}
        self._untold: Counter[Hashable] = Counter()

    def happened(self, what: Hashable, count: int = 1) -> int:
        """How many times to report now; 0: not yet. `what` is one of a bounded set."""
        self._untold[what] += count
        now = self._clock()
        if now - self._told.get(what, -self._every) < self._every:
            return 0
        self._told[what] = now
        return self._untold.pop(what)


def format_from(environ: Mapping[str, str]) -> LogFormat:
    """The format that the environment names; text where it names none there is."""
    try:
        return LogFormat(environ.get(VARIABLE, "").lower())
    except ValueError:
        return LogFormat.TEXT


def require_format(environ: Mapping[str, str]) -> None:
    """Refuse an environment that names a format there is not.

    Raises:
        SettingsError: it does.
    """
    named = environ.get(VARIABLE, "")
    if named and named.lower() not in set(LogFormat):
        raise SettingsError(f"{VARIABLE} names no format of logs", hint=f"one of {', '.join(LogFormat)}")


def set_up(kind: LogFormat) -> None:
    """Log to standard error, from INFO, our own lines, the libraries' and Python's warnings alike."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if kind is LogFormat.JSON else TextFormatter())
    handler.addFilter(OnceInAWhile())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    for chatty in ("httpx", "httpcore"):  # a line for each call
        logging.getLogger(chatty).setLevel(logging.WARNING)
