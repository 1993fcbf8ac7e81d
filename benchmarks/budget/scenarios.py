"""The scenarios, each a job for a process of its own that ends in one row of a table."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.budget import workload
from benchmarks.budget.bound import fewest_calls, ideal_waits, least_seconds
from benchmarks.budget.figures import makespan, most_in_a_window, percentiles, used_while_waiting, waits
from benchmarks.budget.run import Story, tell
from pipeline.events import Lane
from pipeline.records import PurchaseRecord

Row = dict[str, object]
WINDOWS: Mapping[str, Mapping[str, Any]] = {
    "fixed, from the first call": {"window": "fixed", "window_start": "first_call"},
    "fixed, by the clock": {"window": "fixed", "window_start": "aligned"},
    "sliding": {"window": "sliding"},
}
FIRST_CALL, ALIGNED, SLIDING = WINDOWS
#: Live orders count from here on: before it the catalogue goes out and the backfill begins.
SETTLED = 15 * workload.MINUTE


@dataclass(frozen=True, slots=True)
class Job:
    """A run.

    Attributes:
        scenario: `backlog`, `live`, `day` or `consent`.
        program: whose figures they are.
        window: kind of Connectif's window.
        seed: of the workload and of all other chance.
        given: what the scenario takes.
    """

    scenario: str
    program: str
    window: str
    seed: int = 0
    given: Mapping[str, Any] = field(default_factory=dict)


def perform(job: Job) -> Row:
    """Run a job, in a process of its own."""
    # Cycles are few and everything lives until the end: looking for garbage would take most of the time.
    gc.set_threshold(200_000, 50, 100)
    return {"backlog": _backlog, "live": _live, "day": _day, "consent": _consent}[job.scenario](job)


def _tell(job: Job, actions: Sequence[workload.Action]) -> Story:
    return tell(job.program, actions, WINDOWS[job.window], job.seed)


def _common(job: Job, story: Story) -> Row:
    used = used_while_waiting(story)
    return {
        "program": job.program,
        "window": job.window,
        "records": len(story.said),
        "calls": len(story.calls),
        "calls/record": round(len(story.calls) / len(story.said), 3),
        "429s": story.refused,
        "most in a minute": most_in_a_window(story),
        "window used %": None if used is None else round(100 * used, 2),
        "by kind": ", ".join(f"{kind} {count}" for kind, count in story.kinds().most_common()),
        "CPU s": round(story.real_seconds, 1),
    }


def _backlog(job: Job) -> Row:
    """Everything waits at once: how long until it is sent, beside the least that any program needs."""
    lane, orders = Lane(job.given["lane"]), job.given["orders"]
    story = _tell(job, workload.backlog(job.seed, orders, lane))
    fewest = fewest_calls(said.record for said in story.said)
    over = story.over if job.window == ALIGNED else 0.0
    least, took = least_seconds(fewest, story.limit, story.window, over=over), makespan(story)
    return {
        "lane": lane.value,
        "orders": orders,
        **_common(job, story),
        "fewest calls": fewest,
        "minutes": round(took / 60, 2),
        "least minutes": round(least / 60, 2),
        "of the least": round(took / least, 4),
    }


def _live(job: Job) -> Row:
    """How long a live order waits, alone or beside a backfill."""
    actions = workload.live(job.seed, job.given["per_minute"], job.given["hours"], job.given["backfill"])
    story = _tell(job, actions)
    p50, p95, p99 = percentiles(waits(story, Lane.LIVE, since=SETTLED))
    return {
        "live/min": job.given["per_minute"],
        "backfill": job.given["backfill"],
        **_common(job, story),
        "p50 s": round(p50, 2),
        "p95 s": round(p95, 2),
        "p99 s": round(p99, 2),
    }


def _consent(job: Job) -> Row:
    """Customers of a backfill, half of them subscribed long ago: what it costs to ask who has withdrawn."""
    count, given = job.given["customers"], {"consent_fresh": job.given["consent_fresh"]}
    story = tell(job.program, workload.customers(job.seed, count), WINDOWS[job.window], job.seed, **given)
    return {
        "customers": count,
        "asked": job.given["asked"],
        **_common(job, story),
        "minutes": round(makespan(story) / 60, 2),
    }


def _day(job: Job) -> Row:
    """An account's sale day."""
    story = _tell(job, workload.day(job.seed, job.given["orders"]))
    p50, p95, p99 = percentiles(waits(story, Lane.LIVE))
    sold = {said.record.id for said in story.said if isinstance(said.record, PurchaseRecord)}
    delivered = story.delivered()
    arrivals = sorted(said.at for key, said in story.ordered().items() if key in delivered)
    ideal = percentiles(ideal_waits(arrivals, story.limit, story.window))
    return {
        "seed": job.seed,
        "orders": len(sold),
        **_common(job, story),
        "p50 s": round(p50, 1),
        "p95 s": round(p95, 1),
        "p99 s": round(p99, 1),
        "ideal p50, p95, p99 s": ", ".join(f"{value:.1f}" for value in ideal),
    }
