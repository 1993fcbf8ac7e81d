"""What an answer's headers say of the limit: `X-RateLimit-*`, `RateLimit-*`, `Retry-After`, or nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

#: A reset larger than this is a moment, not a span; larger than the second one, a moment in milliseconds.
_EPOCH = 1_000_000_000
_EPOCH_MS = 1_000_000_000_000
#: No more digits than a number of calls, or of milliseconds since 1970, can have.
_NUMBER = re.compile(r"\s*(\d{1,15}(?:\.\d{1,9})?)(?![\d.])", re.ASCII)
#: A `Retry-After` with more digits is taken for this many seconds.
_DIGITS, FOR_EVER = re.compile(r"\d{16,}", re.ASCII), 1e15


@dataclass(frozen=True, slots=True)
class RateHint:
    """The limit as the server sees it. None: it did not say. Spans are seconds from the answer on."""

    limit: int | None = None
    remaining: int | None = None
    reset_in: float | None = None
    retry_after: float | None = None


def read_rate(headers: Mapping[str, str], wall: float) -> RateHint:
    """Read the rate headers, whatever their family; what is no number or date counts as absent.

    Args:
        headers: the answer's headers, their names in small letters, or a mapping that ignores case.
        wall: our clock in epoch seconds, used where the answer has no `Date`: clocks differ, so a moment
            is first compared with the server's own.
    """
    server = _moment(headers.get("date")) or wall
    reset = _first(headers, "x-ratelimit-reset", "ratelimit-reset")
    limit = _first(headers, "x-ratelimit-limit", "ratelimit-limit")
    remaining = _first(headers, "x-ratelimit-remaining", "ratelimit-remaining")
    return RateHint(
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset_in=None if reset is None else _span(reset, server),
        retry_after=_retry_after(headers.get("retry-after"), server),
    )


def _first(headers: Mapping[str, str], *names: str) -> float | None:
    for name in names:
        value = headers.get(name)
        # The drafts allow `100, 100;w=60`: the first number is the one in force.
        found = _NUMBER.match(value) if value is not None else None
        if found:
            return float(found[1])
    return None


def _span(reset: float, server: float) -> float:
    if reset >= _EPOCH_MS:
        reset /= 1_000
    return max(0.0, reset - server if reset >= _EPOCH else reset)


def _retry_after(value: str | None, server: float) -> float | None:
    if value is None:
        return None
    found = _NUMBER.fullmatch(value.strip())
    if found:
        return float(found[1])
    if _DIGITS.fullmatch(value.strip()):
        return FOR_EVER
    moment = _moment(value)
    return None if moment is None else max(0.0, moment - server)


def _moment(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        moment = parsedate_to_datetime(value)
        # Of a date without a zone (`-0000`) Python takes the machine's.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
