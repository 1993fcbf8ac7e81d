"""In which order a range is read: every partition by the same share at a time. Pure.

A client gives out what it fetched first, so products might come before orders, which cost the calls. Read
side by side, each part of a run is like the whole, and the rate of its first tenth is that of the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.kafka.ranges import OffsetRange

#: Offsets of a step, at least: each costs a fetch.
LEAST = 1_000
#: Steps of one reading, at most.
MOST_STEPS = 1_000


def steps(ranges: Sequence[OffsetRange]) -> Iterator[list[OffsetRange]]:
    """The ranges, in steps of about the same share of each.

    Args:
        ranges: at most one of each partition.
    """
    total = sum(map(len, ranges))
    count = 1 if len(ranges) == 1 else max(1, min(MOST_STEPS, total // LEAST))
    for number in range(count):
        step = [
            OffsetRange(
                whole.place,
                whole.start + len(whole) * number // count,
                whole.start + len(whole) * (number + 1) // count,
            )
            for whole in ranges
        ]
        yield [part for part in step if len(part)]


__all__ = ["steps"]
