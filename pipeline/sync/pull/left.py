"""How long a run takes yet: of all its lists, by their rows and the pace of what was read. Pure.

A list's rows are what the shop counts, else what the last whole run found. Its pace is its own where it is
under way or was read before; else that of this run so far, by how much each row takes on its platform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Said = Mapping[str, Any]
#: Requests after which a list has a pace of its own.
FEW = 5


class Left(NamedTuple):
    """What is known of the time that is left.

    Attributes:
        seconds: of the lists whose rows are known; None where nothing is known yet.
        not_counted: lists whose rows nobody knows: their time comes on top.
    """

    seconds: float | None
    not_counted: tuple[str, ...]


def list_name(one: Mapping[str, Any]) -> str:
    """Of a list, in any run."""
    window = "" if one["since_ms"] is None else " of a window"
    return f"{one['kind']} {one['reads']}{window}"


def time_left(said: Said) -> Left:
    """Of the run under way, as its worker tells it."""
    run = said.get("run") or {}
    passes = [one for one in run.get("passes", ()) if one["status"] in {"reading", "waiting"}]
    pace, seconds = _pace(run.get("passes", ()), said["now_ms"]), 0.0
    not_counted = []
    known = False
    for one in passes:
        rows = one["total"] or said.get("counts", {}).get(list_name(one))
        own = _own_pace(one, said, pace)
        if not rows or own is None:
            not_counted.append(list_name(one))
        else:
            known = True
            seconds += max(0, rows - one["read"]) * own
    return Left(seconds if known else None, tuple(not_counted))


def _own_pace(one: Mapping[str, Any], said: Said, pace: float | None) -> float | None:
    """Seconds a row."""
    took, before = _seconds(one, said["now_ms"]), said.get("paces", {}).get(list_name(one))
    if one["read"] and took > 0 and one["requests"] >= FEW:
        return took / float(one["read"])
    if before is not None:
        return float(before)
    return None if pace is None else pace * float(one.get("effort", 1.0))


def _pace(passes: Sequence[Mapping[str, Any]], now_ms: int) -> float | None:
    """Seconds for each unit of effort, of all that this run has read."""
    read = [one for one in passes if one["read"] and one["began_ms"]]
    effort = sum(one["read"] * one.get("effort", 1.0) for one in read)
    took = sum(_seconds(one, now_ms) for one in read)
    return took / effort if took > 0 and effort > 0 else None


def _seconds(one: Mapping[str, Any], now_ms: int) -> float:
    """For which a list was read, until now."""
    return max(0.0, ((one["ended_ms"] or now_ms) - one["began_ms"]) / 1_000) if one["began_ms"] else 0.0
