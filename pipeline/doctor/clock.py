"""This machine's clock beside those of Connectif, the shops and the processes, by their answers' `Date`.

Pure. Kafka tells no client its time without a message, and none is written for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.doctor.findings import Finding, ok, problem, warning
from pipeline.doctor.web import Looked
from pipeline.text import span

CLOCK = "clock"
#: Seconds: signatures of custom shops count for five minutes, statements of consent are compared by seconds.
WARN_SECONDS, PROBLEM_SECONDS = 3.0, 30.0
#: `Date` has whole seconds.
_RESOLUTION = 1.0


def judged(found: Iterable[Looked]) -> Iterator[Finding]:
    """How far this clock is from others."""
    skews = {looked.url: skew(looked) for looked in found}
    known = {url: seconds for url, seconds in skews.items() if seconds is not None}
    off = {url: seconds for url, seconds in known.items() if abs(seconds) >= WARN_SECONDS}
    for url, seconds in off.items():
        made = problem if abs(seconds) >= PROBLEM_SECONDS else warning
        which = "ahead of" if seconds > 0 else "behind"
        todo = "have both machines keep time by NTP: `timedatectl`, `chronyc tracking`"
        yield made(CLOCK, f"this machine is at least {span(abs(seconds))} {which} {url}", todo)
    if not known:
        yield warning(CLOCK, "nothing answered that tells its time", "see what is not reached")
    elif not off:
        yield ok(CLOCK, f"within {WARN_SECONDS:g} s of {len(known)} others")


def skew(looked: Looked) -> float | None:
    """Seconds that this clock is ahead for certain, negative: behind; 0.0: it may agree. None: not known."""
    if looked.date is None:
        return None
    # The answer was written between these two moments, in the second that begins with its date.
    if looked.began > looked.date + _RESOLUTION:
        return looked.began - looked.date - _RESOLUTION
    return min(0.0, looked.ended - looked.date)
