"""Which day's run is due, and which days it compares: in the store's time. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Due(NamedTuple):
    """A day's run.

    Attributes:
        day: whose run it is.
        at: from when on, UTC.
        since, until: the first and the last day that it compares; the day itself is not over, and left out.
    """

    day: date
    at: datetime
    since: date
    until: date


def due(now: datetime, at: time, zone: ZoneInfo, days: int) -> Due:
    """The newest run that is due, whether it was made or not.

    Args:
        now: the moment, with its zone.
        at: the time of day, of the store's clocks.
        zone: the store's.
        days: how many it compares.
    """
    local = now.astimezone(zone)
    day = local.date() if local.time() >= at else local.date() - timedelta(days=1)
    # Where clocks skip that time, the moment lies as far behind the skip.
    moment = datetime.combine(day, at, zone).astimezone(UTC)
    return Due(day, min(moment, now.astimezone(UTC)), day - timedelta(days=days), day - timedelta(days=1))


def ended_ms(wanted: Due, zone: ZoneInfo) -> int:
    """The end of the last day that a run compares, epoch ms: a list of the shop's must be younger."""
    end = datetime.combine(wanted.until + timedelta(days=1), time(), zone)
    return int(end.timestamp() * 1_000)
