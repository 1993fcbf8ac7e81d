"""What a long run stands on: all of `pipeline up`, a sandbox, shops, and the comparison at the end."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
import tomli_w

from benchmarks.endurance.trade import Load, Shops
from benchmarks.endurance.usage import Usage
from pipeline import config
from pipeline.config import Settings
from pipeline.demo import demo_settings, sandbox
from pipeline.demo.comparison import of_all
from pipeline.demo.result import RunResult
from pipeline.demo.settling import SettlementWatch
from pipeline.local.ports import free_port
from pipeline.local.supervisor import Pace
from pipeline.local.wiring import Wiring

STAGES = ("gateway", "translate", "sync", "deliver")
#: The sandbox's minute lasts a second: 100 calls in each.
SPEED = 60.0
#: A supervisor that waits longer after each death would keep what is killed all the time from running.
PACE = Pace(first=0.5, most=1.0)
#: Seconds between two lines of progress, and seconds without any progress that end a run.
EVERY, PATIENCE = 30.0, 240.0


def settings(directory: Path) -> Settings:
    """The demo's stores and accounts; signatures are made at the start and must be good for hours."""
    tree = demo_settings.tree(directory, SPEED, free_port())
    for store in tree["stores"].values():
        if store["platform"] == "generic":
            store["signature_tolerance"] = 86_400
    path = directory / "pipeline.toml"
    path.write_text(tomli_w.dumps(tree), encoding="utf-8")
    return config.load(path, environ={})


class Course(NamedTuple):
    """How long a run is, how many webhooks a second the shops send, and the seed of all chance."""

    minutes: float
    rate: float
    seed: int


class Progress:
    """Lines on standard output and in a file, with the time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def say(self, text: str) -> None:
        """Write a line."""
        line = f"{time.strftime('%H:%M:%S')} {text}"
        print(line, flush=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class Stand:
    """See the module.

    Args:
        wiring: that runs.
        chosen: its settings.
        sold: what shops send.
        shops: that send it.
        say: a line of progress.
    """

    def __init__(
        self, wiring: Wiring, chosen: Settings, sold: Load, shops: Shops, say: Callable[[str], None]
    ) -> None:
        self.wiring = wiring
        self.shops = shops
        self.usage = Usage()
        self.watch = SettlementWatch({name: wiring.urls[name] for name in STAGES}, lambda _: None)
        self._settings = chosen
        self._sold = sold
        self._say = say

    async def opens(self) -> None:
        """The shops' APIs answer from now on."""
        await sandbox.open_shops(self.wiring.urls["sandbox"], self._sold.made)

    async def looks(self, more: Callable[[], str] = lambda: "") -> None:
        """Say how it goes, until cancelled.

        Args:
            more: to be said, too.

        Raises:
            PipelineError: a process ended for good.
        """
        while True:
            self.usage.look(self.wiring.statuses)
            await self.watch.look()
            for name in self.wiring.failed:
                raise self.wiring.complaint(name)
            posted, account = self.shops.posted, self.watch.account
            self._say(
                f"{posted.done} of {len(self._sold.deliveries)} posted, {posted.unanswered} attempts failed; "
                f"{account.received} received, {account.settled} records settled, {account.pending} pending; "
                f"load {os.getloadavg()[0]:.1f}{more()}"
            )
            await asyncio.sleep(EVERY)

    async def rests(self) -> str:
        """Wait until all is settled; returns why it is not, empty where it is."""
        return await self.watch.until_rest(self.shops.posted.kept, PATIENCE)

    async def judged(self, killed: Sequence[str], complaint: str, seconds: Mapping[str, float]) -> RunResult:
        """What the sandbox and the processes say in the end, beside what was sent."""
        url = self.wiring.urls["sandbox"]
        async with httpx.AsyncClient(base_url=url, timeout=120, trust_env=False) as client:
            budgets = await sandbox.budgets(client)
            held = {name: await sandbox.held(client, name) for name in self._settings.accounts}
        await self.watch.close()
        return RunResult(
            seed=0,
            speed=SPEED,
            events=len(self._sold.deliveries),
            seconds=seconds,
            posted=self.shops.posted,
            replayed=Counter(),
            asked=frozenset(self._sold.made.documents),
            rejected=self._sold.made.rejected,
            account=self.watch.account,
            budgets=budgets,
            differences=tuple(of_all(self._sold.statements, held)),
            held={name: one.counts for name, one in held.items()},
            freshness=(),
            killed=tuple(killed),
            complaint=complaint,
            directory=self._settings.data_dir,
        )


def verdict(result: RunResult, progress: Progress) -> int:
    """Say what was checked and what speaks against it; returns the exit code."""
    for check in result.checks:
        progress.say(f"{'yes' if check.agrees else 'NO '} {check.says}")
        for line in check.against[:20]:
            progress.say(f"      {line}")
    return 0 if result.agrees else 1
