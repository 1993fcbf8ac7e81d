"""A story in numbers."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from benchmarks.budget.run import Story
from pipeline.events import Lane

#: Shorter spans say little: a window's calls may fall on either side of their ends.
SPAN_WINDOWS = 5


def percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The 50th, 95th and 99th: the smallest value that as many are not above."""
    ordered = sorted(values)
    p50, p95, p99 = (ordered[math.ceil(len(ordered) * share) - 1] for share in (0.5, 0.95, 0.99))
    return p50, p95, p99


def waits(story: Story, lane: Lane, *, since: float = 0.0) -> list[float]:
    """Seconds from each order of a lane to its purchase in Connectif, for orders said since then."""
    delivered = story.delivered()
    return [
        delivered[key] - said.at
        for key, said in story.ordered().items()
        if key in delivered and said.record.lane is lane and said.at >= since
    ]


def makespan(story: Story) -> float:
    """Seconds from the first call to the end of the last one."""
    return max(call.time + call.duration for call in story.calls) - min(call.time for call in story.calls)


def most_in_a_window(story: Story) -> int:
    """Most calls that came in within any stretch as long as a window."""
    times, first, most = sorted(call.time for call in story.calls), 0, 0
    for last, time in enumerate(times):
        while times[first] <= time - story.window:
            first += 1
        most = max(most, last - first + 1)
    return most


def used_while_waiting(story: Story) -> float | None:
    """Calls made, as a share of the limit, while a window's worth of purchases waited or more.

    Counted over whole windows from the beginning of each span of at least five; None where there is none.
    """
    times = sorted(call.time for call in story.calls)
    made = windows = 0
    for start, end in _spans(story):
        whole = int((end - start) / story.window)
        if whole >= SPAN_WINDOWS:
            windows += whole
            made += bisect_left(times, start + whole * story.window) - bisect_left(times, start)
    return made / (windows * story.limit) if windows else None


def _spans(story: Story) -> Iterator[tuple[float, float]]:
    """When at least as many purchases waited as a window takes."""
    delivered, ordered = story.delivered(), story.ordered()
    moments = [(ordered[key].at, 1) for key in delivered] + [(at, -1) for at in delivered.values()]
    moments.sort()
    begun: float | None = None
    for (at, _), waiting in zip(moments, accumulate(change for _, change in moments), strict=True):
        if waiting >= story.limit and begun is None:
            begun = at
        elif waiting < story.limit and begun is not None:
            yield begun, at
            begun = None
