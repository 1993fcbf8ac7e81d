"""What the next calls of an account are for, and why: for whoever is on call. It looks and changes nothing.

Contacts are counted and never named: their ids are e-mail addresses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.deliver.book import LANES, Book
from pipeline.deliver.gate import Gate
from pipeline.deliver.health import BURYING
from pipeline.deliver.scheduler import Scheduler
from pipeline.events import Lane
from pipeline.records import RecordKind

CONTACT, PRODUCT, PURCHASE, COUPON = RecordKind
MINUTE = 60
#: Purchases named, of each lane.
NAMED = 5


@dataclass(frozen=True, slots=True)
class Account:
    """What is explained."""

    name: str
    scheduler: Scheduler
    gate: Gate
    book: Book


def explain(account: Account, now: float, wall: float) -> dict[str, Any]:
    """All of it, as JSON values; `now` on the scheduler's clock, `wall` in epoch seconds."""
    budget, health = account.gate.budget, account.gate.health
    return {
        "account": account.name,
        "stopped": health.stopped,
        "detail": health.detail,
        "budget": {
            "limit": budget.limit_now,
            "used": budget.used(now),
            "free": budget.free(now),
            "in_flight": budget.flying,
            "next_place_in_seconds": _seconds(account.gate.wait(now)),
            "others_share_it": now < budget.state.shared_until,
        },
        "lanes": [_lane(account, lane, now) for lane in LANES],
        "imports": [
            {
                "id": job.import_id,
                "kind": job.kind.value,
                "lane": job.batch.lane.value,
                "rows": len(job.batch.ids),
                "age_seconds": round(now - job.posted_at, 1),
                "next_look_in_seconds": _seconds(job.poll_at - now),
                "late": now > job.late_at,
            }
            for job in account.scheduler.imports.under_way()
        ],
        "next": list(_next(account, now, wall)),
    }


def _lane(account: Account, lane: Lane, now: float) -> dict[str, Any]:
    scheduler = account.scheduler
    free = account.gate.budget.free(now) > 0
    return {
        "lane": lane.value,
        "waiting": {kind.value: account.book[kind].waiting_in(lane) for kind in RecordKind},
        "ready_purchases": scheduler.purchases.ready(lane),
        "purchases_aside": scheduler.purchases.aside(lane),
        "holds_back_seconds": _seconds(scheduler.pause(lane, now)) if free else None,
    }


def _next(account: Account, now: float, wall: float) -> Iterator[str]:
    """The next calls in their order, each with its reason, in sentences."""
    scheduler, gate = account.scheduler, account.gate
    if gate.health.stopped in BURYING:
        yield f"None: too many were refused ({gate.health.detail}); see the dead letters, then restart."
        return
    wait = gate.wait(now)
    if gate.health.stopped:
        yield f"One call to see whether Connectif lets us in again ({gate.health.stopped}), in {_say(wait)}."
    elif wait > 0:
        why = "an answer is waited for" if wait == math.inf else "no place is free"
        yield f"None for {_say(wait)}: {why}."
    due = [job for job in scheduler.imports.under_way() if job.poll_at <= now and not job.flying]
    for job in due:
        rows = f"{len(job.batch.ids)} {job.kind.value} rows"
        yield f"A look at import {job.import_id} ({rows}): it is expected to be over."
    wanting = [lane for lane in LANES if scheduler.wants(lane)]
    for lane in sorted(wanting, key=lambda lane: (not scheduler.lanes.owed(lane), LANES.index(lane))):
        yield from _of_lane(account, lane, now, wall)
    if not wanting and not due:
        yield "Nothing waits."


def _of_lane(account: Account, lane: Lane, now: float, wall: float) -> Iterator[str]:
    scheduler, purchases = account.scheduler, account.scheduler.purchases
    floor = ", which has had less than its floor," if scheduler.lanes.owed(lane) else ""
    if account.gate.budget.free(now) and (pause := scheduler.pause(lane, now)) > 0:
        yield f"{lane}: holds back for {_say(pause)}, so that live orders find a place meanwhile."
    for kind in (CONTACT, PRODUCT):
        if account.book[kind].waiting_in(lane):
            yield f"{lane}{floor}: {_rows(account, kind, lane, wall)}"
    if account.book[COUPON].waiting_in(lane):
        yield f"{lane}: {account.book[COUPON].waiting_in(lane)} coupons by import; they have no other way."
    for purchase in purchases.first(lane, NAMED):
        age = max(0.0, wall - account.book[PURCHASE].accepted(purchase))
        yield f"{lane}{floor}: purchase {purchase}, the oldest that is ready; it waits since {_say(age)}."
    more = purchases.ready(lane) + account.book[PURCHASE].waiting_in(lane) - NAMED
    if more > 0:
        yield f"{lane}: {more} purchases after these, the oldest first."
    if purchases.aside(lane):
        yield f"{lane}: {purchases.aside(lane)} purchases stand aside for a contact or product to be told."


def _rows(account: Account, kind: RecordKind, lane: Lane, wall: float) -> str:
    """How the waiting contacts or products of a lane are told; as `Scheduler.way` decides it."""
    scheduler, line = account.scheduler, account.book[kind]
    rows, imports = line.waiting_in(lane), scheduler.imports
    what = f"{rows} {kind.value}{'s' if rows > 1 else ''}"
    if imports.gated(kind):
        return f"{what} wait: an import of unknown content may be under way, and could overwrite them."
    if rows < imports.worth(kind):
        return f"{what} one by one: an import pays from {imports.worth(kind)} rows on."
    takes = imports.durations[kind].expected(rows)
    load, under_way = scheduler.load(lane), imports.rows(kind, lane)
    if under_way > rows:
        return f"{what} gather for the next import: one of {under_way} rows is under way."
    ahead = scheduler.ahead(kind, rows)
    ready = scheduler.purchases.ready(lane)
    age = wall - (line.oldest(lane) or wall)
    return (
        f"{what}, {load} calls in all: by import (about {_say(takes)}) where these cannot be made before it "
        f"would be finished, else one by one; it starts when fewer than {ahead} purchases are ready "
        f"(now {ready}), or the oldest row (now {_say(age)}) has waited as long as it may."
    )


def _seconds(span: float) -> float | None:
    """JSON has no infinity."""
    return None if span == math.inf else round(max(0.0, span), 2)


def _say(span: float) -> str:
    if span == math.inf:
        return "now"
    return f"{span:.1f} s" if span < 2 * MINUTE else f"{span / MINUTE:.0f} min"
