"""The sentences of `explain`, for an engineer on call who does not know the scheduler."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from pipeline.deliver.schedule.actions import Action, CheckCouponSet, Import, ListImports, Poll, Send
from pipeline.deliver.schedule.decision import Decision, Method, Rule
from pipeline.deliver.schedule.import_jobs import ImportQueue
from pipeline.deliver.schedule.pending_queue import Phase
from pipeline.deliver.schedule.retries import Retries
from pipeline.deliver.schedule.scheduler import Scheduler
from pipeline.deliver.send.admission import AdmissionControl
from pipeline.deliver.send.health import ENDED_BY_RESTART
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from pipeline.limiter.limiter import Limiter
from pipeline.records import RecordKind
from pipeline.text import MINUTE, moment, span, without_addresses

#: Products named of those that a purchase waits for.
NAMED = 5


def counted(kind: RecordKind, count: int) -> str:
    """So many of a kind."""
    return f"{count:,} {kind.value}{'' if count == 1 else 's'}"


# The account.


def state(admission: AdmissionControl, now: float) -> str:
    """Whether calls are made at all."""
    health, detail = admission.health, without_addresses(admission.health.detail)
    wait = health.wait(now, 0)
    if health.stopped in ENDED_BY_RESTART:
        return (
            f"Stopped: too many records were refused ({detail}). Nothing is sent until the worker is "
            "restarted; read the dead letters first, else more are made."
        )
    if health.stopped:
        return (
            f"Stopped: Connectif refuses the account ({health.stopped}: {detail}); check its api_key. "
            f"{_again(wait)}"
        )
    failing = admission.call_failures.failing
    if failing is not None:
        then = _again(max(wait, admission.budget.wait(now))) if health.careful else "Others are answered."
        routes = ", ".join(failing.routes)
        return f"Calls ({routes}) fail since {moment(failing.since)}: {failing.sentence}. {then}"
    if health.careful:
        return f"A call failed ({health.failure}). {_again(max(wait, admission.budget.wait(now)))}"
    if admission.wait(now) == math.inf and admission.budget.wait(now) <= 0:
        return "As many calls as allowed are in flight: the next one starts with an answer."
    return "It runs."


def _again(wait: float) -> str:
    """When the one call is made that probes whether Connectif answers."""
    if wait <= 0 or wait == math.inf:
        return "One call tries again now."
    return f"One call tries again in {span(wait)}."


def budget(limiter: Limiter, now: float) -> str:
    """What the limit leaves, and who says so."""
    wait, remembered = limiter.wait(now), limiter.state
    if now < remembered.blocked_until:
        return (
            f"Connectif answered 429: no call for {span(wait)}. Our own count allowed the call, so another "
            "program uses the same limit."
        )
    if remembered.probing:
        return "One call at a time, until an answer says how many are left."
    if wait <= 0:
        return "There are free slots."
    if remembered.remaining is not None and limiter.used(now) < limiter.limit_now:
        return f"Others share the limit and have used it: Connectif said {remembered.remaining} were left."
    again = "with the next answer" if wait == math.inf else f"in {span(wait)}"
    return f"All {limiter.limit_now} slots of the window are taken; the next is free {again}."


def pause(scheduler: Scheduler, now: float) -> str:
    """Why a slower lane leaves slots unused."""
    rate = scheduler.lanes.live_rate(now) * MINUTE
    return (
        f"It keeps slots for live orders, of which {rate:.1f} calls a minute came lately: what is left and "
        "what comes back meanwhile must be enough for them."
    )


# Rows.


def gated(kind: RecordKind, rows: int) -> str:
    """Why rows wait, whatever their number."""
    return (
        f"{counted(kind, rows)} wait: after a restart or a lost answer an import of unknown content may be "
        "in flight, which would overwrite newer data."
    )


def decision(kind: RecordKind, made: Decision, *, full: bool = False) -> str:
    """How waiting rows are sent; `full`: no import can start now."""
    what = {
        Method.SINGLY: f"{counted(kind, made.rows)} one by one",
        Method.IMPORT: f"{counted(kind, made.rows)} by import"
        + (", once one of those in flight is over" if full else ", now"),
        Method.WAIT: f"{counted(kind, made.rows)} wait for the next import",
    }[made.method]
    return f"{what}: {_rule(made)}."


def _rule(made: Decision) -> str:
    takes = span(made.takes)
    ready = "1 purchase is ready" if made.ready == 1 else f"{made.ready or 'no'} purchases are ready"
    return {
        Rule.CONFIRMS: "Kafka confirms more of them in a moment, and together an import costs fewer calls",
        Rule.FEW: f"an import costs fewer calls only from {made.worth} rows on",
        Rule.FITS: f"all {made.load} calls that wait in this lane fit into the {made.slots} slots that come "
        f"before an import would be over (about {takes})",
        Rule.GATHERS: f"it shall be no smaller than what is in flight, {made.under_way:,} rows",
        Rule.RUNS_DRY: f"{ready}, and an import takes about {takes}, in which {made.ahead} could be sent",
        Rule.WAITED: f"the oldest has waited {span(made.age)}, longer than {span(made.patience)}",
        Rule.NOT_YET: f"{ready}, enough to keep the budget busy while it runs (about {takes}, {made.ahead} "
        f"purchases); the oldest row has waited {span(made.age)} of at most {span(made.patience)}",
        Rule.NO_OTHER: "codes can only be imported",
        Rule.AGAIN: "they were left over from an earlier file",
        Rule.LEFT_OVER: "an import cannot express it",
        Rule.WANTED: "nothing else can use this slot, and a purchase waits for it",
        Rule.SPARE: "nothing else can use this slot, and no import can take it yet",
        Rule.EARLY: "its contact is in an import that is late: it is made with the purchase",
        Rule.TURN: "the oldest that is ready",
    }[made.rule]


# Records that wait.


def retry(kind: RecordKind, count: int, tries: Sequence[Retries], again: float) -> str:
    """Why records of a kind are not sent yet, and until when."""
    when = f"in {span(again)}" if again > 0 else "now"
    wait = "waits" if count == 1 else "wait"
    if not tries:
        return (
            f"{counted(kind, count)} {wait} for a contact or product of which no record has come yet; "
            f"checked again {when}."
        )
    most, last = max(one.count for one in tries), max(tries, key=lambda one: one.last)
    failed = "1 try" if most == 1 else f"{most} tries"
    return (
        f"{counted(kind, count)} {wait} to be tried again: {failed} failed since "
        f"{moment(min(one.since for one in tries))}, the last with: {without_addresses(last.words)}. "
        f"Tried again {when}."
    )


#: Why one record waits, where that needs no figures.
NOT_OPEN = (
    "Its account is not delivered to yet: the worker has begun a moment ago and reads its receipts back."
)
LOADED = "The worker reads its receipts back first: what it was sending when it ended may have arrived."
AWAITING_RECEIPT = "It has ended: its receipt is written, and read back in a moment."
UNCONFIRMED = (
    "Kafka has not confirmed it yet: until then it is not sent, as a crash would forget that it was."
)
UNDER_WAY = "A call for it is under way, or is made as soon as one may be."
READY = "Connectif has all that it needs: it is sent when its turn comes."
HELD = "It is held back while another call about it, or about what it belongs to, is under way."
STOCK = "It is a code that is kept until its coupon set runs low."


def in_import(rows: int, age: float, *, late: bool) -> str:
    """A record is in an import under way."""
    end = "which is late" if late else "which is not over yet"
    return f"It is in an import of {rows:,} rows, {span(age)} old, {end}."


def next_import(rows: int, *, gated: bool) -> str:
    """A record goes by import."""
    then = "once it is known what an earlier import has done" if gated else "as soon as one can start"
    return f"It goes by an import of {rows:,} rows, {then}."


def blocked(missing: Collection[Key]) -> str:
    """A purchase waits for what Connectif must have first; contacts are counted, never named."""
    contacts = sum(key.kind is RecordKind.CONTACT for key in missing)
    products = sorted(key.id for key in missing if key.kind is RecordKind.PRODUCT)
    said = ["its contact"] * bool(contacts)
    if products:
        more = f" and {len(products) - NAMED:,} more" if len(products) > NAMED else ""
        said.append(f"product{'s' * (len(products) > 1)} {', '.join(products[:NAMED])}{more}")
    return f"It waits for {' and '.join(said)}, which Connectif must have first."


def queued(kind: RecordKind, lane: Lane, waiting: int, age: float) -> str:
    """A record has not come to its turn."""
    return f"It waits for its turn in the {lane} lane, with {counted(kind, waiting)}; so far for {span(age)}."


def none(counts: Mapping[Phase, int], delayed: int, stock: int) -> str:
    """Why no call is foreseen.

    Args:
        counts: what is pending, by where it is.
        delayed: of what is held, how many wait to be tried again.
        stock: of what waits in queues, how many are codes kept for a coupon set.
    """
    parts = {
        "in flight": counts[Phase.IN_FLIGHT],
        "waiting for their receipts": counts[Phase.LOADED] + counts[Phase.AWAITING_RECEIPT],
        "waiting to be tried again": delayed,
        "waiting for Kafka to confirm them": counts[Phase.UNCONFIRMED],
        "held back for others that go first": counts[Phase.HELD] - delayed,
        "coupon codes kept until their set needs them": stock,
        "waiting in their queues": counts[Phase.WAITING] - stock,
    }
    said = ", ".join(f"{count:,} {where}" for where, count in parts.items() if count > 0)
    return f"No call is foreseen; pending are {said}."


# Consent.

#: The call before a contact's own.
QUESTION = {
    "what": "question about a contact",
    "why": "The `subscribed` of this person is old, or may have been sent before: first it is read whether "
    "the person has unsubscribed in one of Connectif's mails (GET).",
}


def consent(imports: ImportQueue) -> str:
    """What is done to learn who has withdrawn; empty if no contact waits for that."""
    people = sum(len(batch.ids) for batch in imports.batches[RecordKind.CONTACT] if batch.asks)
    if not imports.asking:
        return ""
    return (
        f"An export of contacts is running: {counted(RecordKind.CONTACT, people)} wait for it, as it shows "
        "who has unsubscribed in Connectif's mails."
    )


# Calls.


def call(action: Action, waited: float, now: float) -> tuple[str, str]:
    """What a call is for, and why it is next."""
    match action:
        case Send(key=key, decision=made):
            named = key.kind.value if key.kind is RecordKind.CONTACT else f"{key.kind} {key.id}"
            return named, _sentence(f"{_rule(made)}; it has waited {span(waited)}")
        case Import(kind=kind, batch=batch, decision=made):
            return f"import of {counted(kind, len(batch.ids))}", _sentence(_rule(made))
        case Poll(job=job):
            rows = counted(job.kind, len(job.batch.ids))
            late = "late" if now > job.late_at else "expected to be over"
            return f"poll of an import of {rows}", f"After {span(now - job.posted_at)} it is {late}."
        case ListImports():
            return (
                "list of imports",
                "Some of unknown content may be in flight; newer data waits for them.",
            )
        case CheckCouponSet(name=name):
            return f"check of coupon set {name}", "It is time to see how many codes it has left."
    return "nothing", "Nothing is due."


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
