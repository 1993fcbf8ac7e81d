"""One account's delivery: asks the scheduler what is next, makes the calls, writes receipts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.config_accounts import CouponSetSettings
from pipeline.config_stages import DeliverSettings
from pipeline.connectif.client import ConnectifClient
from pipeline.deliver.partition.partition_state import PartitionState
from pipeline.deliver.partition.receipt_writer import EndedRecord
from pipeline.deliver.partition.receipts import AccountPartition
from pipeline.deliver.schedule.actions import Action, CheckCouponSet, Idle, Import, ListImports, Poll, Send
from pipeline.deliver.schedule.import_jobs import ImportBatch
from pipeline.deliver.schedule.retries import Retries
from pipeline.deliver.schedule.scheduler import Scheduler
from pipeline.deliver.send.admission import UPKEEP, AdmissionControl, Permit
from pipeline.deliver.send.contact_sync import ContactSync
from pipeline.deliver.send.coupon_counts import look
from pipeline.deliver.send.health import Sign
from pipeline.deliver.send.importer import Importer
from pipeline.deliver.send.purchase_sync import PurchaseSync, SyncProgress
from pipeline.deliver.send.record_calls import Blocked, Result, Retry, send_product
from pipeline.deliver.send.unsubscribing import UnsubscribingCalls
from pipeline.deliver.state.commands import (
    Command,
    CreatePurchase,
    DeleteProduct,
    DeletePurchase,
    PutContact,
    PutProduct,
    ReplacePurchase,
    Unchanged,
)
from pipeline.deliver.state.diff import fingerprint_of
from pipeline.deliver.state.ending import UNAVAILABLE, Ending
from pipeline.deliver.state.entry import Waiting
from pipeline.deliver.state.key import Key
from pipeline.deliver.state.last_sent import LastSentContact
from pipeline.deliver.state.purchase_parts import contact_of, products_of
from pipeline.deliver.state.states import ContactState, PurchaseState
from pipeline.records import Outcome, Receipt, RecordKind

#: A record is sent this often at least before unusable answers make it a dead letter.
SENSELESS = 5
#: Seconds that calls in flight may take when the account's delivery stops.
STOP_GRACE = 10.0


class Outbox(Protocol):
    """Where endings are written: receipts, and dead letters for what was refused."""

    def write(self, place: AccountPartition, endings: Sequence[EndedRecord]) -> None:
        """Queue endings to be written; they are written unless the process ends first."""


@dataclass(frozen=True, slots=True)
class DeliveryDependencies:
    """What an account's delivery works with.

    `wall` is epoch seconds, `random` uniform in [0, 1), `sets` the coupon sets it keeps filled; what is in
    `unsubscribing` survives the process.
    """

    partition_state: PartitionState
    client: ConnectifClient
    admission: AdmissionControl
    outbox: Outbox
    wall: Callable[[], float]
    random: Callable[[], float]
    sets: Mapping[str, CouponSetSettings]
    unsubscribing: UnsubscribingCalls


class AccountDelivery:
    """Runs between `run` and `stop`, perhaps more than once; keeps what it knows in between.

    Args:
        account: its name.
        settings: the stage's.
        deps: see there.
        known: whether calls may have been made for the account before, by this worker or another one.
    """

    def __init__(
        self, account: str, settings: DeliverSettings, deps: DeliveryDependencies, *, known: bool
    ) -> None:
        self.account = account
        self.admission = deps.admission
        self._settings = settings
        self._deps = deps
        self._partition_state = deps.partition_state
        self.index = deps.partition_state.index(account)
        self.scheduler = Scheduler(
            settings,
            self.index,
            deps.admission.budget,
            needs=self._needs,
            was_sent=self._was_sent,
            sets=deps.sets,
        )
        self._contacts = ContactSync(
            account,
            self._partition_state,
            deps.client,
            fresh=settings.consent_fresh,
            wall=deps.wall,
            unsubscribing=deps.unsubscribing,
        )
        self._importer = Importer(
            account,
            self._partition_state,
            self.scheduler,
            deps.client,
            contacts=self._contacts,
            settings=settings,
            end=self._end,
        )
        self.retries: dict[Key, Retries] = {}
        #: Unusable answers to a record: how many, when the first came, and how many purchases had been sent
        #: by the last; those that say that Connectif is unavailable are counted apart.
        self._senseless: dict[tuple[Key, bool], tuple[int, float, int]] = {}
        self._purchases_sent = 0
        #: Of purchases that are not sent yet.
        self._progress: dict[Key, SyncProgress] = {}
        self._stopping = asyncio.Event()
        self._known = known

    def ready(self) -> None:
        """Call before each `run`: a `stop` from here on ends it, even one before its first step."""
        self._stopping.clear()
        self.admission.open()

    async def run(self) -> None:
        """Deliver until `stop`; an unexpected exception ends it and all tasks in flight."""
        if self._known:
            imported = (RecordKind.CONTACT, RecordKind.PRODUCT, RecordKind.COUPON)
            self.scheduler.imports.doubt(imported, self.now())
            self._known = False
        tasks: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as group:
            while not self._stopping.is_set():
                seconds = self._start(group, tasks)
                if seconds > 0:
                    await self.admission.notifier.wait(seconds)
            if tasks:
                await asyncio.wait(tasks, timeout=STOP_GRACE)
            for task in tasks:
                task.cancel()

    def stop(self) -> None:
        """Start nothing more; `run` returns once the tasks in flight have ended or were cancelled."""
        self._stopping.set()
        self.admission.close()

    def arrived(self) -> None:
        """Records came in."""
        self.admission.notifier.notify()

    def settled(self, receipt: Receipt) -> None:
        """A receipt was read back."""
        key = Key(receipt.kind, receipt.id)
        self._ended(key)
        if receipt.outcome is not Outcome.SUPERSEDED:
            self._progress.pop(key, None)
            self._contacts.settled(key)
        self.scheduler.settled(key)
        self.admission.notifier.notify()

    def wall(self) -> float:
        """Epoch seconds."""
        return self._deps.wall()

    def now(self) -> float:
        """The clock of all its moments, in seconds."""
        return asyncio.get_running_loop().time()

    # What is next.

    def _start(self, group: asyncio.TaskGroup, tasks: set[asyncio.Task[None]]) -> float:
        """Start one task, or say how long there is nothing to start."""
        now = self.now()
        seconds = self.admission.wait(now)
        if seconds > 0:
            return seconds
        action = self.scheduler.next(now, self.wall())
        if isinstance(action, Idle):
            return max(0.001, action.until - now)
        if isinstance(action, Import):
            self.scheduler.imports.starting(action.kind, action.batch.lane, yes=True)
        elif isinstance(action, Poll):
            action.job.in_flight = True
        task = group.create_task(self._perform(action, self.admission.enter(now, self._lane(action))))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return 0.0

    def _lane(self, action: Action) -> str:
        match action:
            case Send(key=key):
                return self.index[key.kind].lane(key.id)
            case Import(batch=batch):
                return batch.lane
        return UPKEEP

    async def _perform(
        self, action: Send | Import | Poll | ListImports | CheckCouponSet, permit: Permit
    ) -> None:
        try:
            match action:
                case Send(key=key):
                    await self._send(key, permit)
                case Import(kind=kind, batch=batch):
                    await self._importer.send(kind, batch, permit)
                case Poll(job=job):
                    await self._importer.poll(job, permit)
                case ListImports():
                    await self._importer.list(permit)
                case CheckCouponSet(name=name):
                    await look(self.account, name, self.scheduler.coupons, self._deps.client, permit)
        finally:
            permit.leave()

    # One record.

    async def _send(self, key: Key, permit: Permit) -> None:
        queue = self.index[key.kind]
        waiting = self._partition_state.entry(self.account, key).current
        if waiting is None:
            queue.drop(key.id)
            return
        command = self._command_for(key, waiting)
        if self._asks_first(key, waiting, command) and self._importer.asking.defers(key):
            if self._importer.asking.set_aside(key.kind, ImportBatch([], lane=queue.lane(key.id)), [key.id]):
                await self._importer.asking.ask(permit)
            return
        try:
            result = await self._deliver(key, waiting, command, permit)
        except asyncio.CancelledError:
            queue.back(key.id, tried=permit.calls > 0)
            raise
        permit.leave()
        self._conclude(key, waiting, result)

    async def _deliver(self, key: Key, waiting: Waiting, command: Command, permit: Permit) -> Result:
        state, client = waiting.state, self._deps.client
        match command:
            case Unchanged(reason=reason):
                return Ending(Outcome.UNCHANGED, reason)
            case PutContact() if isinstance(state, ContactState):
                result = await self._contacts.send(key, waiting, state, command, permit)
            case PutProduct() | DeleteProduct():
                result = await send_product(client, permit, key, command)
            case CreatePurchase() | ReplacePurchase() | DeletePurchase() if isinstance(state, PurchaseState):
                progress = self._progress.setdefault(key, SyncProgress())
                purchase_sync = PurchaseSync(
                    client,
                    permit,
                    self.index,
                    key.id,
                    body=state.body,
                    progress=progress,
                    last_sent_contact=self._last_sent_contact,
                )
                result = await purchase_sync.send(command)
                if isinstance(result, Ending):
                    return _complete(result, waiting, permit, tuple(dict.fromkeys(progress.repaired)))
            case _:
                raise TypeError(f"a {key.kind} cannot be sent by calls of its own: {type(command).__name__}")
        return _complete(result, waiting, permit) if isinstance(result, Ending) else result

    def _conclude(self, key: Key, waiting: Waiting, result: Result) -> None:
        queue = self.index[key.kind]
        match result:
            case Blocked(needs=needs, tried=tried):
                if tried:
                    queue.mark_tried(key.id)
                self.scheduler.purchases.refused(key.id, needs)
            case Retry(sign=Sign.LIMITED | Sign.REFUSED, tried=tried):
                queue.back(key.id, tried=tried)
            case Retry(sign=sign, reason=reason, detail=detail) if self._hopeless(key, sign):
                self._end([(key, waiting, Ending(Outcome.DEAD, reason or UNAVAILABLE, detail))])
            case Retry():
                self._delay(key, result)
            case Ending():
                self._end([(key, waiting, result)])

    def _hopeless(self, key: Key, sign: Sign) -> bool:
        """Whether to give a record up after another unusable answer; failures of the account do not count.

        That Connectif is unavailable is a failure of the account, unless other purchases were sent
        meanwhile. Contacts and products are retried for ever, as what Connectif holds of them is unknown.
        """
        away = sign is not Sign.WELL
        if away and key.kind is not RecordKind.PURCHASE:
            return False
        last_sent = self._purchases_sent
        before, since, sent_before = self._senseless.get((key, away), (0, self.now(), last_sent))
        if before and away and last_sent == sent_before:
            return False
        self._senseless[key, away] = before + 1, since, last_sent
        longest = self._settings.retry_away_for if away else self._settings.retry_for
        return before >= SENSELESS and self.now() - since >= longest

    def _ended(self, key: Key) -> None:
        """A version has ended: forget its retries."""
        self.retries.pop(key, None)
        for away in (True, False):
            self._senseless.pop((key, away), None)

    def _delay(self, key: Key, result: Retry) -> None:
        """Exponential back-off with full jitter per record: one bad record holds up no other."""
        words = result.detail or result.reason or result.sign.value
        tries = self.retries[key] = Retries.after(self.retries.get(key), words, self.wall())
        longest = min(self._settings.retry_max, self._settings.retry_min * 2.0 ** min(tries.count, 30))
        if result.tried:
            self.index[key.kind].mark_tried(key.id)
        self.scheduler.delay(key, self.now() + self._deps.random() * longest)

    # Endings.

    def _end(self, endings: Sequence[EndedRecord]) -> None:
        """Write endings; from here on the records wait for their receipts to be read back."""
        for key, _, ending in endings:
            self._ended(key)
            self._contacts.ended(key)
            if key.kind is RecordKind.COUPON:
                continue  # a set that has the code already says nothing of the account's health
            if ending.outcome is Outcome.DELIVERED:
                self._purchases_sent += key.kind is RecordKind.PURCHASE
                self.admission.health.delivered(key.kind)
            elif ending.outcome is Outcome.DEAD:
                self.admission.health.died(key.kind, _why(key.kind, ending))
        for key, _, _ in endings:
            self.index[key.kind].receipt_written(key.id)
        self._deps.outbox.write(AccountPartition(self.account, self._partition_state.partition), endings)

    # What the scheduler asks.

    def _needs(self, purchase: str) -> Sequence[Key]:
        waiting = self._partition_state.entry(self.account, Key(RecordKind.PURCHASE, purchase)).current
        if waiting is None or not isinstance(waiting.state, PurchaseState):
            return ()
        body = waiting.state.body
        return () if body is None else (contact_of(body)[0], *products_of(body))

    def asks(self, key: Key) -> bool:
        if key.kind is not RecordKind.CONTACT:
            return False
        waiting = self._partition_state.entry(self.account, key).current
        return waiting is not None and self._asks_first(key, waiting, self._command_for(key, waiting))

    def _asks_first(self, key: Key, waiting: Waiting, command: Command) -> bool:
        """Whether consent must be read from Connectif before the command is carried out."""
        if key.kind is not RecordKind.CONTACT:
            return False
        return self._contacts.asks(key, waiting, command) and self._contacts.known(key, waiting) is None

    def _command_for(self, key: Key, waiting: Waiting) -> Command:
        return self._partition_state.diff(
            self.account, key, waiting, self._partition_state.last_sent(self.account, key)
        )

    def _was_sent(self, key: Key) -> bool:
        return self._partition_state.was_sent(self.account, key)

    def _last_sent_contact(self, contact: Key) -> LastSentContact | None:
        last_sent = self._partition_state.last_sent(self.account, contact)
        return last_sent if isinstance(last_sent, LastSentContact) else None


def _why(kind: RecordKind, ending: Ending) -> str:
    """For logs: Connectif's messages may hold more personal data than the call sent."""
    status = "" if ending.status is None else f", {ending.status}"
    return f"{kind} {ending.reason}{status}"


def _complete(ending: Ending, waiting: Waiting, permit: Permit, repaired: tuple[Key, ...] = ()) -> Ending:
    last_sent = fingerprint_of(waiting.state) if ending.outcome is Outcome.DELIVERED else ""
    # By name, not by `replace`: each delivery has one.
    return Ending(
        ending.outcome,
        ending.reason,
        ending.detail,
        ending.status,
        permit.calls,
        last_sent,
        repaired,
        ending.notes,
        ending.withdrawn_ms,
        ending.unsubscribing_ms,
    )
