"""`pipeline demo`: start everything, replay and post, wait until all of it is settled, and compare."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
from rich.live import Live

from pipeline.config import Settings
from pipeline.console import Console
from pipeline.demo import demo_settings as setting
from pipeline.demo import display as show
from pipeline.demo import freshness, reconciling, replay, sandbox, traffic
from pipeline.demo.api_side import ApiSide, Left, Synced
from pipeline.demo.chaos import Chaos
from pipeline.demo.comparison import of_all
from pipeline.demo.result import RunResult
from pipeline.demo.sender import WebhookSender
from pipeline.demo.settling import SettlementWatch
from pipeline.demo.totals import PipelineTotals
from pipeline.demo.traffic import Traffic
from pipeline.gateway.produce import producer_of
from pipeline.kafka.settings import Setting, client_config
from pipeline.local.wiring import Wiring

STAGES = ("gateway", "translate", "sync", "deliver")
#: The posting takes about so long, however many webhooks there are; few go at a rate of so many a second.
POSTING_SECONDS = 25.0
LEAST_RATE = 60.0
#: Seconds without any progress that end a run; a worker that was killed is back much sooner.
PATIENCE = 60.0
LIVE_SECONDS = 0.25
LINE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command was asked for; `speed` divides the sandbox's minute."""

    events: int = 6_000
    speed: float = 60.0
    seed: int = 1
    keep: bool = False
    as_json: bool = False
    kill: bool = False


@dataclass(slots=True)
class Parts:
    """How long each part of the run took, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def timed(self, name: str) -> AsyncIterator[None]:
        """Time what happens inside."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = time.monotonic() - began


def run(options: DemoOptions) -> int:
    """Run the demo; returns the exit code: 0 where everything agrees, 1 where not, 130 after Ctrl-C.

    Raises:
        PipelineError: something cannot be started.
    """
    console = Console(stderr=options.as_json)
    made = traffic.make(options.events, options.seed, datetime.now(UTC).replace(microsecond=0))
    for name in [name for name in os.environ if name.startswith("PIPELINE__")]:
        del os.environ[name]  # the caller's settings are for the caller's own pipeline
    directory = Path(tempfile.mkdtemp(prefix="pipeline-demo-"))
    os.environ["TMPDIR"] = str(directory)  # what its processes leave for others of their name goes with it
    try:
        done = asyncio.run(_until_signal(_demo(options, made, directory, console)))
    except KeyboardInterrupt:  # before, or after, this process handled the signals
        done = None
    except BaseException:
        console.print(f"Logs and data: {directory}", style="dim", highlight=False, soft_wrap=True)
        raise
    if not options.keep and (done is None or done.agrees):
        shutil.rmtree(directory, ignore_errors=True)
    else:
        console.print(f"Logs and data: {directory}", style="dim", highlight=False, soft_wrap=True)
    if done is None:
        return 130
    if options.as_json:
        sys.stdout.write(json.dumps(done.as_json(), indent=2) + "\n")
    else:
        show.result(done, console)
    return 0 if done.agrees else 1


async def _until_signal(work: Coroutine[Any, Any, RunResult]) -> RunResult | None:
    """The work's result; None where a signal, or the end of the terminal, ended it. It stops cleanly."""
    task = asyncio.create_task(work)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return None


async def _demo(options: DemoOptions, made: Traffic, directory: Path, console: Console) -> RunResult:
    _, settings = setting.write(directory, options.speed)
    console.print(
        f"{made.live:,} webhooks of {len(settings.stores)} shops, through a real Kafka, to a "
        f"simulated Connectif whose minute is {setting.MINUTE / options.speed:.2g} s long "
        f"(--speed {options.speed:g}).\n"
        f"Beside them a backfill: {len(made.replayed):,} events of the shops' history, replayed all at once; "
        "it takes what the live orders leave of the budget.",
        highlight=False,
    )
    parts = Parts()

    def say(text: str) -> None:
        console.print(f"{text} ...", style="dim", highlight=False)

    async with contextlib.AsyncExitStack() as stack:
        wiring = Wiring(settings, sandbox=True, say=say)
        async with parts.timed("start"):
            await stack.enter_async_context(wiring)
        # Read now: a broker that was killed may be restarting at the end.
        kafka = client_config(settings)
        session = _Session(options, made, wiring, kafka, settings=settings, console=console, parts=parts)
        return await session.run()


class _Session:
    """One run on a pipeline that is up."""

    def __init__(
        self,
        options: DemoOptions,
        made: Traffic,
        wiring: Wiring,
        kafka: Mapping[str, Setting],
        *,
        settings: Settings,
        console: Console,
        parts: Parts,
    ) -> None:
        self._options = options
        self._made = made
        self._wiring = wiring
        self._kafka = kafka
        self._settings = settings
        self._console = console
        self._parts = parts
        self._replayed: Counter[tuple[str, str]] = Counter()
        self._progress = show.DemoProgress(made.live)
        address = {"bootstrap": str(kafka["bootstrap.servers"])}
        #: With Kafka's address, for what asks it.
        self._reachable = settings.model_copy(update={"kafka": settings.kafka.model_copy(update=address)})
        assert made.newsletter is not None  # noqa: S101 - `traffic.make` makes one
        self._beside = ApiSide(self._reachable, wiring.address, wiring.urls, made.newsletter)
        self._synced: Synced | None = None
        self._left: Left | None = None
        rate = max(LEAST_RATE, made.live / POSTING_SECONDS)
        self._poster = WebhookSender(wiring.address, traffic.mixed(made.beside, made.posted), rate)
        self._watch = SettlementWatch({name: wiring.urls[name] for name in STAGES}, self._note)
        self._chaos = Chaos(lambda: wiring.statuses, Random(options.seed))  # noqa: S311 - a demo

    async def run(self) -> RunResult:
        """Replay, post, wait, compare."""
        work = asyncio.create_task(self._work())
        others = self._wiring.watch(), self._display(), self._until_one_fails()
        watching = [asyncio.create_task(other) for other in others]
        try:
            await asyncio.wait([work, *watching], return_when=asyncio.FIRST_COMPLETED)
            for task in (*watching, work):
                if task.done():
                    await task  # one that watches ends only by an error
            return await work
        finally:
            for task in (work, *watching):
                task.cancel()
            await asyncio.gather(work, *watching, return_exceptions=True)
            await self._watch.close()

    async def _until_one_fails(self) -> None:
        """Raises: PipelineError, where a process ended for good: nothing would come of waiting."""
        while not (failed := self._wiring.failed):  # noqa: ASYNC110 - polls processes
            await asyncio.sleep(LIVE_SECONDS)
        raise self._wiring.complaint(failed[0])

    async def _work(self) -> RunResult:
        posted_all = asyncio.Event()
        killing: asyncio.Task[None] | None = None
        looking = asyncio.create_task(self._watch.run())
        try:
            await sandbox.open_shops(self._wiring.urls["sandbox"], self._made)
            syncing = await self._beside.begin_sync()
            # From now on: what is given to a broker that is killed would have to be given again.
            if self._options.kill:
                killing = asyncio.create_task(self._chaos.run(posted_all))
            async with self._parts.timed("replay"):
                await self._replay()
            async with self._parts.timed("post"):
                posted = await self._poster.run()
            posted_all.set()
            if killing is not None:
                await killing
            looking.cancel()
            async with self._parts.timed("settle"):
                self._synced = await self._beside.synced(syncing)
                given = posted.kept + self._replayed + self._synced.events
                complaint = await self._watch.until_rest(given, PATIENCE)
                if not complaint:
                    self._left = await self._beside.leave()
                    complaint = await self._watch.until_rest(given + self._left.events, PATIENCE)
        finally:
            looking.cancel()
            if killing is not None:
                killing.cancel()
        return await self._judged(complaint)

    async def _replay(self) -> None:
        link = await asyncio.to_thread(producer_of, self._settings)
        try:
            await replay.send(
                link, replay.messages(self._made.replayed, self._settings, int(time.time() * 1_000))
            )
            self._replayed = traffic.kept(self._made.replayed)
        finally:
            await asyncio.to_thread(link.close)

    async def _judged(self, complaint: str) -> RunResult:
        # Not where a run ended early: then orders are missing, and it was said why.
        reconciled = () if complaint else await self._reconciled()
        receipts = await asyncio.to_thread(freshness.read, self._kafka, self._settings)
        # Last, as it sells something: what it leaves behind would show in what Connectif holds.
        async with self._parts.timed("check"):
            checked = None if complaint else await self._beside.check()
        url = self._wiring.urls["sandbox"]
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
            budgets = await sandbox.budgets(client)
            held = {name: await sandbox.held(client, name) for name in self._settings.accounts}
        return RunResult(
            seed=self._options.seed,
            speed=self._options.speed,
            events=self._made.live,
            seconds=self._parts.seconds,
            posted=self._poster.posted,
            replayed=self._replayed,
            asked=frozenset(self._made.documents),
            rejected=self._made.rejected,
            account=self._watch.account,
            budgets=budgets,
            differences=tuple(of_all(self._made.statements, held)),
            held={name: one.counts for name, one in held.items()},
            freshness=freshness.of(receipts),
            reconciled=reconciled,
            newsletter=self._made.newsletter,
            synced=self._synced,
            left=self._left,
            checked=checked,
            killed=tuple(self._chaos.killed),
            complaint=complaint,
            directory=self._settings.data_dir,
        )

    async def _reconciled(self) -> tuple[reconciling.StoreReconciled, ...]:
        """Each shop's list beside Connectif."""
        settings, made = self._reachable, self._made.deliveries
        since = (datetime.now(UTC) - timedelta(days=7)).date()

        def of_account(name: str) -> list[reconciling.StoreReconciled]:
            stores = [store for store, one in settings.stores.items() if one.accounts == (name,)]
            return [
                reconciling.reconcile_by_api(settings, store, since)
                if store in self._made.lists
                else reconciling.reconcile(settings, made, store)
                for store in stores
            ]

        # Accounts at once, the stores of one after the other: they share what Connectif exports.
        async with self._parts.timed("reconcile"):
            found = await asyncio.gather(*(asyncio.to_thread(of_account, name) for name in settings.accounts))
        return tuple(one for of_one in found for one in of_one)

    def _note(self, account: PipelineTotals) -> None:
        kept = self._poster.posted.kept + self._replayed
        self._progress.update(time.monotonic(), self._poster.posted.done, kept.total(), account)
        self._progress.killed = len(self._chaos.killed)

    async def _display(self) -> None:
        """Keeps the picture up to date on a terminal; prints a line now and then elsewhere."""
        if self._console.is_terminal:
            with Live(console=self._console, auto_refresh=False, transient=True) as live:
                while True:
                    self._progress.statuses = self._wiring.statuses
                    live.update(show.live(self._progress), refresh=True)
                    await asyncio.sleep(LIVE_SECONDS)
        said = ""
        while True:
            await asyncio.sleep(LINE_SECONDS)
            if self._progress.line != said:
                said = self._progress.line
                self._console.print(said, highlight=False, soft_wrap=True)
