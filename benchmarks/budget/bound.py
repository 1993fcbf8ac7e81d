"""The least that any program could need, worked out from what was said alone.

A purchase that Connectif is to hold costs a call of its own. Of contacts and products at least one file a
kind has to go (or a single call), and at least one look tells what became of all files. Real files hold one
set of columns each and are looked at one by one: no program reaches this.

However its windows are cut, Connectif lets `limit` calls in per window, and the first window may be used up
at once: N calls need ceil(N / limit) windows, and the last call comes at the earliest when the last of them
begins, (ceil(N / limit) - 1) windows after the first. Where windows are aligned to the clock, the first one
is shorter: by as much as of it was over when the backlog came.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from pipeline.records import ContactRecord, ProductRecord, PurchaseRecord, Record


def fewest_calls(said: Iterable[Record]) -> int:
    """Calls that tell Connectif all that holds at the end, if all of it was there at once."""
    purchases: dict[str, bool] = {}
    rows: dict[type, set[str]] = {ContactRecord: set(), ProductRecord: set()}
    for record in said:
        if isinstance(record, PurchaseRecord):
            purchases[record.id] = record.body is not None
        elif type(record) in rows:
            rows[type(record)].add(record.id)
    files = [min(len(ids), 1) for ids in rows.values()]
    looks = int(any(len(ids) > 1 for ids in rows.values()))
    return sum(purchases.values()) + sum(files) + looks


def least_seconds(calls: int, limit: int, window: float, *, over: float = 0.0) -> float:
    """Seconds from the first to the last of so many calls.

    Args:
        calls: how many.
        limit: calls a window.
        window: its length in seconds.
        over: how much of the first window was over at the first call; 0 where windows open with a call.
    """
    return max(0.0, (math.ceil(calls / limit) - 1) * window - over)


def ideal_waits(arrivals: Sequence[float], limit: int, window: float) -> list[float]:
    """How long each purchase waits where purchases cost a call each and nothing else costs any.

    First come, first served, in sliding windows: a call starts when it is there and the call `limit` before
    it is a window old.
    """
    starts: list[float] = []
    for number, at in enumerate(arrivals):
        free = starts[number - limit] + window if number >= limit else at
        starts.append(max(at, free))
    return [start - at for start, at in zip(starts, arrivals, strict=True)]
