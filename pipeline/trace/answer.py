"""The life of an entity -> whether Connectif has it, and if not, why: the sentence an operator looks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.events import Kind
from pipeline.records import Outcome, RecordKind
from pipeline.text import moment
from pipeline.trace.life import EntityLife, TracedEvent, TracedReceipt
from pipeline.trace.replay import HELD
from pipeline.translate.rules import Outcome as EventOutcome

#: What an entity is in Connectif.
MAIN = {
    Kind.ORDER: RecordKind.PURCHASE,
    Kind.CUSTOMER: RecordKind.CONTACT,
    Kind.PRODUCT: RecordKind.PRODUCT,
}


def answer(life: EntityLife) -> str:
    """Whether Connectif has it, and why not."""
    said = _waiting(life) or _ended(life) or _remembered(life) or _never(life)
    newest = life.events[-1] if life.events else None
    if newest is not None and said and not newest.waiting:
        said += _newest(life, newest)
    return said


def _waiting(life: EntityLife) -> str:
    kind = MAIN[life.key.kind]
    for row in life.now.values():
        waits = [part["accepted_ms"] for part in row.get("versions", ()) if "accepted_ms" in part]
        if waits and row.get("kind") == kind.value:
            when = f" since {_at(min(waits))}"
            had = "Connectif has an older version. " if row.get("last_sent") else ""
            return f"Not yet: {_named(row)} waits{when}. {had}{row.get('why', '')}"
    waiting = [event for event in life.events if event.waiting]
    if waiting:
        return (
            f"Not yet: translate has not come to {_count(len(waiting), 'event')} of it. {_held(life)}".strip()
        )
    return ""


def _held(life: EntityLife) -> str:
    held = str((life.memory or {}).get("held", ""))
    return f"{held[0].upper()}{held[1:]}." if held else ""


def _ended(life: EntityLife) -> str:
    kind = MAIN[life.key.kind]
    ends = [receipt for receipt in life.receipts if receipt.kind is kind]
    # Which version counts is settled by when its end was written, not by its place in the topic.
    told = [receipt for receipt in ends if receipt.outcome != Outcome.SUPERSEDED]
    if not told:
        return "Its version was superseded by another entity's before it was sent." if ends else ""
    last = max(told, key=lambda receipt: receipt.at_ms)
    if last.outcome == Outcome.DEAD:
        return f"Connectif refused it at {_at(last.at_ms)}: {_refusal(last)}. It lies in dead letters."
    if _is_retraction(life, last):
        gone = "It is not in Connectif (any more)" if last.outcome == Outcome.UNCHANGED else "It was deleted"
        return f"{gone}: {_of(last)}, {_at(last.at_ms)}; the shop took it back."
    if last.outcome == Outcome.UNCHANGED:
        return f"Connectif has it: {_of(last)}, which at {_at(last.at_ms)} said nothing new."
    reason = f" ({last.reason})" if last.reason else ""
    return f"Connectif has it: {_of(last)}, since {_at(last.at_ms)}{reason}."


def _is_retraction(life: EntityLife, receipt: TracedReceipt) -> bool:
    ops = {(record.kind, record.account, record.place.offset): record.op for record in life.records}
    return ops.get((receipt.kind, receipt.account, receipt.record)) == "retract"


def _refusal(receipt: TracedReceipt) -> str:
    status = f", status {receipt.status}" if receipt.status is not None else ""
    detail = f": {receipt.detail}" if receipt.detail else ""
    return f"{receipt.reason or 'no reason'}{status}{detail}"


def _remembered(life: EntityLife) -> str:
    """Receipts are kept for weeks; what was last sent is remembered for longer."""
    kind = MAIN[life.key.kind]
    for row in life.now.values():
        sent = row.get("last_sent")
        if sent and row.get("kind") == kind.value:
            if sent.get("fingerprint") == "retracted":
                return f"It is not in Connectif any more: {_named(row)} was deleted; its receipt is not kept."
            version = sent.get("version")
            which = f" in the version of {_at(version)}" if version else ""
            return f"Connectif was told: {_named(row)}{which}; its receipt is not read or not kept."
    return ""


def _never(life: EntityLife) -> str:
    kind = MAIN[life.key.kind]
    if not life.events:
        known = life.memory is not None and life.memory.get("known")
        for stage, what in (
            ("translate", "whether it was received"),
            ("deliver", "whether it waits or was sent"),
        ):
            if stage in life.silent:
                return f"Not known: {what}; {stage} did not answer."
        said = f"It was received, and no {kind} of it waits or was sent; its events say why."
        return said if known else "Nothing of it was received, as far back as was looked."
    emitted = [record for record in life.records if record.kind is kind]
    if emitted:
        silent = " Deliver does not answer." if "deliver" in life.silent else ""
        when = _at(max(record.at_ms for record in emitted))
        return f"Not yet: a {kind} was emitted at {when}, and there is no receipt of it.{silent}"
    if any(name.split("|")[1] == kind for event in life.events for name in event.emits):
        return f"A {kind} was made of it; its record and receipt are not kept any more, or not read."
    return _by_its_newest_event(life, kind)


def _by_its_newest_event(life: EntityLife, kind: RecordKind) -> str:
    """Why no record was ever made."""
    newest = life.events[-1]
    if newest.outcome == EventOutcome.REJECTED:
        return f"No: what the shop said cannot be used ({_why(newest)}). It lies in dead letters."
    if newest.outcome == HELD:
        return f"Not yet: {newest.detail}. Its partition waits for settings that have it."
    because = f" ({newest.reason})" if newest.reason else ""
    if newest.outcome == EventOutcome.IGNORED:
        return f"No: by these settings nothing is to be told of it{because}."
    return f"No {kind} was made of it: its newest event is {newest.outcome}{because}."


def _newest(life: EntityLife, newest: TracedEvent) -> str:
    """That a newer event of the shop's did not come through, where it did not."""
    latest = max((record.source for record in life.records), default=None)
    if newest.outcome != EventOutcome.REJECTED or latest is None or latest >= newest.place.offset:
        return ""
    return f" Its newest event is rejected ({_why(newest)}): what Connectif has is older."


def _why(event: TracedEvent) -> str:
    return f"{event.reason}: {event.detail}" if event.detail else event.reason


def _of(receipt: TracedReceipt) -> str:
    return f"{receipt.kind} {receipt.id} of account {receipt.account}"


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['kind']} {row['id']} of account {row['account']}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _at(at_ms: int) -> str:
    return moment(at_ms / 1_000)
