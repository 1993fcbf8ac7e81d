"""What is pending of one record, why it waits, and what was last sent of it: JSON values for whoever asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.deliver.explain import messages
from pipeline.deliver.explain.explanation import ExplainedAccount
from pipeline.deliver.schedule.pending_queue import Phase
from pipeline.deliver.state.entry import Entry, Stamp, Waiting
from pipeline.deliver.state.key import Key
from pipeline.deliver.state.last_sent import (
    LastSent,
    LastSentContact,
    LastSentProduct,
    LastSentPurchase,
)
from pipeline.records import RecordKind

RECORD_PAGE, ACCOUNT_PAGE = "/state/record", "/state/account"
#: Characters of an id that is asked for, and superseded versions shown.
LONGEST, MOST = 1_000, 100


@dataclass(frozen=True, slots=True)
class AskedRecord:
    """The record that a question names."""

    account: str
    key: Key


def asked_record(query: Mapping[str, str]) -> AskedRecord | None:
    """The record of a query; None where it names none."""
    account, kind, record_id = (query.get(name, "") for name in ("account", "kind", "id"))
    if (
        not (account and record_id)
        or kind not in set(RecordKind)
        or max(len(account), len(record_id)) > LONGEST
    ):
        return None
    return AskedRecord(account, Key(RecordKind(kind), record_id))


def remembered_record(
    asked: AskedRecord,
    entry: Entry,
    last_sent: LastSent | None,
    account: ExplainedAccount | None,
    *,
    now: float,
    wall: float,
) -> dict[str, Any]:
    """The answer.

    Args:
        asked: which one.
        entry: its versions whose receipts are not read back.
        last_sent: what Connectif was last sent of it.
        account: its account, with the clocks of its delivery; None while that is not open here.
        now: on the scheduler's clock.
        wall: epoch seconds.
    """
    phase = account.index[asked.key.kind].phase(asked.key.id) if account is not None else None
    waiting = [("current", entry.current), ("next", entry.next)]
    return {
        "account": asked.account,
        "kind": asked.key.kind.value,
        "id": asked.key.id,
        "pending": not entry.empty,
        "versions": [_waiting(part, place) for place, part in waiting if part is not None]
        + [_stamp(stamp) | {"place": "superseded"} for stamp in entry.owed[:MOST]],
        "superseded_in_all": len(entry.owed),
        "phase": "" if phase is None else phase.name.lower(),
        "why": why(asked.key, entry, account, now, wall),
        "last_sent": _last_sent(last_sent),
    }


def why(key: Key, entry: Entry, account: ExplainedAccount | None, now: float, wall: float) -> str:
    """Why a record has not ended, in words; empty where nothing of it is pending."""
    if entry.empty:
        return ""
    if account is None:
        return messages.NOT_OPEN
    phase = account.index[key.kind].phase(key.id)
    if phase in {None, Phase.LOADED}:
        return messages.LOADED
    if phase is Phase.AWAITING_RECEIPT:
        return messages.AWAITING_RECEIPT
    if phase is Phase.UNCONFIRMED:
        return messages.UNCONFIRMED
    said = [messages.state(account.admission, now)]
    if phase is Phase.IN_FLIGHT:
        said.append(_in_flight(key, account, now))
    elif phase is Phase.HELD:
        said.append(_held(key, account, now))
    else:
        said.append(_queued(key, account, now, wall))
    budget = account.admission.budget
    if budget.wait(now) > 0:
        said.append(messages.budget(budget, now))
    return " ".join(said)


def _in_flight(key: Key, account: ExplainedAccount, now: float) -> str:
    for job in account.scheduler.imports.under_way():
        if job.kind is key.kind and key.id in job.batch.ids:
            return messages.in_import(len(job.batch.ids), now - job.posted_at, late=now > job.late_at)
    return messages.UNDER_WAY


def _held(key: Key, account: ExplainedAccount, now: float) -> str:
    until = next((until for held, until in account.scheduler.delays() if held == key), None)
    if until is not None:
        tried = account.tries.get(key)
        return messages.retry(key.kind, 1, [] if tried is None else [tried], max(0.0, until - now))
    if key.kind is RecordKind.PURCHASE:
        missing = account.scheduler.purchases.missing_of(key.id)
        return messages.blocked(missing) if missing else messages.READY
    for batch in account.scheduler.imports.batches[key.kind]:
        if key.id in batch.ids:
            return messages.next_import(len(batch.ids), gated=account.scheduler.imports.gated(key.kind))
    return messages.HELD


def _queued(key: Key, account: ExplainedAccount, now: float, wall: float) -> str:
    queue, scheduler = account.index[key.kind], account.scheduler
    lane = queue.lane(key.id)
    waiting = queue.waiting_in(lane)
    if key.kind is RecordKind.COUPON:
        return messages.STOCK
    if key.kind is RecordKind.PURCHASE:
        return messages.queued(key.kind, lane, waiting, wall - queue.accepted(key.id))
    if scheduler.imports.gated(key.kind):
        return messages.gated(key.kind, waiting)
    made = scheduler.decide(key.kind, lane, now, wall)
    return messages.decision(key.kind, made, full=not scheduler.imports.can_start(key.kind, now))


def _stamp(stamp: Stamp) -> dict[str, Any]:
    topic, partition, offset = stamp.source
    return {
        "store": stamp.store,
        "version": stamp.version,
        "lane": stamp.lane.value,
        "origin": stamp.origin.value,
        "offset": stamp.offset,
        "source": {"topic": topic, "partition": partition, "offset": offset},
        "received_ms": stamp.received_ms,
        "notes": list(stamp.notes),
        "owner": stamp.owner,
    }


def _waiting(part: Waiting, place: str) -> dict[str, Any]:
    return _stamp(part.stamp) | {
        "place": place,
        "lane": part.lane.value,
        "accepted_ms": part.accepted_ms,
        "starts_no_workflows": part.quiet,
    }


def _last_sent(sent: LastSent | None) -> dict[str, Any] | None:
    """Versions and fingerprints, and no value: there is none."""
    match sent:
        case None:
            return None
        case LastSentPurchase():
            return {
                "version": sent.version,
                "received_ms": sent.heard or None,
                "fingerprint": sent.fingerprint,
                "owner": sent.owner,
            }
        case LastSentProduct():
            overlay = [version for version, _ in sent.overlay.values()]
            return {
                "version": max([sent.version, *overlay]),
                "received_ms": None,
                "fingerprint": sent.fingerprint,
                "owner": sent.owner,
            }
        case LastSentContact():
            versions = [version for version, _ in sent.fields.values()]
            return {
                "version": max([sent.retracted, *versions]),
                "received_ms": None,
                "fingerprint": "retracted" if sent.retracted and not versions else "",
                "owner": "",
                "fields": {name: version for name, (version, _) in sorted(sent.fields.items())},
                "newsletter": sent.newsletter,
                "left_ms": sent.left_ms or None,
            }
    return {"version": None, "received_ms": None, "fingerprint": "", "owner": ""}
