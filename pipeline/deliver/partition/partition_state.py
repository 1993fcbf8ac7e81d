"""One partition's records: accepting and settling them, with the pending index and the tallies.

Each of the two agents works in two phases, and the second is written once the first is confirmed: `accept`,
then `count`; `send`, then `clear`. With that order a crash at any point neither loses a record nor counts one
twice (docs/adr/0005).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import orjson

from pipeline.deliver.partition.receipt_writer import ReceiptWriter
from pipeline.deliver.partition.receipts import AccountPartition
from pipeline.deliver.partition.table_rows import entry_of, last_sent_of, read_tallies
from pipeline.deliver.partition.tables import Tables, key_named, split_key
from pipeline.deliver.partition.unit_of_work import UnitOfWork
from pipeline.deliver.schedule.pending_index import PendingIndex
from pipeline.deliver.schedule.pending_queue import PendingQueue
from pipeline.deliver.state.commands import Command, Unchanged
from pipeline.deliver.state.consent import remembered
from pipeline.deliver.state.diff import apply, diff, is_repeated_subscription
from pipeline.deliver.state.ending import SUPERSEDED, UNAVAILABLE, Ending
from pipeline.deliver.state.entry import Entry, Stamp, Waiting, peek
from pipeline.deliver.state.key import Key
from pipeline.deliver.state.last_caller import LastCaller
from pipeline.deliver.state.last_sent import (
    LastSent,
    LastSentContact,
    LastSentProduct,
    LastSentPurchase,
    digest,
)
from pipeline.deliver.state.purchase_parts import products_of, stub_of
from pipeline.deliver.state.states import SEEN, ContactState, PurchaseState, State
from pipeline.deliver.state.taken import TAKEN, TAKEN_DETAIL, holder_of
from pipeline.deliver.state.tally import RecordTally, tally_key
from pipeline.engine.foreign import JUNK, foreign_row
from pipeline.events import Lane
from pipeline.metrics import DELIVER_UNCOUNTED
from pipeline.records import Outcome, Receipt, Record, RecordKind, record_key

log = logging.getLogger(__name__)

#: Entries loaded into the index before other tasks run.
LOADED_AT_ONCE = 5_000


@dataclass(slots=True)
class PartitionState:
    """One partition.

    Args:
        partition: its number.
        tables: the stage's.
        receipt_writer: see there.

    Attributes:
        indexes: account -> its pending index.
        versions: (account, store, kind) -> counted versions that have not ended: with them and the tallies,
            accepted = delivered + unchanged + superseded + pending + dead at every moment.
    """

    partition: int
    tables: Tables
    receipt_writer: ReceiptWriter
    indexes: dict[str, PendingIndex] = field(default_factory=dict)
    versions: Counter[tuple[str, str, RecordKind]] = field(default_factory=Counter)
    _tallies: dict[bytes, RecordTally] = field(default_factory=dict)
    _last_callers: dict[bytes, LastCaller] = field(default_factory=dict)
    _owed: list[bytes] = field(default_factory=list)

    def index(self, account: str) -> PendingIndex:
        """The account's pending index."""
        index = self.indexes.get(account)
        if index is None:
            index = self.indexes[account] = PendingIndex()
        return index

    # After a start.

    async def load(self) -> None:
        """Build the index from the tables; other tasks run in between."""
        read_tallies(
            self.tables.tally.items(self.partition), self.partition, self._tallies, self._last_callers
        )
        for number, (raw_key, raw) in enumerate(self.tables.pending.items(self.partition), 1):
            try:
                self._load(raw_key, raw)
            except JUNK:
                foreign_row("pending", self.partition)
            if number % LOADED_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _load(self, raw_key: bytes, raw: bytes) -> None:
        account, key = split_key(raw_key)
        head = peek(raw)
        versions = [(head.store, head.offset)]
        owed: tuple[Stamp, ...] = ()
        if head.more:
            entry = Entry.decode(key.kind, raw)
            versions = [(stamp.store, stamp.offset) for stamp in entry.stamps()]
            owed = entry.owed + tuple(part.stamp for part in entry.refused)
        if head.lane is not None:
            self.index(account)[key.kind].load(key.id, head.lane, head.accepted)
        if owed:
            self._owed.append(raw_key)
        for store, offset in versions:
            # One that was not counted before the crash is read again, and counted then.
            if self._has_counted(account, store, key.kind, offset):
                self.versions[account, store, key.kind] += 1

    def open(self, step: UnitOfWork) -> None:
        """All receipts are read back: write those still owed, and queue what waits."""
        for raw_key in self._owed:
            account, key = split_key(raw_key)
            self._supersede(step, account, key, self.entry(account, key).owed)
            self._refuse(step, account, key, self.entry(account, key).refused)
        self._owed.clear()
        for index in self.indexes.values():
            index.open()

    def last_caller(self, account: str) -> LastCaller | None:
        """The worker that last made calls for an account; None if none ever did."""
        return self._last_callers.get(tally_key(account, ""))

    def set_last_caller(self, account: str, last_caller: LastCaller, step: UnitOfWork) -> None:
        """Store which worker makes them from here on, or has stopped."""
        key = tally_key(account, "")
        self._last_callers[key] = last_caller
        step.write(self.tables.tally, self.partition, key, last_caller.encode())

    # Records.

    def accept(self, kind: RecordKind, records: Sequence[tuple[int, Record]], step: UnitOfWork) -> None:
        """Phase one: accept records, each with its offset in its topic, in order."""
        keys = [record_key(record.account, kind, record.id) for _, record in records]
        entries = self._entries(kind, keys)
        last_sent = dict(zip(keys, self.tables.delivered.multi_get(self.partition, keys), strict=True))
        for raw_key, (offset, record) in zip(keys, records, strict=True):
            if self._has_counted(record.account, record.store, kind, offset):
                continue
            key = Key(kind, record.id)
            queue = self.index(record.account)[kind]
            new = Waiting.of(record, offset, self.receipt_writer.now_ms())
            busy = queue.busy(record.id)
            queue.await_confirmation(record.id)
            was_sent = last_sent_of(kind, last_sent[raw_key], self.partition)
            is_anothers = holder_of(new, entries[raw_key], was_sent) is not None
            entry, superseded = entries[raw_key].accept(new, busy=busy, refused=is_anothers)
            if entry is entries[raw_key]:
                continue
            entries[raw_key] = entry
            step.write(self.tables.pending, self.partition, raw_key, entry.encode())
            self._supersede(step, record.account, key, superseded)
            if is_anothers:
                self._refuse(step, record.account, key, [new])
            elif not busy and entry.current is not None:
                self._enqueue(step, record.account, key, entry.current, was_sent)

    def count(self, kind: RecordKind, records: Sequence[tuple[int, Record]], step: UnitOfWork) -> None:
        """Phase two: count them, and let them be sent."""
        touched: dict[bytes, RecordTally] = {}
        for offset, record in records:
            self.index(record.account)[kind].confirmed(record.id)
            tally = self.tally(record.account, record.store)
            if tally.accept(kind, offset):
                self.versions[record.account, record.store, kind] += 1
            touched[tally_key(record.account, record.store)] = tally
        self._write_tallies(touched, step)

    def _enqueue(
        self, step: UnitOfWork, account: str, key: Key, waiting: Waiting, last_sent: LastSent | None
    ) -> None:
        """Queue a record, or write its receipt at once if nothing needs to be sent."""
        queue = self.index(account)[key.kind]
        accepted = waiting.accepted_ms // 1_000
        if key.id in queue:
            queue.add(key.id, waiting.lane, accepted)
            command = self.diff(account, key, waiting, last_sent)
        else:
            command = self.diff(account, key, waiting, last_sent)
            # A subscription that is only repeated must not take the slot of an order.
            later = waiting.lane is Lane.LIVE and is_repeated_subscription(last_sent, command)
            queue.add(key.id, Lane.RETRY if later else waiting.lane, accepted)
        if isinstance(command, Unchanged):
            queue.settle_at_once(key.id, waiting.lane, accepted)
            ending = Ending(Outcome.UNCHANGED, command.reason)
            self._send(step, account, key, waiting.stamp, ending)

    # Receipts.

    def uncounted(self, receipts: Sequence[tuple[int, Receipt]]) -> list[tuple[int, Receipt]]:
        """Those whose records have not been counted, or not yet."""
        return [
            (offset, receipt)
            for offset, receipt in receipts
            if not self._has_counted(receipt.account, receipt.store, receipt.kind, receipt.record.offset)
        ]

    def count_late(self, receipts: Sequence[tuple[int, Receipt]]) -> set[int]:
        """Count the records of receipts that `count` will never count; `send` writes the tally.

        Returns:
            The offsets of the receipts without an entry: foreign messages.
        """
        foreign: set[int] = set()
        for offset, receipt in sorted(receipts, key=lambda row: row[1].record.offset):
            key = Key(receipt.kind, receipt.id)
            stamps = self.entry(receipt.account, key).stamps()
            mine = any(
                stamp.offset == receipt.record.offset and stamp.store == receipt.store for stamp in stamps
            )
            if not mine:
                foreign.add(offset)
            elif self.tally(receipt.account, receipt.store).accept(receipt.kind, receipt.record.offset):
                self.versions[receipt.account, receipt.store, receipt.kind] += 1
                DELIVER_UNCOUNTED.labels(receipt.account, receipt.kind).inc()
                log.warning(
                    "account %s: a %s of store %s was not counted; it is counted with its receipt",
                    receipt.account,
                    receipt.kind,
                    receipt.store,
                )
        return foreign

    def send(self, receipts: Sequence[tuple[int, Receipt]], step: UnitOfWork) -> None:
        """Phase one: store what was sent, and count how the records ended."""
        entries: dict[bytes, Entry] = {}
        touched: dict[bytes, RecordTally] = {}
        for offset, receipt in receipts:
            raw_key = record_key(receipt.account, receipt.kind, receipt.id)
            key = Key(receipt.kind, receipt.id)
            entry = entries.get(raw_key) or self.entry(receipt.account, key)
            entries[raw_key], stamp, was = entry.settle(receipt)
            if stamp is None:
                continue
            tally = self.tally(receipt.account, receipt.store)
            tally.settle(receipt.kind, receipt.outcome, offset)
            self.versions[receipt.account, receipt.store, receipt.kind] -= 1
            touched[tally_key(receipt.account, receipt.store)] = tally
            if was is not None:
                self._remember(step, receipt, key, was)
        self._write_tallies(touched, step)

    def clear(self, receipts: Sequence[tuple[int, Receipt]], step: UnitOfWork) -> list[Receipt]:
        """Phase two: delete the entries; returns the receipts that are no repeats."""
        endings = []
        for _, receipt in receipts:
            key = Key(receipt.kind, receipt.id)
            entry, stamp, was = self.entry(receipt.account, key).settle(receipt)
            if stamp is None:
                continue
            endings.append(receipt)
            value = None if entry.empty else entry.encode()
            raw_key = record_key(receipt.account, receipt.kind, receipt.id)
            step.write(self.tables.pending, self.partition, raw_key, value)
            if was is not None:
                behind = entry.current
                following = None if behind is None else (behind.lane, behind.accepted_ms // 1_000)
                last_sent = receipt.outcome is not Outcome.DEAD
                self.index(receipt.account)[key.kind].settled(key.id, following, certain=last_sent)
        return endings

    def _remember(self, step: UnitOfWork, receipt: Receipt, key: Key, was: Waiting) -> None:
        account = receipt.account
        last_sent = self.last_sent(account, key)
        if receipt.outcome is not Outcome.DEAD:
            delivered = receipt.outcome is Outcome.DELIVERED
            after = apply(last_sent, was.state, delivered=delivered)
            forgets = isinstance(was.state, ContactState) and was.state.erased > 0
            self._write_last_sent(step, account, key, _remembered(after, receipt), forgets=forgets)
        elif isinstance(was.state, PurchaseState) and last_sent is None and receipt.reason == UNAVAILABLE:
            # No clear answer ever came: Connectif may have it or not.
            claim = was.state.claim
            unclear = LastSentPurchase(claim.version, "", was.state.owner, claim.heard)
            self._write_last_sent(step, account, key, unclear)
        elif isinstance(last_sent, LastSentPurchase):
            # It may have been deleted to be replaced: no later version may count as the same.
            self._write_last_sent(step, account, key, replace(last_sent, fingerprint=""))
        elif (
            isinstance(last_sent, LastSentContact)
            and isinstance(was.state, ContactState)
            and last_sent.deletion(was.state)
        ):
            self._write_last_sent(
                step, account, key, LastSentContact(retracted=last_sent.retracted, owners=last_sent.owners)
            )
        for name in receipt.repaired:
            repaired = key_named(name)
            before = self.last_sent(account, repaired)
            self._write_last_sent(step, account, repaired, _repaired(repaired, before, was.state))

    # Reading.

    def entry(self, account: str, key: Key) -> Entry:
        """The entry of a key; empty where there is none."""
        raw = self.tables.pending.get(self.partition, record_key(account, key.kind, key.id))
        return entry_of(key.kind, raw, self.partition)

    def entries(self, account: str, kind: RecordKind, ids: Sequence[str]) -> list[Entry]:
        """The entries of many keys, in their order."""
        keys = [record_key(account, kind, record_id) for record_id in ids]
        found = self._entries(kind, keys)
        return [found[key] for key in keys]

    def last_sent(self, account: str, key: Key) -> LastSent | None:
        """What was last sent for a key."""
        raw = self.tables.delivered.get(self.partition, record_key(account, key.kind, key.id))
        return last_sent_of(key.kind, raw, self.partition)

    def was_sent(self, account: str, key: Key) -> bool:
        """Whether a key was sent, and does not wait to be sent again as Connectif may have lost it."""
        raw_key = record_key(account, key.kind, key.id)
        if self.tables.delivered.get(self.partition, raw_key) is None:
            return False
        if key.id not in self.index(account)[key.kind]:
            return True
        raw = self.tables.pending.get(self.partition, raw_key)
        return raw is None or not peek(raw).resend

    def diff(self, account: str, key: Key, waiting: Waiting, last_sent: LastSent | None) -> Command:
        """The command for a record."""
        queue: PendingQueue = self.index(account)[key.kind]
        return diff(
            last_sent,
            waiting.state,
            trigger=not waiting.quiet,
            maybe_sent=queue.doubtful(key.id),
            resend=waiting.resend,
        )

    def tally(self, account: str, store: str) -> RecordTally:
        """The account's tally of one store."""
        raw_key = tally_key(account, store)
        tally = self._tallies.get(raw_key)
        if tally is None:
            tally = self._tallies[raw_key] = RecordTally()
        return tally

    def tallies(self) -> Iterator[tuple[str, str, RecordTally]]:
        """(account, store, tally) of all."""
        for raw_key, tally in self._tallies.items():
            account, _, store = raw_key.decode().partition("|")
            yield account, store, tally

    # Inside.

    def _entries(self, kind: RecordKind, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        found = self.tables.pending.multi_get(self.partition, keys)
        return {key: entry_of(kind, raw, self.partition) for key, raw in zip(keys, found, strict=True)}

    def _has_counted(self, account: str, store: str, kind: RecordKind, offset: int) -> bool:
        tally = self._tallies.get(tally_key(account, store))
        return tally is not None and tally.has_accepted(kind, offset)

    def _write_last_sent(
        self, step: UnitOfWork, account: str, key: Key, last_sent: LastSent | None, *, forgets: bool = False
    ) -> None:
        if last_sent is not None or forgets:
            value = None if last_sent is None else orjson.dumps(last_sent.to_json())
            step.write(self.tables.delivered, self.partition, record_key(account, key.kind, key.id), value)

    def _write_tallies(self, touched: dict[bytes, RecordTally], step: UnitOfWork) -> None:
        for raw_key, tally in touched.items():
            step.write(self.tables.tally, self.partition, raw_key, tally.encode())

    def _supersede(self, step: UnitOfWork, account: str, key: Key, stamps: Sequence[Stamp]) -> None:
        ending = Ending(Outcome.SUPERSEDED, SUPERSEDED)
        for stamp in stamps:
            self._send(step, account, key, stamp, ending)

    def _refuse(self, step: UnitOfWork, account: str, key: Key, refused: Sequence[Waiting]) -> None:
        """Dead letters of orders whose purchase id is another order's."""
        ended = [(key, waiting, Ending(Outcome.DEAD, TAKEN, TAKEN_DETAIL)) for waiting in refused]
        place = AccountPartition(account, self.partition)
        self.receipt_writer.letters(step, place, ended)
        self.receipt_writer.receipt_of_each(step, place, ended)

    def _send(self, step: UnitOfWork, account: str, key: Key, stamp: Stamp, ending: Ending) -> None:
        self.receipt_writer.receipt(step, AccountPartition(account, self.partition), key, stamp, ending)


def _remembered(last_sent: LastSent | None, receipt: Receipt) -> LastSent | None:
    if not isinstance(last_sent, LastSentContact):
        return last_sent
    return remembered(
        last_sent,
        withdrawn_ms=receipt.withdrawn_ms,
        unsubscribing_ms=receipt.unsubscribing_ms,
        at_ms=receipt.at_ms,
    )


def _repaired(key: Key, before: LastSent | None, state: State) -> LastSent | None:
    """What was sent when a contact or product was made again from a purchase."""
    if key.kind is RecordKind.CONTACT:
        return before.lost() if isinstance(before, LastSentContact) else LastSentContact()
    if isinstance(state, PurchaseState) and state.body is not None and key in products_of(state.body):
        stub = stub_of(products_of(state.body)[key])
        return LastSentProduct(SEEN, state.version, digest(stub))
    return None
