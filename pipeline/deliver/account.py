"""One account's delivery: asks the scheduler what is next, makes the calls, writes down how each ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pipeline.config import CouponSetSettings, DeliverSettings
from pipeline.connectif.client import ConnectifClient
from pipeline.deliver.contacts import Contacts
from pipeline.deliver.desk import Desk
from pipeline.deliver.errands import Again, Aside, Result, tell_product
from pipeline.deliver.explain import Account as Explained
from pipeline.deliver.explain import explain
from pipeline.deliver.gate import Gate, Pass
from pipeline.deliver.health import Sign
from pipeline.deliver.importing import Importer
from pipeline.deliver.jobs import Batch
from pipeline.deliver.judge import fingerprint_of
from pipeline.deliver.merge import ContactState, PurchaseState
from pipeline.deliver.paper import Written
from pipeline.deliver.pending import Waiting
from pipeline.deliver.receipts import UNAVAILABLE, Ending, Key, Place
from pipeline.deliver.repairs import contact_of, products_of
from pipeline.deliver.scheduler import Idle, Import, ListImports, Poll, Scheduler, Send, Watch
from pipeline.deliver.selling import Progress, Sale
from pipeline.deliver.told import ContactTold
from pipeline.deliver.tries import Tries
from pipeline.deliver.verdicts import (
    CreatePurchase,
    DeleteProduct,
    DeletePurchase,
    PutContact,
    PutProduct,
    ReplacePurchase,
    Unchanged,
)
from pipeline.deliver.watching import look
from pipeline.records import Outcome, Receipt, RecordKind

#: Answers that make no sense are asked for again this often at least, however long ago the first was.
SENSELESS = 5
#: Seconds calls may take to end when the account's delivery is to stop.
STOP_GRACE = 10.0


class Outbox(Protocol):
    """Where endings are written: receipts, and dead letters for what was refused."""

    def write(self, place: Place, endings: Sequence[Written]) -> None:
        """Take them; while this process lives they cannot be lost."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What an account's delivery works with.

    `wall` is epoch seconds, `random` uniform in [0, 1), `sets` the coupon sets it keeps filled.
    """

    desk: Desk
    client: ConnectifClient
    gate: Gate
    outbox: Outbox
    wall: Callable[[], float]
    random: Callable[[], float]
    sets: Mapping[str, CouponSetSettings]


class AccountDelivery:
    """Runs between `run` and `stop`, perhaps more than once; keeps what it knows in between.

    Args:
        account: its name.
        settings: the stage's.
        tools: see there.
        known: whether calls may have been made before this process, by it or by another worker.
    """

    def __init__(self, account: str, settings: DeliverSettings, tools: Tools, *, known: bool) -> None:
        self.account = account
        self.gate = tools.gate
        self._settings = settings
        self._tools = tools
        self._desk = tools.desk
        self._book = tools.desk.book(account)
        self.scheduler = Scheduler(
            settings,
            self._book,
            tools.gate.budget,
            needs=self._needs,
            is_told=self._is_told,
            sets=tools.sets,
        )
        self._contacts = Contacts(
            account, self._desk, tools.client, fresh=settings.consent_fresh, wall=tools.wall
        )
        self._importer = Importer(
            account,
            self._desk,
            self.scheduler,
            tools.client,
            contacts=self._contacts,
            settings=settings,
            end=self._end,
        )
        self._tries: dict[Key, Tries] = {}
        #: Answers that can only be the record's own fault: how many, when the first came, and how many
        #: purchases had been told by the last; those that say that Connectif is away are counted apart.
        self._senseless: dict[tuple[Key, bool], tuple[int, float, int]] = {}
        self._purchases_told = 0
        #: Of purchases that are not told yet.
        self._progress: dict[Key, Progress] = {}
        self._stopping = asyncio.Event()
        self._known = known

    def ready(self) -> None:
        """Before each `run`: a `stop` from here on ends it, even one that comes before its first step."""
        self._stopping.clear()
        self.gate.open()

    async def run(self) -> None:
        """Deliver until `stop`; an unexpected exception ends it and everything under way."""
        if self._known:
            imported = (RecordKind.CONTACT, RecordKind.PRODUCT, RecordKind.COUPON)
            self.scheduler.imports.doubt(imported, self._now())
            self._known = False
        errands: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as group:
            while not self._stopping.is_set():
                seconds = self._start(group, errands)
                if seconds > 0:
                    await self.gate.bell.wait(seconds)
            if errands:
                await asyncio.wait(errands, timeout=STOP_GRACE)
            for errand in errands:
                errand.cancel()

    def stop(self) -> None:
        """Start nothing more; `run` returns once what is under way has ended, or was called off."""
        self._stopping.set()
        self.gate.close()

    def arrived(self) -> None:
        """Records came in."""
        self.gate.bell.ring()

    def settled(self, receipt: Receipt) -> None:
        """A receipt was read back."""
        key = Key(receipt.kind, receipt.id)
        self._ended(key)
        if receipt.outcome is not Outcome.SUPERSEDED:
            self._progress.pop(key, None)
            self._contacts.ended(key)
        self.scheduler.settled(key)
        self.gate.bell.ring()

    def explained(self) -> dict[str, Any]:
        """What the next calls are for, and why; see `explain`."""
        account = Explained(self.account, self.scheduler, self.gate, self._book, self._asks, self._tries)
        return explain(account, self._now(), self._tools.wall())

    # What is next.

    def _start(self, group: asyncio.TaskGroup, errands: set[asyncio.Task[None]]) -> float:
        """Start one errand, or say how long there is nothing to start."""
        now = self._now()
        seconds = self.gate.wait(now)
        if seconds > 0:
            return seconds
        action = self.scheduler.next(now, self._tools.wall())
        if isinstance(action, Idle):
            return max(0.001, action.until - now)
        if isinstance(action, Import):
            self.scheduler.imports.starting(action.kind, action.batch.lane, yes=True)
        elif isinstance(action, Poll):
            action.job.flying = True
        task = group.create_task(self._errand(action, self.gate.enter(now)))
        errands.add(task)
        task.add_done_callback(errands.discard)
        return 0.0

    async def _errand(self, action: Send | Import | Poll | ListImports | Watch, way: Pass) -> None:
        try:
            match action:
                case Send(key=key):
                    await self._send(key, way)
                case Import(kind=kind, batch=batch):
                    await self._importer.send(kind, batch, way)
                case Poll(job=job):
                    await self._importer.poll(job, way)
                case ListImports():
                    await self._importer.list(way)
                case Watch(name=name):
                    await look(self.account, name, self.scheduler.stock, self._tools.client, way)
        finally:
            way.leave()

    # One record.

    async def _send(self, key: Key, way: Pass) -> None:
        line = self._book[key.kind]
        waiting = self._desk.entry(self.account, key).current
        if waiting is None:
            line.drop(key.id)
            return
        if self._asks(key) and self._importer.asking.defers(key):
            if self._importer.asking.set_aside(key.kind, Batch([], lane=line.lane(key.id)), [key.id]):
                await self._importer.asking.ask(way)
            return
        try:
            result = await self._tell(key, waiting, way)
        except asyncio.CancelledError:
            line.back(key.id, tried=way.calls > 0)
            raise
        way.leave()
        self._conclude(key, waiting, result)

    async def _tell(self, key: Key, waiting: Waiting, way: Pass) -> Result:
        state, client = waiting.state, self._tools.client
        verdict = self._desk.judge(self.account, key, waiting, self._desk.told(self.account, key))
        match verdict:
            case Unchanged(reason=reason):
                return Ending(Outcome.UNCHANGED, reason)
            case PutContact() if isinstance(state, ContactState):
                result = await self._contacts.tell(key, waiting, state, verdict, way)
            case PutProduct() | DeleteProduct():
                result = await tell_product(client, way, key, verdict)
            case CreatePurchase() | ReplacePurchase() | DeletePurchase() if isinstance(state, PurchaseState):
                progress = self._progress.setdefault(key, Progress())
                sale = Sale(
                    client,
                    way,
                    self._book,
                    key.id,
                    body=state.body,
                    progress=progress,
                    told_contact=self._told_contact,
                )
                result = await sale.tell(verdict)
                if isinstance(result, Ending):
                    return _complete(result, waiting, way, tuple(dict.fromkeys(progress.repaired)))
            case _:
                raise TypeError(f"a {key.kind} cannot be told by calls of its own: {type(verdict).__name__}")
        return _complete(result, waiting, way) if isinstance(result, Ending) else result

    def _conclude(self, key: Key, waiting: Waiting, result: Result) -> None:
        line = self._book[key.kind]
        match result:
            case Aside(needs=needs, tried=tried):
                if tried:
                    line.mark_tried(key.id)
                self.scheduler.purchases.refused(key.id, needs)
            case Again(sign=Sign.LIMITED | Sign.REFUSED, tried=tried):
                line.back(key.id, tried=tried)
            case Again(sign=sign, reason=reason, detail=detail) if self._hopeless(key, sign):
                self._end([(key, waiting, Ending(Outcome.DEAD, reason or UNAVAILABLE, detail))])
            case Again():
                self._delay(key, result)
            case Ending():
                self._end([(key, waiting, result)])

    def _hopeless(self, key: Key, sign: Sign) -> bool:
        """Whether another answer of no sense is one too many; the account's troubles are not counted.

        That Connectif is away is the account's trouble, unless other purchases were told meanwhile. Of a
        contact or product it would not be known what Connectif holds then: they are tried for ever.
        """
        away = sign is not Sign.WELL
        if away and key.kind is not RecordKind.PURCHASE:
            return False
        told = self._purchases_told
        before, since, told_before = self._senseless.get((key, away), (0, self._now(), told))
        if before and away and told == told_before:
            return False
        self._senseless[key, away] = before + 1, since, told
        longest = self._settings.retry_away_for if away else self._settings.retry_for
        return before >= SENSELESS and self._now() - since >= longest

    def _ended(self, key: Key) -> None:
        """A version of it is dealt with: the next one begins anew."""
        self._tries.pop(key, None)
        for away in (True, False):
            self._senseless.pop((key, away), None)

    def _delay(self, key: Key, result: Again) -> None:
        """Full jitter on an exponential back-off of the record's own: one bad record holds up no other."""
        words = result.detail or result.reason or result.sign.value
        tries = self._tries[key] = Tries.after(self._tries.get(key), words, self._tools.wall())
        longest = min(self._settings.retry_max, self._settings.retry_min * 2.0 ** min(tries.count, 30))
        if result.tried:
            self._book[key.kind].mark_tried(key.id)
        self.scheduler.delay(key, self._now() + self._tools.random() * longest)

    # Endings.

    def _end(self, endings: Sequence[Written]) -> None:
        """Write endings down; from here on the records wait for their receipts to be read back."""
        for key, _, ending in endings:
            self._ended(key)
            self._contacts.ended(key)
            if key.kind is RecordKind.COUPON:
                continue  # a set that has its codes already says nothing of the account's health
            if ending.outcome is Outcome.DELIVERED:
                self._purchases_told += key.kind is RecordKind.PURCHASE
                self.gate.health.delivered(key.kind)
            elif ending.outcome is Outcome.DEAD:
                self.gate.health.died(key.kind, _why(key.kind, ending))
        for key, _, _ in endings:
            self._book[key.kind].landed(key.id)
        self._tools.outbox.write(Place(self.account, self._desk.partition), endings)

    # What the scheduler asks.

    def _needs(self, purchase: str) -> Sequence[Key]:
        waiting = self._desk.entry(self.account, Key(RecordKind.PURCHASE, purchase)).current
        if waiting is None or not isinstance(waiting.state, PurchaseState) or waiting.state.body is None:
            return ()
        contact, _ = contact_of(waiting.state.body)
        return (contact, *products_of(waiting.state.body))

    def _asks(self, key: Key) -> bool:
        waiting = self._desk.entry(self.account, key).current
        if key.kind is not RecordKind.CONTACT or waiting is None:
            return False
        verdict = self._desk.judge(self.account, key, waiting, self._desk.told(self.account, key))
        return self._contacts.asks(key, waiting, verdict) and self._contacts.known(key, waiting) is None

    def _is_told(self, key: Key) -> bool:
        return self._desk.is_told(self.account, key)

    def _told_contact(self, contact: Key) -> ContactTold | None:
        told = self._desk.told(self.account, contact)
        return told if isinstance(told, ContactTold) else None

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _why(kind: RecordKind, ending: Ending) -> str:
    """For logs: Connectif's own words may tell more of people than what the call sent."""
    status = "" if ending.status is None else f", {ending.status}"
    return f"{kind} {ending.reason}{status}"


def _complete(ending: Ending, waiting: Waiting, way: Pass, repaired: tuple[Key, ...] = ()) -> Ending:
    told = fingerprint_of(waiting.state) if ending.outcome is Outcome.DELIVERED else ""
    return replace(ending, calls=way.calls, fingerprint=told, repaired=repaired)
