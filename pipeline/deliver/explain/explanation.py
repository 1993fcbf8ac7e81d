"""What the next calls of an account are for, and why: for the engineer on call. Read-only.

The scheduler, its pending index and its limiter are copied, and the next calls are simulated on the copies.
Contacts are counted and never named: their ids are e-mail addresses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pipeline.deliver.explain import messages
from pipeline.deliver.schedule.actions import Import, Send
from pipeline.deliver.schedule.coupon_inventory import CouponSetInventory
from pipeline.deliver.schedule.import_jobs import ImportJob
from pipeline.deliver.schedule.pending_index import PendingIndex
from pipeline.deliver.schedule.pending_queue import LANES, PendingQueue, Phase
from pipeline.deliver.schedule.retries import Retries
from pipeline.deliver.schedule.scheduler import Scheduler
from pipeline.deliver.schedule.simulation import SimulatedCall, Simulation, Times
from pipeline.deliver.send import messages as send_messages
from pipeline.deliver.send.account_delivery import AccountDelivery
from pipeline.deliver.send.admission import AdmissionControl
from pipeline.deliver.send.health import ENDED_BY_RESTART
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from pipeline.limiter.limiter import Limiter
from pipeline.records import RecordKind
from pipeline.text import without_addresses

CONTACT, PRODUCT, PURCHASE, COUPON = RecordKind
#: Calls shown, and steps of the simulation for them: an account may have little to do for long.
CALLS, STEPS = 10, 300
#: No further ahead than this many windows: until then other records come in.
WINDOWS = 2.0
#: Seconds a call is taken to last.
LATENCY = 0.3


@dataclass(frozen=True, slots=True)
class ExplainedAccount:
    """What is explained.

    `asks` says whether Connectif is asked first if the person behind a contact has withdrawn; `tries` are
    those that came to nothing so far.
    """

    name: str
    scheduler: Scheduler
    admission: AdmissionControl
    index: PendingIndex
    asks: Callable[[Key], bool] = lambda _key: False
    tries: Mapping[Key, Retries] = field(default_factory=dict)

    @classmethod
    def of(cls, delivery: AccountDelivery) -> Self:
        """An account as its delivery has it now."""
        return cls(
            delivery.account,
            delivery.scheduler,
            delivery.admission,
            delivery.index,
            delivery.asks,
            delivery.retries,
        )


@dataclass(frozen=True, slots=True)
class _Copy:
    """A copy of what decides; what happens to it happens to nothing else."""

    scheduler: Scheduler
    index: PendingIndex
    limiter: Limiter
    sent: set[Key]


def explain_delivery(delivery: AccountDelivery) -> dict[str, Any]:
    """What the next calls of an account are for, and why, as JSON values."""
    return explain(ExplainedAccount.of(delivery), delivery.now(), delivery.wall())


def explain(account: ExplainedAccount, now: float, wall: float) -> dict[str, Any]:
    """All of it, as JSON values; `now` on the scheduler's clock, `wall` in epoch seconds."""
    admission, copied = account.admission, _copy(account)
    lanes = [_lane(copied, lane, now, wall, held_up=admission.health.careful) for lane in LANES]
    earliest = _earliest(account, now)
    retries = list(_retries(account, now, earliest))
    choices = list(_decisions(copied, now, wall))
    imports = [_import(copied, job, now, earliest) for job in copied.scheduler.imports.under_way()]
    calls = [] if admission.health.stopped in ENDED_BY_RESTART else list(_next(account, now, wall))
    return {
        "account": account.name,
        "stopped": admission.health.stopped,
        "detail": without_addresses(admission.health.detail),
        "state": messages.state(admission, now),
        "budget": _budget(account, now),
        "lanes": lanes,
        "retries": retries,
        "choices": choices,
        "imports": imports,
        "consent": messages.consent(account.scheduler.imports),
        "coupon_sets": [
            _coupon_set(name, watched) for name, watched in account.scheduler.coupons.sets.items()
        ],
        "next": calls,
        "why_none": "" if calls else _why_none(copied, retries),
    }


def _copy(account: ExplainedAccount) -> _Copy:
    index, limiter, sent = account.index.copy(), account.admission.budget.copy(), set[Key]()
    return _Copy(account.scheduler.copy(index, limiter, sent), index, limiter, sent)


def _budget(account: ExplainedAccount, now: float) -> dict[str, Any]:
    limiter = account.admission.budget.copy()
    used, free, state = limiter.used(now), limiter.free(now), limiter.state
    return {
        "limit": limiter.limit_now,
        "used": used,
        "free": free,
        "in_flight": limiter.in_flight,
        "reserve": limiter.reserve,
        "window_seconds": limiter.window,
        "next_place_in_seconds": _seconds(limiter.wait(now)),
        "server_limit": state.server_limit,
        "server_remaining": state.remaining,
        "blocked_for_seconds": _seconds(max(0.0, state.blocked_until - now)),
        "others_share_it": now < state.shared_until,
        "why": messages.budget(limiter, now),
    }


def _lane(copied: _Copy, lane: Lane, now: float, wall: float, *, held_up: bool) -> dict[str, Any]:
    scheduler = copied.scheduler
    missing = scheduler.purchases.missing(lane)
    # While one call at a time is made, that is what holds everything back, and `state` says until when.
    pause = scheduler.pause(lane, now) if copied.limiter.free(now) and not held_up else 0.0
    return {
        "lane": lane.value,
        "pending": {kind.value: copied.index[kind].pending(lane) for kind in RecordKind},
        "oldest_seconds": {kind.value: _age(copied.index[kind], lane, wall) for kind in RecordKind},
        "held": _in_phases(copied.index, lane, Phase.HELD, Phase.UNCONFIRMED),
        "under_way": _in_phases(copied.index, lane, Phase.IN_FLIGHT),
        "receipts_awaited": _in_phases(copied.index, lane, Phase.LOADED, Phase.AWAITING_RECEIPT),
        "waiting": {kind.value: copied.index[kind].waiting_in(lane) for kind in RecordKind},
        "ready_purchases": scheduler.purchases.ready(lane),
        "purchases_aside": scheduler.purchases.blocked(lane),
        "aside_for": {kind.value: missing[kind] for kind in (CONTACT, PRODUCT)},
        "floor_owed": scheduler.lanes.owed(lane),
        "holds_back_seconds": _seconds(pause),
        "holds_back_why": messages.pause(scheduler, now) if pause > 0 else "",
    }


def _age(queue: PendingQueue, lane: Lane, wall: float) -> float | None:
    """Of the oldest that is pending, wherever it is."""
    accepted = queue.oldest_pending(lane)
    return None if accepted is None else _seconds(wall - accepted)


def _in_phases(index: PendingIndex, lane: Lane, *phases: Phase) -> int:
    return sum(index[kind].count(lane, phase) for kind in RecordKind for phase in phases)


def _earliest(account: ExplainedAccount, now: float) -> float:
    """When the next call may be made; now, if that depends on an answer, as its time is unknown."""
    wait = account.admission.wait(now)
    return now if wait == math.inf else now + wait


def _retries(account: ExplainedAccount, now: float, earliest: float) -> Iterator[dict[str, Any]]:
    """What waits for a retry, by lane and kind."""
    groups: dict[tuple[Lane, RecordKind], list[tuple[float, Retries | None]]] = {}
    for key, until in account.scheduler.delays():
        lane = account.index[key.kind].lane(key.id)
        groups.setdefault((lane, key.kind), []).append((until, account.tries.get(key)))
    for (lane, kind), delayed in sorted(groups.items(), key=lambda group: LANES.index(group[0][0])):
        tries = [one for _, one in delayed if one is not None]
        last = max(tries, key=lambda one: one.last, default=None)
        again = max(min(until for until, _ in delayed), earliest) - now
        yield {
            "lane": lane.value,
            "kind": kind.value,
            "records": len(delayed),
            "tries": max((one.count for one in tries), default=0),
            "since": min((one.since for one in tries), default=None),
            "last": without_addresses(last.words) if last else "",
            "next_in_seconds": _seconds(again),
            "why": messages.retry(kind, len(delayed), tries, again),
        }


def _why_none(copied: _Copy, retries: Sequence[Mapping[str, Any]]) -> str:
    """Why no call is foreseen though something is pending; empty where nothing is."""
    counts = {phase: sum(_in_phases(copied.index, lane, phase) for lane in LANES) for phase in Phase}
    if not sum(counts.values()):
        return ""
    return messages.none(counts, sum(group["records"] for group in retries), copied.index[COUPON].waiting)


def _decisions(copied: _Copy, now: float, wall: float) -> Iterator[dict[str, Any]]:
    """How what waits of each lane and kind is sent, with the figures that decide it."""
    scheduler, imports = copied.scheduler, copied.scheduler.imports
    for lane in LANES:
        for kind in (CONTACT, PRODUCT):
            if not copied.index[kind].waiting_in(lane):
                continue
            decision = scheduler.decide(kind, lane, now, wall)
            gated, full = imports.gated(kind), not imports.can_start(kind, now)
            yield {
                "lane": lane.value,
                "kind": kind.value,
                "way": "wait" if gated else decision.method.value,
                "rule": "gated" if gated else decision.rule.value,
                "rows": decision.rows,
                "worth": decision.worth,
                "load": decision.load,
                "places": decision.slots,
                "rows_under_way": decision.under_way,
                "ready": decision.ready,
                "ready_wanted": decision.ahead,
                "import_takes_seconds": _seconds(decision.takes),
                "oldest_seconds": _seconds(decision.age),
                "patience_seconds": _seconds(decision.patience),
                "why": messages.gated(kind, decision.rows)
                if gated
                else messages.decision(kind, decision, full=full),
            }


def _import(copied: _Copy, job: ImportJob, now: float, earliest: float) -> dict[str, Any]:
    expected = copied.scheduler.imports.durations[job.kind].expected(len(job.batch.ids))
    return {
        "id": job.import_id,
        "kind": job.kind.value,
        "lane": job.batch.lane.value,
        "rows": len(job.batch.ids),
        "age_seconds": _seconds(now - job.posted_at),
        "expected_end_in_seconds": round(job.posted_at + expected - now, 2),
        "next_look_in_seconds": _seconds(max(job.poll_at, earliest) - now),
        "looks": job.polls,
        "late": now > job.late_at,
    }


def _coupon_set(name: str, watched: CouponSetInventory) -> dict[str, Any]:
    return {
        "name": name,
        "available": watched.available,
        "stock": watched.waiting,
        "low": watched.settings.low,
        "trouble": watched.trouble,
        "why": send_messages.coupon_set(name, watched),
    }


def _next(account: ExplainedAccount, now: float, wall: float) -> Iterator[dict[str, Any]]:
    """The next calls in their order, if all are answered well and nothing comes in."""
    admission, copied = account.admission, _copy(account)
    durations = copied.scheduler.imports.durations
    times = Times(LATENCY, lambda kind, rows: durations[kind].expected(rows), admission.at_once)
    wait = admission.wait(now)
    # If an answer is waited for, its time is unknown; and a call that probes is the only one.
    begin = now + (LATENCY if wait == math.inf else wait)
    most = 1 if admission.health.careful else CALLS
    simulation = Simulation(
        copied.scheduler,
        copied.index,
        copied.limiter,
        copied.sent,
        times,
        now=begin,
        wall=wall - now,
        calls=lambda key: 2 if account.asks(key) else 1,
    )
    latest, sent = begin + WINDOWS * copied.limiter.window, 0
    for _ in range(STEPS):
        if sent == most or simulation.now >= latest:
            return
        owed = [lane for lane in LANES if copied.scheduler.lanes.owed(lane)]
        call = simulation.step(latest)
        if call is not None:
            sent += 1
            question = isinstance(call.action, Send) and not call.second and account.asks(call.action.key)
            yield _call(copied, call, now, wall, owed) | (messages.QUESTION if question else {})


def _call(copied: _Copy, call: SimulatedCall, now: float, wall: float, owed: list[Lane]) -> dict[str, Any]:
    lane: Lane | None = None
    waited = 0.0
    match call.action:
        case Send(key=key):
            queue = copied.index[key.kind]
            lane, waited = queue.lane(key.id), wall - now + call.at - queue.accepted(key.id)
        case Import(batch=batch):
            lane = batch.lane
    what, why = messages.call(call.action, waited, call.at)
    if lane in owed and lane is not Lane.LIVE:
        why += f" {lane} has had less than its floor, so it goes first."
    return {
        "in_seconds": _seconds(call.at - now),
        "lane": lane.value if lane else "",
        "what": what,
        "why": why,
    }


def _seconds(span: float) -> float | None:
    """JSON has no infinity."""
    return None if span == math.inf else round(max(0.0, span), 2)
