"""Makes the runs of one store: page after page, each kept with the cursor behind it before the next is asked.

Killed between any two lines, it goes on at the page whose rows were not confirmed; these are the same
deliveries then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import time

from pipeline.events import Kind
from pipeline.metrics import SYNC_PULLED, SYNC_RUNS
from pipeline.notifier import Notifier
from pipeline.shops.pull import PullPass, ShopPull
from pipeline.shops.settings import StoreSettings
from pipeline.sync.lanes import ShopLane
from pipeline.sync.pull import plan
from pipeline.sync.pull.memory import Memory
from pipeline.sync.pull.pages import Asked, Pages
from pipeline.sync.pull.rows import Missing, Source, Told, deletion_event, gone, keys_of, tell
from pipeline.sync.pull.state import (
    TAKEN,
    Command,
    Pass,
    PassStatus,
    Pending,
    Run,
    RunStatus,
    StoreState,
    Wanted,
)

log = logging.getLogger(__name__)

#: Seconds between two looks whether the day's run is due, and deletions told at once.
LOOK, AT_ONCE = 5.0, 200


@dataclass(frozen=True, slots=True)
class Store:
    """What a store's runs are made of.

    Attributes:
        name: its name.
        platform: its platform's name.
        settings: the store's.
        pull: the platform's lists.
        kinds: that are read.
        at: when the day's run begins, by the store's clocks; None: there is none.
        max_bytes: of an event.
        is_deletion: whether a topic says that an entity is gone.
    """

    name: str
    platform: str
    settings: StoreSettings
    pull: ShopPull[StoreSettings]
    kinds: tuple[Kind, ...]
    at: time | None
    max_bytes: int
    is_deletion: Callable[[str], bool]


class StorePuller:
    """The runs of one store.

    Args:
        store: whose.
        memory: what is kept.
        pages: asks the shop.
        clock: seconds since the epoch.

    Attributes:
        state: as it is kept.
        waiting: commands that are not begun.
    """

    def __init__(self, store: Store, memory: Memory, pages: Pages, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._memory = memory
        self.pages = pages
        self._clock = clock
        self._news = Notifier()
        self.state = StoreState(store=store.name)
        self.waiting: list[Command] = []
        self._missed: Missing | None = None

    @property
    def is_daily(self) -> bool:
        """Whether it is read every day."""
        return self._store.at is not None

    def offer(self, command: Command) -> None:
        """A command came, and is kept."""
        if all(one.id != command.id for one in self.waiting):
            self.waiting.append(command)
            self._news.notify()

    async def run(self) -> None:
        """Make the runs that are wanted and due, until cancelled."""
        self.state = self._memory.state(self._store.name)
        self.waiting = self._memory.commands(self._store.name)
        self._missed = None
        if not self.state.known_ms:
            await self._begin_to_know()
        while True:
            if self.waiting and (self._ends_what_is_under_way() or self.state.under_way is None):
                await self._take()
            elif self.state.under_way is not None:
                await self._go_on(self.state.under_way)
            elif self._is_due():
                await self._begin(self._of_today())
            else:
                await self._news.wait(LOOK)

    def _now_ms(self) -> int:
        return int(self._clock() * 1_000)

    async def _begin_to_know(self) -> None:
        """The store is new: its first daily run is the next one whose time comes."""
        self.state.known_ms = self._now_ms()
        if self._is_due():
            self.state.day = plan.today(self._store.settings.timezone, self._clock())
        await self._memory.keep(self.state)

    def _is_due(self) -> bool:
        at = self._store.at
        return at is not None and plan.is_due(self.state, at, self._store.settings.timezone, self._clock())

    def _of_today(self) -> Command:
        today = plan.today(self._store.settings.timezone, self._clock())
        return Command(id=f"daily-{today}", store=self._store.name, wanted=Wanted.DAILY, at_ms=self._now_ms())

    # Runs.

    def _ends_what_is_under_way(self) -> bool:
        """Whether a command waits that does not wait for the run's end: a stop, or everything anew."""
        return self._urgent() is not None

    def _urgent(self) -> Command | None:
        at_once = (one for one in self.waiting if one.ends_others and one.id not in self.state.taken)
        return next(at_once, None)

    async def _take(self) -> None:
        """Begin the next command; one that ends others takes the place of those before it."""
        run, command = self.state.under_way, self._urgent() or self.waiting[0]
        passed = self.waiting[: self.waiting.index(command)] if command.ends_others else []
        if command.id in self.state.taken:
            await self._drop([command])
        elif run is not None:
            await self._end(run, RunStatus.STOPPED)
        elif command.wanted is Wanted.STOP:
            self._remember(command)
            await self._drop([*passed, command])
        else:
            await self._begin(command, passed)

    async def _drop(self, commands: list[Command]) -> None:
        await self._memory.keep(self.state, begun=commands)
        self.waiting = [one for one in self.waiting if one not in commands]

    def _remember(self, command: Command) -> None:
        self.state.taken = [*self.state.taken, command.id][-TAKEN:]

    async def _begin(self, command: Command, passed: Sequence[Command] = ()) -> None:
        """Keep a new run, and with it that it was begun."""
        state, now_ms = self.state, self._now_ms()
        shop_ms = await self.pages.shop_now_ms(self._first_pass(command, now_ms), self._lane(command))
        state.runs += 1
        passes = plan.passes(self._store.pull, command, self._store.kinds, state, shop_ms)
        if command.wanted is Wanted.FULL and not command.dry_run:
            for one in passes:
                one.total = await self.pages.total(one, self._lane(command))
        state.run = Run(command=command, number=state.runs, passes=passes, began_ms=now_ms)
        if command.wanted is Wanted.DAILY:
            state.day = plan.today(self._store.settings.timezone, self._clock())
        self._remember(command)
        await self._drop([*passed, command])
        log.info(
            "store %s: a sync begins (%s, run %s): %s",
            self._store.name,
            command.wanted,
            command.id,
            ", ".join(f"{one.kind} {one.reads}" for one in passes) or "nothing to read",
            extra={"event": "sync.run_begins"},
        )

    def _first_pass(self, command: Command, now_ms: int) -> Pass | None:
        found = plan.passes(self._store.pull, command, self._store.kinds, self.state, now_ms)
        return found[0] if found else None

    def _lane(self, command: Command) -> ShopLane:
        return ShopLane.FULL if command.wanted is Wanted.FULL else ShopLane.DAILY

    async def _go_on(self, run: Run) -> None:
        """Read until the run is over, or a command ends it."""
        while (current := run.current) is not None:
            if self._ends_what_is_under_way():
                return
            if current.status is PassStatus.WAITING:
                first = self._store.pull.first(self._store.settings, current.scope)
                current.status, current.began_ms = PassStatus.READING, self._now_ms()
                current.pending = [Pending.of(first)]
            if current.pending:
                await self._page(run, current)
            else:
                await self._finish(run, current)
        failed = any(one.status is PassStatus.FAILED for one in run.passes)
        await self._end(run, RunStatus.FAILED if failed else RunStatus.DONE)

    async def _end(self, run: Run, status: RunStatus) -> None:
        state = self.state
        run.status, run.ended_ms = status, self._now_ms()
        whole = not run.command.dry_run and not run.command.kinds
        if status is RunStatus.DONE and whole and run.command.wanted in {Wanted.DAILY, Wanted.FULL}:
            state.complete_ms = run.began_ms
            if run.command.wanted is Wanted.FULL:
                state.full_ms = run.began_ms
        await self._memory.keep(state)
        SYNC_RUNS.labels(self._store.name, status).inc()
        errors = "; ".join(f"{one.kind}: {one.error}" for one in run.passes if one.error)
        log.log(
            logging.INFO if status is RunStatus.DONE else logging.WARNING,
            "store %s: the sync %s is over (%s)%s; `pipeline sync status --store %s` says more",
            self._store.name,
            run.command.id,
            status,
            f": {errors}" if errors else "",
            self._store.name,
            extra={"event": "sync.run_over", "status": status.value},
        )

    # Pages.

    def _source(self, run: Run, current: Pass) -> Source:
        return Source(
            store=self._store.name,
            platform=self._store.platform,
            kind=current.kind,
            run=run.command.id,
            number=run.number,
            lane=run.lane,
            now_ms=self._now_ms(),
            max_bytes=self._store.max_bytes,
            resends=run.command.wanted is Wanted.FULL,
            is_deletion=self._store.is_deletion,
            restored=self._store.pull.restored.get(current.kind, ""),
            headers=self._store.pull.headers(self._store.settings),
        )

    async def _page(self, run: Run, current: Pass) -> None:
        """Ask for the next page, and keep it."""
        asked = await self.pages.ask(current, self._lane(run.command), self._ends_what_is_under_way)
        if asked is None:  # a command waits
            return
        if asked.error:
            current.status, current.error, current.ended_ms = PassStatus.FAILED, asked.error, self._now_ms()
            current.pending = []
            await self._memory.keep(self.state)
            return
        if run.command.dry_run:
            current.requests, current.read, current.total = 1, len(asked.rows), asked.total
            current.status, current.pending, current.ended_ms = PassStatus.DONE, [], self._now_ms()
            await self._memory.keep(self.state)
            return
        await self._keep(run, current, asked)

    async def _keep(self, run: Run, current: Pass, asked: Asked) -> None:
        """The page's events, what is remembered of its rows and the cursor behind it, in one step."""
        if current.reads is PullPass.PRESENT:
            told = await self._present(run, current, asked)
        else:
            known = self._memory.known(self._store.name, keys_of(asked.rows, current.kind))
            told = tell(asked.rows, known, self._source(run, current))
        current.pending = [*asked.following]
        current.requests += asked.requests
        current.read += len(asked.rows)
        current.sent += len(told.events)
        current.unchanged += told.unchanged
        current.deleted += told.deleted
        current.dropped += told.dropped + asked.dropped
        current.total = current.total if asked.total is None else asked.total
        if told.newest_ms is not None:
            current.newest_ms = max(current.newest_ms or 0, told.newest_ms)
        await self._memory.keep(self.state, told=told)
        self._count(current, told, asked.dropped)

    def _count(self, current: Pass, told: Told, dropped: int = 0) -> None:
        said = {
            "sent": len(told.events) - told.deleted,
            "unchanged": told.unchanged,
            "deleted": told.deleted,
            "dropped": told.dropped + dropped,
        }
        for what, count in said.items():
            if count:
                SYNC_PULLED.labels(self._store.name, current.kind, what).inc(count)
        if said["dropped"]:
            log.warning(
                "store %s: %d rows of %s are too large or cut by the shop, and were left out; their webhooks "
                "have them",
                self._store.name,
                said["dropped"],
                current.kind,
                extra={"event": "sync.rows_dropped"},
            )

    # What is missing.

    async def _missing(self, run: Run, current: Pass) -> Missing:
        """The entities that this run did not see; looked for once, then kept."""
        if self._missed is None:
            self._missed = await self._memory.missing(self._store.name, current.kind, run.number)
        return self._missed

    async def _present(self, run: Run, current: Pass, asked: Asked) -> Told:
        """Those that were missing and are there were seen."""
        told, missed = Told(), (await self._missing(run, current)).rows
        for row in asked.rows:
            for key, seen in missed.pop(row.entity, {}).items():
                told.writes[key] = seen._replace(run=run.number)
        return told

    async def _finish(self, run: Run, current: Pass) -> None:
        """A list was read to its end."""
        if current.reads is PullPass.PRESENT:
            await self._tell_missing(run, current)
        current.status, current.ended_ms = PassStatus.DONE, self._now_ms()
        self._missed = None
        looks = plan.looks_for_missing(self._store.pull, run, current)
        if looks and (await self._missing(run, current)).rows:
            again = Pass(kind=current.kind, reads=PullPass.PRESENT, until_ms=current.until_ms)
            run.passes.insert(run.passes.index(current) + 1, again)
        if not run.command.dry_run:
            plan.advance(self.state, current)
            plan.remember(self.state, current)
        await self._memory.keep(self.state)

    async def _tell_missing(self, run: Run, current: Pass) -> None:
        """Tell that those that are in neither of two lists are gone; unless they are too many."""
        found, source = await self._missing(run, current), self._source(run, current)
        deletion = self._store.pull.deletion
        if not found.rows or deletion is None:
            return
        if plan.too_many(len(found.rows), found.known) and not run.command.accept_deletions:
            run.held[current.kind] = len(found.rows)
            log.error(
                "store %s: %d of %d known of %s are missing at the shop; that many are not believed, and not "
                "deleted. Look at the rights of the API's key; if they are gone: pipeline sync %s --full "
                "--kinds %s --accept-deletions",
                self._store.name,
                len(found.rows),
                found.known,
                current.kind,
                self._store.name,
                current.kind,
                extra={"event": "sync.deletions_held"},
            )
            return
        entities = sorted(found.rows)
        for start in range(0, len(entities), AT_ONCE):
            told = Told()
            for entity in entities[start : start + AT_ONCE]:
                said = deletion(current.kind, entity)
                if said is not None:
                    told.events.append(deletion_event(entity, said, source))
                    told.writes.update(gone(entity, found.rows[entity], source))
                    told.deleted += 1
            current.sent += told.deleted
            current.deleted += told.deleted
            await self._memory.keep(self.state, told=told)
            self._count(current, told)
