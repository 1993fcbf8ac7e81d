"""The accounts of one worker: made as partitions come, run side by side, put away as partitions go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import httpx

from pipeline.config import AccountSettings, Settings
from pipeline.connectif.answers import Answer
from pipeline.connectif.client import ConnectifClient, upload_seconds
from pipeline.deliver import saying
from pipeline.deliver.account import AccountDelivery, Tools
from pipeline.deliver.desk import Desk
from pipeline.deliver.gate import Gate, Slowed
from pipeline.deliver.health import Health
from pipeline.deliver.owner import Owner
from pipeline.deliver.paper import Paper, Written
from pipeline.deliver.receipts import Place
from pipeline.deliver.steps import Post, Step
from pipeline.deliver.trouble import Trouble
from pipeline.limiter.journal import Journal
from pipeline.limiter.limiter import Limiter
from pipeline.records import Receipt, partition_of

S = TypeVar("S", bound=Step)


@dataclass(frozen=True, slots=True)
class Surroundings(Generic[S]):
    """What the deliveries get from outside.

    Attributes:
        worker: this worker's name, the same after a restart.
        directory: of the call journals; persists.
        post: makes and confirms steps.
        paper: puts endings into a step, as receipts and dead letters.
        fatal: told of an exception nobody expected.
        heard: told of each call: account, route, what it was for, answer, seconds.
        wall: epoch seconds.
        random: uniform in [0, 1).
        transport: where calls go; None is the network.
    """

    worker: str
    directory: Path
    post: Post[S]
    paper: Paper
    fatal: Callable[[BaseException], None]
    heard: Callable[[str, str, str, Answer, float], None]
    wall: Callable[[], float]
    random: Callable[[], float]
    transport: httpx.AsyncBaseTransport | None = None


@dataclass(slots=True)
class _Account:
    delivery: AccountDelivery
    client: ConnectifClient
    journal: Journal
    task: asyncio.Task[None] | None = None


class Deliveries(Generic[S]):
    """See the module.

    Args:
        settings: accounts and the stage's.
        surroundings: see there.
    """

    def __init__(self, settings: Settings, surroundings: Surroundings[S]) -> None:
        self._settings = settings
        self._around = surroundings
        self._desks: dict[int, Desk] = {}
        self._accounts: dict[str, _Account] = {}
        self._outbox = _Outbox(surroundings)

    # Partitions.

    async def open(self, desk: Desk) -> None:
        """A partition's receipts are all read back: its accounts can be delivered to.

        The calls made before this process count: those that the last owner left word of, or those in the
        journal where that was this worker, else a whole window's. An account that nobody ever delivered to
        starts at once.
        """
        self._desks[desk.partition] = desk
        with self._around.post.begin() as step:
            desk.open(step)
            names = [name for name in self._settings.accounts if self._partition(name) == desk.partition]
            opened = {name: self._make(name, desk) for name in names}
            for name in names:
                desk.own(name, Owner(self._around.worker), step)
            await self._around.post.confirm(step)
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
        """Stop delivering; returns once every call has ended or was called off.

        Args:
            leave: whether the next owner is to know which calls were made; only where there is none yet.
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
        """Put away the accounts of these partitions, after a pause.

        Args:
            partitions: their numbers.
            moved: whether another worker goes on with them, whose calls our journals will not have.
        """
        for name in [name for name in self._accounts if self._partition(name) in partitions]:
            account = self._accounts.pop(name)
            await account.client.close()
            if moved:
                account.journal.remove()
            else:
                account.journal.close()
        for partition in partitions:
            self._desks.pop(partition, None)

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

    def desks(self) -> Iterator[Desk]:
        """The open partitions."""
        yield from self._desks.values()

    # Inside.

    async def _mark(self, names: Sequence[str], *, left: bool) -> None:
        """Write down that these accounts are ours, or that we have left them and with which calls."""
        if not names:
            return
        wall = self._around.wall()
        with self._around.post.begin() as step:
            for name in names:
                calls = self._accounts[name].journal.calls(wall)
                answers = tuple(wall if end is None else end for _, end in calls)
                owner = Owner(self._around.worker, answers if left else None)
                self._desks[self._partition(name)].own(name, owner, step)
            await self._around.post.confirm(step)

    def _has_left(self, name: str) -> bool:
        owner = self._desks[self._partition(name)].owner(name)
        return owner is not None and owner.left is not None

    def _make(self, name: str, desk: Desk) -> _Account:
        around, settings = self._around, self._settings.accounts[name]
        owner = desk.owner(name)
        journal = self._journal(name, settings)
        budget = Limiter(settings.calls_per_minute, settings.window_seconds, settings.reserve_calls)
        self._count_before(owner, journal, budget)
        client = ConnectifClient(
            name,
            settings,
            timeout=self._settings.deliver.call_timeout,
            transport=around.transport,
            wall=around.wall,
        )
        gate = Gate(
            budget,
            Health(self._settings.deliver, around.random, partial(saying.stopped, name)),
            journal,
            wall=around.wall,
            at_once=self._settings.deliver.concurrency,
            heard=partial(around.heard, name),
            trouble=Trouble(partial(saying.failing, name, around.wall)),
            slowed=Slowed(partial(saying.slowed, name, budget)),
        )
        tools = Tools(desk, client, gate, self._outbox, around.wall, around.random, settings.coupons)
        delivery = AccountDelivery(name, self._settings.deliver, tools, known=owner is not None)
        return _Account(delivery, client, journal)

    def _count_before(self, owner: Owner | None, journal: Journal, budget: Limiter) -> None:
        """Take places for calls made before; in the journal too, as we may be killed the next moment."""
        if owner is None:
            return
        now, wall = asyncio.get_running_loop().time(), self._around.wall()
        if owner.left is not None:
            journal.inherit(owner.left, wall)
        elif owner.worker != self._around.worker or not journal.existed:
            journal.inherit([wall] * budget.limit, wall)
            budget.assume_used(now)
            return
        offset = now - wall
        budget.restore(((start + offset, end and end + offset) for start, end in journal.calls(wall)), now)

    def _journal(self, name: str, settings: AccountSettings) -> Journal:
        path = self._around.directory / f"{name}.calls"
        deliver = self._settings.deliver
        longest = upload_seconds(deliver.call_timeout, deliver.import_max_bytes)
        return Journal(path, window=settings.window_seconds, longest=longest)

    async def _run(self, account: _Account) -> None:
        try:
            await account.delivery.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker must not go on as if delivered
            self._around.fatal(error)

    def _partition(self, account: str) -> int:
        return partition_of(account, self._settings.kafka.account_partitions)


class _Outbox(Generic[S]):
    """Writes endings as steps; what comes while one is being handed over goes with the next."""

    def __init__(self, around: Surroundings[S]) -> None:
        self._around = around
        self._waiting: list[tuple[Place, Sequence[Written]]] = []
        self._task: asyncio.Task[None] | None = None

    def write(self, place: Place, endings: Sequence[Written]) -> None:
        if endings:
            self._waiting.append((place, endings))
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._hand_over(), name="endings")

    async def empty(self) -> None:
        """Return once everything is handed over."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def _hand_over(self) -> None:
        try:
            while self._waiting:
                with self._around.post.begin() as step:
                    for place, endings in self._waiting:
                        self._around.paper.write(step, place, endings)
                    self._waiting.clear()
                    await self._around.post.submit(step)
        except Exception as error:  # noqa: BLE001 - an ending that is not written must not be forgotten
            self._around.fatal(error)
