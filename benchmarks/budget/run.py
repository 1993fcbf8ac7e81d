"""One program, one account, one workload, on virtual time: what was said, and every call that was made."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.budget.baselines import one_by_one, token_bucket
from benchmarks.budget.workload import Action
from pipeline.config import Settings, parse
from pipeline.records import PurchaseRecord, Record
from pipeline.sandbox.connectif.http.call_log import LoggedCall
from pipeline.sandbox.connectif.http.routes import table
from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour
from tests.simulation import expected_state, virtual
from tests.simulation.environment import Environment, Life
from tests.simulation.shop import Shop

ACCOUNT = "acme"
#: Seconds between two looks whether all is done.
LOOK = 1.0


class Program(Protocol):
    """What is measured."""

    async def start(self) -> None:
        """Begin."""

    def say(self, record: Record) -> None:
        """A record comes in."""

    def finished(self) -> bool:
        """Whether everything that came in was dealt with."""

    async def stop(self) -> None:
        """End; raises where the result is wrong."""


class Pipeline:
    """The deliver stage; its end is exact."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._life = Life(environment, "w1")

    async def start(self) -> None:
        """Begin."""
        await self._life.start()

    def say(self, record: Record) -> None:
        """A record comes in."""
        self._environment.say(record)

    def finished(self) -> bool:
        """Whether every record has its receipt."""
        if self._life.errors:
            raise self._life.errors[0]
        return self._environment.finished(self._life)

    async def stop(self) -> None:
        """End; nothing is missing, twice or old, and every version is accounted for."""
        expected_state.check_state(self._environment)
        self._environment.accounted(self._life)
        await self._life.stop()


PROGRAMS: Mapping[str, Callable[[Environment], Program]] = {
    "pipeline": Pipeline,
    "token bucket": token_bucket,
    "one by one": one_by_one,
}


@dataclass(frozen=True, slots=True)
class Said:
    """A record, and when it was said in seconds from the beginning."""

    at: float
    record: Record


@dataclass(frozen=True, slots=True)
class Story:
    """How a run went. Times are seconds from the beginning.

    Attributes:
        said: every record.
        calls: every call, in the order they ended.
        refused: calls answered 429.
        limit: calls a window.
        window: its length in seconds.
        over: how much of the clock's window was over at the beginning.
        real_seconds: CPU time it took.
    """

    said: Sequence[Said]
    calls: Sequence[LoggedCall]
    refused: int
    limit: int
    window: float
    over: float
    real_seconds: float

    def delivered(self) -> dict[str, float]:
        """When each purchase was first created, by its id."""
        found: dict[str, float] = {}
        for call in self.calls:
            route = table.ALL_ROUTES[call.route]
            if (route.method, route.template, call.status) == ("POST", "/purchases/", 201):
                found.setdefault(call.key or "", call.time + call.duration)
        return found

    def kinds(self) -> Counter[str]:
        """Calls by method and element."""
        routes = (table.ALL_ROUTES[call.route] for call in self.calls)
        return Counter(f"{route.method} {route.template.split('/')[1]}" for route in routes)

    def ordered(self) -> dict[str, Said]:
        """The first record of each purchase, by its id."""
        found: dict[str, Said] = {}
        for said in self.said:
            if isinstance(said.record, PurchaseRecord) and said.record.body is not None:
                found.setdefault(said.record.id, said)
        return found


def tell(
    program: str, actions: Sequence[Action], switches: Mapping[str, Any], seed: int, **deliver: Any
) -> Story:
    """Run `program` on `actions` until all is done, with these settings of the deliver stage."""
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as directory:
        said, environment = virtual.run(
            _tell(PROGRAMS[program], actions, switches, seed, _settings(Path(directory), deliver))
        )
    account = environment.sandbox.accounts[ACCOUNT]
    settings = environment.settings.accounts[ACCOUNT]
    began = said[0].at if said else 0.0
    calls = [call._replace(time=call.time - began) for call in account.log.page(0, account.log.total)]
    assert not account.log.forgotten
    return Story(
        said=[Said(item.at - began, item.record) for item in said],
        calls=calls,
        refused=account.log.refused,
        limit=settings.calls_per_minute,
        window=settings.window_seconds,
        over=began % settings.window_seconds,
        real_seconds=time.process_time() - begun,
    )


async def _tell(
    make: Callable[[Environment], Program],
    actions: Sequence[Action],
    switches: Mapping[str, Any],
    seed: int,
    settings: Settings,
) -> tuple[list[Said], Environment]:
    loop = asyncio.get_running_loop()
    environment = Environment(settings, seed, ApiBehaviour().changed(switches))
    program = make(environment)
    await program.start()
    sink, began = _TimedSink(program), loop.time()
    shop = Shop(sink)
    for at, action in actions:
        if began + at > loop.time():
            await asyncio.sleep(began + at - loop.time())
        action(shop)
    while not program.finished():  # noqa: ASYNC110 - time is virtual
        await asyncio.sleep(LOOK)
    await program.stop()
    return sink.said, environment


class _TimedSink:
    """Remembers what it passes on."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.said: list[Said] = []

    def say(self, record: Record) -> None:
        self.said.append(Said(virtual.wall(), record))
        self._program.say(record)


def _settings(directory: Path, deliver: Mapping[str, Any]) -> Settings:
    """The defaults, and these."""
    account = {"api_key": f"{ACCOUNT}:secret", "base_url": "http://localhost"}
    tree: dict[str, Any] = {
        "data_dir": str(directory),
        "deliver": dict(deliver),
        "kafka": {"account_partitions": 1},
        "sandbox": {"calls_kept": 1_000_000},
        "accounts": {ACCOUNT: {**account, "authorised_domains": ["https://shop.example"]}},
    }
    return parse(tree, {})
