"""The database -> a finding for each order, by the rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.reconcile.belonging import NOWHERE
from pipeline.reconcile.database import Database, batched
from pipeline.reconcile.rules import (
    Evidence,
    Held,
    OrderVerdict,
    is_to_be_looked_at,
    is_to_be_verified,
    judge,
)
from pipeline.translate.alone import Meaning

_KNOWN = """
    e.count, e.first_ms, e.part, e.off, l.part, l.off, l.reason, l.detail,
    r.off, r.takes_back, r.total, r.placed, c.held, c.record_off, c.outcome, c.reason, c.detail, c.ended_ms,
    m.meaning, m.reason, m.detail, m.placed, m.total, x.pid IS NOT NULL, x.at_ms, x.total,
    v.pid IS NOT NULL, v.found, v.total, s.meaning, s.reason, s.detail, s.takes_back, e.last_ms
"""
_JOINS = """
    LEFT JOIN events e ON e.entity = o.entity LEFT JOIN letters l ON l.entity = o.entity
    LEFT JOIN meanings m ON m.entity = o.entity LEFT JOIN listed s ON s.entity = o.entity
    LEFT JOIN records r ON r.pid = o.pid AND r.account = {account}
    LEFT JOIN receipts c ON c.pid = o.pid AND c.account = {account}
    LEFT JOIN exported x ON x.pid = o.pid AND x.account = {account}
    LEFT JOIN verified v ON v.pid = o.pid AND v.account = {account}
"""
#: Of a store with one account, `belongs` is empty.
_ACCOUNT = "COALESCE(b.account, :nowhere)"
_LISTED = f"""SELECT o.pid, {_ACCOUNT}, o.number, o.at_ms, o.total, o.refunded, o.status, o.entity, 1, 0,
    {_KNOWN} FROM orders o LEFT JOIN belongs b ON b.pid = o.pid {_JOINS.format(account=_ACCOUNT)}
    WHERE o.inside"""  # noqa: S608 - constants alone
#: Told for this store, or in the export and of no other store; and not in the shop's list.
_UNLISTED = f"""SELECT o.pid, o.account, '', NULL, NULL, NULL, '', o.entity, 0, o.received, {_KNOWN} FROM (
    SELECT n.pid AS pid, n.account AS account, COALESCE(k.entity, '') AS entity, n.received AS received FROM (
        SELECT pid, account, received_ms AS received FROM receipts WHERE held = 'there' AND store = :store
        UNION SELECT x.pid, x.account, 0 FROM exported x
            LEFT JOIN receipts c ON c.pid = x.pid AND c.account = x.account
            LEFT JOIN records r ON r.pid = x.pid AND r.account = x.account
            WHERE COALESCE(c.store, r.store, :store) = :store
                AND NOT (COALESCE(c.held, '') = 'there')
    ) n LEFT JOIN links k ON k.pid = n.pid
    WHERE NOT EXISTS (SELECT 1 FROM orders q WHERE q.pid = n.pid)) o
    {_JOINS.format(account="o.account")}"""  # noqa: S608


class ExportSpan(NamedTuple):
    """Of what an account's export speaks, epoch ms.

    Attributes:
        from_ms, to_ms: of the purchases' dates; None: it has none.
        known_ms: what was told before is in it, if it is there; None: that is not known.
    """

    from_ms: int | None
    to_ms: int | None
    known_ms: int | None = None


@dataclass(slots=True)
class RunContext:
    """What holds for all orders of a run.

    Attributes:
        store: its name.
        zone: of the days.
        translated: as `TopicsScan` found it.
        log_begins_ms: likewise.
        sold_statuses: of the store.
        since_ms, until_ms: of the orders asked for, epoch ms; the end is not in it. None: open.
        accounts: that the store feeds, how many.
        exports: what Connectif's exports speak of, by account; where there are any.
        listed_ms: when the shop's API was first asked for its list, by our clock; None where it was not.
    """

    store: str
    zone: ZoneInfo
    translated: Mapping[int, int] = field(default_factory=dict)
    log_begins_ms: int | None = None
    sold_statuses: frozenset[str] | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    accounts: int = 1
    exports: dict[int, ExportSpan] = field(default_factory=dict)
    listed_ms: int | None = None

    @property
    def nowhere(self) -> int:
        """The account of an order that nothing places: of one account there is no question."""
        return 0 if self.accounts == 1 else NOWHERE

    def export_of(self, account: int) -> ExportSpan | None:
        """What the export speaks of; of an order that nothing places, what all of them do."""
        if account != NOWHERE:
            return self.exports.get(account)
        spans = list(self.exports.values())
        if len(spans) < self.accounts:
            return None
        known = [span.known_ms for span in spans if span.known_ms is not None]
        begin = [span.from_ms for span in spans if span.from_ms is not None]
        end = [span.to_ms for span in spans if span.to_ms is not None]
        whole = len(begin) == len(end) == len(spans)
        return ExportSpan(
            max(begin) if whole else None, min(end) if whole else None, min(known, default=None)
        )

    def covers(self, at_ms: int | None) -> bool:
        """Whether a moment is in what is asked for; without one it is."""
        if at_ms is None:
            return True
        return (self.since_ms or 0) <= at_ms and (self.until_ms is None or at_ms < self.until_ms)


@dataclass(frozen=True, slots=True)
class Known:
    """One order with what is known of it."""

    pid: str
    account: int
    number: str
    entity: str
    at_ms: int | None
    status: str
    evidence: Evidence
    place: tuple[int, int] | None


def known_orders(database: Database, frame: RunContext) -> Iterator[Known]:
    """The orders of the shop's list."""
    for row in database.rows(_LISTED, {"nowhere": frame.nowhere}):
        yield _known(row, frame)


def only_in_connectif(database: Database, frame: RunContext) -> Iterator[Known]:
    """What Connectif has of this store in the time asked for, and the shop's list has not."""
    for row in database.rows(_UNLISTED, {"store": frame.store}):
        known = _known(row, frame)
        if frame.covers(known.at_ms):
            yield known


def write_findings(database: Database, frame: RunContext, *, complete: bool) -> None:
    """Judge every order; findings of before are replaced.

    Args:
        database: what is known, and takes the findings.
        frame: of the run.
        complete: whether the shop's list has all orders of the time, so that Connectif may have more than it.
    """
    database.run("DELETE FROM findings")
    for batch in batched(_rows(known_orders(database, frame), frame)):
        database.put("findings", batch)
    if complete:
        for batch in batched(_rows(only_in_connectif(database, frame), frame)):
            database.put("findings", batch)


def places_to_look_at(database: Database, frame: RunContext) -> Iterator[tuple[int, int]]:
    """Partition and offset of the events that tell what nothing else tells."""
    # The rule decides; the question leaves out the many that have a receipt.
    question = f"{_LISTED} AND e.entity IS NOT NULL AND COALESCE(c.held, '') = ''"
    for row in database.rows(question, {"nowhere": frame.nowhere}):
        known = _known(row, frame)
        if known.place is not None and is_to_be_looked_at(known.evidence):
            yield known.place


def _rows(orders: Iterator[Known], frame: RunContext) -> Iterator[tuple[Any, ...]]:
    for known in orders:
        evidence = known.evidence
        verdict: OrderVerdict = judge(evidence, frame.sold_statuses)
        yield (
            known.pid,
            known.account,
            known.number,
            day_of(known.at_ms, frame.zone),
            verdict.category.value,
            verdict.stage.value,
            verdict.reason,
            verdict.detail,
            _text(evidence.shop_total),
            _text(evidence.connectif_total),
            known.status,
            int(is_to_be_verified(evidence, verdict)),
            known.entity,
        )


def day_of(at_ms: int | None, zone: ZoneInfo) -> str:
    """The day in the shop's time; empty where none is known."""
    return "" if at_ms is None else datetime.fromtimestamp(at_ms / 1_000, zone).date().isoformat()


def _known(row: tuple[Any, ...], frame: RunContext) -> Known:
    pid, account, number, at_ms, total, refunded, status, entity, in_shop, received, *rest = row
    count, first_ms, part, offset, *rest = rest
    letter_part, letter_offset, letter, letter_detail, *rest = rest
    record_offset, takes_back, record_total, placed, *rest = rest
    held, receipt_offset, outcome, reason, detail, ended_ms, *rest = rest
    meaning, meaning_reason, meaning_detail, meaning_placed, meaning_total, *rest = rest
    exported, export_at, export_total, asked, found, verified_total, *rest = rest
    listed, listed_reason, listed_detail, listed_gone, last_ms = rest
    if frame.listed_ms is not None and last_ms is not None and last_ms >= frame.listed_ms:
        listed = total = None  # its newest event may say what the list did not know yet
        listed_gone = False
    newest_is_dead = letter is not None and (offset is None or (letter_part, letter_offset) == (part, offset))
    waits = record_offset is not None and record_offset > (-1 if receipt_offset is None else receipt_offset)
    at_ms = next(filter(None, (at_ms, _ms(placed), _ms(meaning_placed), export_at, received)), first_ms)
    told_total = None if takes_back else record_total
    connectif_total = next(
        (one for one in (verified_total, export_total, told_total, meaning_total) if one is not None), None
    )
    evidence = Evidence(
        in_shop=bool(in_shop),
        status=status,
        shop_total=_decimal(total),
        refunded=_decimal(refunded),
        before_log=frame.log_begins_ms is not None and at_ms is not None and at_ms < frame.log_begins_ms,
        events=count or 0,
        translated=offset is None or offset < frame.translated.get(part, 0),
        letter=letter if newest_is_dead else "",
        letter_detail=(letter_detail if newest_is_dead else meaning_detail) or "",
        meaning=None if meaning is None else Meaning(meaning),
        meaning_reason=meaning_reason or "",
        record=waits,
        takes_back=bool(takes_back),
        held=Held(held or ""),
        outcome=outcome or "",
        reason=reason or "",
        detail=detail or "",
        verified=None if not asked or found is None else bool(found),
        exported=_by_export(
            exported=bool(exported), at_ms=at_ms, ended_ms=ended_ms or 0, span=frame.export_of(account)
        ),
        connectif_total=_decimal(connectif_total),
        listed=None if listed is None else Meaning(listed),
        listed_reason=listed_reason or "",
        listed_detail=listed_detail or "",
        listed_gone=bool(listed_gone),
    )
    place = None if offset is None else (part, offset)
    return Known(pid, account, number, entity, at_ms, status, evidence, place)


def _by_export(span: ExportSpan | None, *, exported: bool, at_ms: int | None, ended_ms: int) -> bool | None:
    """Whether the export has an order; None where it does not speak of its time, or of what came after it."""
    if span is None:
        return True if exported else None
    if span.known_ms is not None and ended_ms >= span.known_ms:
        return None  # it was told, or taken back, too late for the export
    if exported:
        return True
    if at_ms is None or span.from_ms is None or span.to_ms is None:
        return None
    return False if span.from_ms <= at_ms <= span.to_ms else None


def _ms(text: str | None) -> int | None:
    """Of a moment as records write it."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return int((found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp() * 1_000)


def _decimal(text: str | None) -> Decimal | None:
    """An amount; None also where a message of somebody else's holds none."""
    try:
        amount = None if text is None else Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount is None or amount.is_finite() else None


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
