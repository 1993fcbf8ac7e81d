"""The accounts of one worker: opened, run concurrently, and closed with their partitions."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import httpx

from pipeline.config import Settings
from pipeline.config_accounts import AccountSettings
from pipeline.connectif.client import ConnectifClient, upload_seconds
from pipeline.deliver.partition.partition_state import PartitionState
from pipeline.deliver.partition.receipt_writer import EndedRecord, ReceiptWriter
from pipeline.deliver.partition.receipts import AccountPartition
from pipeline.deliver.partition.unit_of_work import Committer, UnitOfWork
from pipeline.deliver.send import messages
from pipeline.deliver.send.account_delivery import AccountDelivery, DeliveryDependencies
from pipeline.deliver.send.admission import AdmissionControl, HeardCall, ServerLimits
from pipeline.deliver.send.call_failures import CallFailures
from pipeline.deliver.send.health import Health
from pipeline.deliver.send.unsubscribing import UnsubscribingCalls
from pipeline.deliver.state.last_caller import LastCaller
from pipeline.limiter.journal import Journal
from pipeline.limiter.limiter import Limiter
from pipeline.records import Outcome, Receipt, partition_of

S = TypeVar("S", bound=UnitOfWork)


@dataclass(frozen=True, slots=True)
class ManagerDependencies(Generic[S]):
    """The dependencies of all account deliveries.

    Attributes:
        worker: this worker's name, the same after a restart.
        directory: of the call journals; persists.
        committer: makes and confirms steps.
        receipt_writer: puts endings into a step, as receipts and dead letters.
        fatal: called with an unexpected exception.
        heard: called with each answered call of an account.
        wall: epoch seconds.
        random: uniform in [0, 1).
        transport: where calls go; None is the network.
    """

    worker: str
    directory: Path
    committer: Committer[S]
    receipt_writer: ReceiptWriter
    fatal: Callable[[BaseException], None]
    heard: Callable[[str, HeardCall], None]
    wall: Callable[[], float]
    random: Callable[[], float]
    transport: httpx.AsyncBaseTransport | None = None


@dataclass(slots=True)
class _OpenAccount:
    delivery: AccountDelivery
    client: ConnectifClient
    journal: Journal
    unsubscribing: UnsubscribingCalls
    task: asyncio.Task[None] | None = None


class AccountManager(Generic[S]):
    """See the module.

    Args:
        settings: accounts and the stage's.
        dependencies: see there.
    """

    def __init__(self, settings: Settings, dependencies: ManagerDependencies[S]) -> None:
        self._settings = settings
        self._deps = dependencies
        self._names: defaultdict[int, list[str]] = defaultdict(list)
        for name in settings.accounts:
            self._names[self._partition(name)].append(name)
        self._partition_states: dict[int, PartitionState] = {}
        self._accounts: dict[str, _OpenAccount] = {}
        self._outbox = _Outbox(dependencies)

    # Partitions.

    async def open(self, *partition_states: PartitionState) -> None:
        """Open these partitions' accounts, once all their receipts are read back.

        Calls made before this process count: those that the last caller recorded, or those in the journal
        if that was this worker, else a whole window. An account without a last caller starts at once.
        """
        opened: dict[str, _OpenAccount] = {}
        with self._deps.committer.begin() as step:
            for partition_state in partition_states:
                self._partition_states[partition_state.partition] = partition_state
                partition_state.open(step)
                for name in self._names[partition_state.partition]:
                    opened[name] = self._make(name, partition_state)
                    partition_state.set_last_caller(name, LastCaller(self._deps.worker), step)
            await self._deps.committer.confirm(step)
        self._accounts |= opened

    async def run(self) -> None:
        """Deliver to every account that is open; not while `pause` is called."""
        resting = [name for name, account in self._accounts.items() if account.task is None]
        await self._mark([name for name in resting if self._has_left(name)], left=False)
        for name in resting:
            account = self._accounts[name]
            account.delivery.ready()
            account.task = asyncio.create_task(self._run(account), name=f"deliver {name}")

    async def pause(self, *, leave: bool = True) -> None:
        """Stop delivering; returns once every call has ended or was cancelled.

        Args:
            leave: whether to record the last window's calls for the next caller; only while there is none.
        """
        for account in self._accounts.values():
            account.delivery.stop()
        tasks = [account.task for account in self._accounts.values() if account.task is not None]
        if tasks:
            await asyncio.wait(tasks)
        for account in self._accounts.values():
            account.task = None
            await account.client.close()
        await self._outbox.empty()
        if leave:
            await self._mark([name for name in self._accounts if not self._has_left(name)], left=True)

    async def close(self, partitions: Sequence[int], *, moved: bool) -> None:
        """Close the accounts of these partitions, after a pause.

        Args:
            partitions: their numbers.
            moved: whether another worker takes them over: its calls will not be in our journals.
        """
        for name in [name for name in self._accounts if self._partition(name) in partitions]:
            account = self._accounts.pop(name)
            await account.client.close()
            for kept in (account.journal, account.unsubscribing):
                if moved:
                    kept.remove()
                else:
                    kept.close()
        for partition in partitions:
            self._partition_states.pop(partition, None)

    # Events.

    def arrived(self, accounts: Sequence[str]) -> None:
        """Records came in for these accounts."""
        for name in accounts:
            if name in self._accounts:
                self._accounts[name].delivery.arrived()

    def settled(self, receipt: Receipt) -> None:
        """A receipt was read back."""
        account = self._accounts.get(receipt.account)
        if account is not None:
            account.delivery.settled(receipt)

    # Looking.

    @property
    def running(self) -> bool:
        """Whether any account is delivered to."""
        return any(account.task is not None for account in self._accounts.values())

    def accounts(self) -> Iterator[tuple[str, AccountDelivery]]:
        """The open accounts."""
        for name, account in self._accounts.items():
            yield name, account.delivery

    def partition_states(self) -> Iterator[PartitionState]:
        """The open partitions."""
        yield from self._partition_states.values()

    # Inside.

    async def _mark(self, names: Sequence[str], *, left: bool) -> None:
        """Record that this worker makes these accounts' calls, or has stopped and with which calls."""
        if not names:
            return
        wall = self._deps.wall()
        with self._deps.committer.begin() as step:
            for name in names:
                calls = self._accounts[name].journal.calls(wall)
                answers = tuple(wall if end is None else end for _, end in calls)
                last_caller = LastCaller(self._deps.worker, answers if left else None)
                self._partition_states[self._partition(name)].set_last_caller(name, last_caller, step)
            await self._deps.committer.confirm(step)

    def _has_left(self, name: str) -> bool:
        last_caller = self._partition_states[self._partition(name)].last_caller(name)
        return last_caller is not None and last_caller.left is not None

    def _make(self, name: str, partition_state: PartitionState) -> _OpenAccount:
        deps, settings = self._deps, self._settings.accounts[name]
        last_caller = partition_state.last_caller(name)
        journal = self._journal(name, settings)
        budget = Limiter(settings.calls_per_minute, settings.window_seconds, settings.reserve_calls)
        self._count_before(last_caller, journal, budget)
        client = ConnectifClient(
            name,
            settings,
            timeout=self._settings.deliver.call_timeout,
            transport=deps.transport,
            wall=deps.wall,
        )
        admission = AdmissionControl(
            budget,
            Health(self._settings.deliver, deps.random, partial(messages.stopped, name)),
            journal,
            wall=deps.wall,
            at_once=self._settings.deliver.concurrency,
            heard=partial(deps.heard, name),
            call_failures=CallFailures(partial(messages.failing, name, deps.wall)),
            slowed=ServerLimits(partial(messages.slowed, name, budget)),
        )
        unsubscribing = UnsubscribingCalls(deps.directory / f"{name}.unsubscribing")
        of_account = DeliveryDependencies(
            partition_state,
            client,
            admission,
            self._outbox,
            deps.wall,
            deps.random,
            settings.coupons,
            unsubscribing,
        )
        delivery = AccountDelivery(name, self._settings.deliver, of_account, known=last_caller is not None)
        return _OpenAccount(delivery, client, journal, unsubscribing)

    def _count_before(self, last_caller: LastCaller | None, journal: Journal, budget: Limiter) -> None:
        """Reserve slots for calls made before; also in the journal, as this worker may be killed next."""
        if last_caller is None:
            return
        now, wall = asyncio.get_running_loop().time(), self._deps.wall()
        if last_caller.left is not None:
            journal.inherit(last_caller.left, wall)
        elif last_caller.worker != self._deps.worker or not journal.existed:
            journal.inherit([wall] * budget.limit, wall)
            budget.assume_used(now)
            return
        offset = now - wall
        budget.restore(((start + offset, end and end + offset) for start, end in journal.calls(wall)), now)

    def _journal(self, name: str, settings: AccountSettings) -> Journal:
        path = self._deps.directory / f"{name}.calls"
        deliver = self._settings.deliver
        longest = upload_seconds(deliver.call_timeout, deliver.import_max_bytes)
        return Journal(path, window=settings.window_seconds, longest=longest)

    async def _run(self, account: _OpenAccount) -> None:
        try:
            await account.delivery.run()
        except Exception as error:  # noqa: BLE001 - after any error the worker must not continue as if delivered
            self._deps.fatal(error)

    def _partition(self, account: str) -> int:
        return partition_of(account, self._settings.kafka.account_partitions)


class _Outbox(Generic[S]):
    """Writes endings as steps; those that come while one is submitted go with the next.

    Dead letters first: of one step, a kill could leave the receipt alone, with which the record is over.
    """

    def __init__(self, deps: ManagerDependencies[S]) -> None:
        self._deps = deps
        self._waiting: list[tuple[AccountPartition, Sequence[EndedRecord]]] = []
        self._task: asyncio.Task[None] | None = None

    def write(self, place: AccountPartition, endings: Sequence[EndedRecord]) -> None:
        if endings:
            self._waiting.append((place, endings))
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._hand_over(), name="endings")

    async def empty(self) -> None:
        """Return once everything is submitted."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def _hand_over(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting, []
                committer, writer = self._deps.committer, self._deps.receipt_writer
                if any(ending.outcome is Outcome.DEAD for _, endings in taken for _, _, ending in endings):
                    with committer.begin() as step:
                        for place, endings in taken:
                            writer.letters(step, place, endings)
                        await committer.confirm(step)
                with committer.begin() as step:
                    for place, endings in taken:
                        writer.receipt_of_each(step, place, endings)
                    await committer.submit(step)
        except Exception as error:  # noqa: BLE001 - an ending that is not written must not be forgotten
            self._deps.fatal(error)
