"""The proof: everything, then a day with webhooks that are lost, then the daily pull; killed meanwhile."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar

import httpx

from pipeline.sync.pull.state import Wanted
from tests.integration.operating import Site
from tests.processes import wait_until
from tests.proof import truth
from tests.proof.platforms import PROVED
from tests.proof.running import RunningShop
from tests.proof.truth import Purchase, Shop, Size

ThingT = TypeVar("ThingT")
#: A file of contacts, one of products, and a look at what became of them.
FILES = 3


@dataclass
class Phase:
    """What one phase took.

    Attributes:
        name: of it.
        seconds: until Connectif held the truth.
        asked: requests to the shop's API, by store.
        calls: to Connectif, by store.
        kills: of the sync worker.
        fewest_calls: the least that any program could need for what became different, of all stores.
    """

    name: str
    seconds: float
    asked: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    fewest_calls: int = 0


class Proof:
    """Shops of several platforms on one site.

    Args:
        site: that runs.
        platforms: of the shops.
        size: of each.
        seed: of all that is drawn.
        patience: seconds for which a phase may take.
        say: what is told meanwhile.
    """

    def __init__(
        self,
        site: Site,
        platforms: Sequence[str],
        size: Size,
        *,
        seed: int,
        patience: float,
        say: Callable[[str], None] = lambda _: None,
        latency: float = 0.0,
    ) -> None:
        self._site, self._patience, self._say = site, patience, say
        self._size = size
        self._rng = Random(seed)  # noqa: S311 - a shop, not a key
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.phases: list[Phase] = []
        self._purchases: dict[str, dict[str, Purchase]] = {name: {} for name in platforms}
        self.shops = {
            name: RunningShop(
                site, name, truth.began(size, PROVED[name].traits, self._rng, self.now), latency
            )
            for name in platforms
        }
        with ThreadPoolExecutor() as pool:
            for _ in pool.map(
                lambda one: one.holds((told, "made") for told in one.shop.everything), self._all
            ):
                pass

    def close(self) -> None:
        """Close connections."""
        for one in self._all:
            one.close()

    @property
    def _all(self) -> Iterable[RunningShop]:
        return self.shops.values()

    def first_sync(self, kills: int) -> None:
        """Everything; Connectif holds it afterwards."""
        self._phase("first full sync", Wanted.FULL, kills)

    def a_day(self, share: float, lost: float) -> None:
        """A day of webhooks, some of which were never sent."""
        before, began = self._figures(), time.monotonic()
        for name, one in self.shops.items():
            events = truth.a_day(one.shop, self._rng, self.now, share, lost)
            one.holds((told, deed) for told, deed, _ in events)
            self._rng.shuffle(events)
            sent = one.sends(events)
            self._say(f"{name}: {len(events)} events in the day, {sent} told by webhooks")
        self.settle()
        self._add("a day of webhooks", before, began, 0)

    def daily_pull(self, kills: int) -> None:
        """The daily run; Connectif holds the truth afterwards."""
        self._phase("daily pull", Wanted.DAILY, kills)

    def second_pull(self) -> list[Mapping[str, Any]]:
        """Another daily run, in which nothing is news; returns its runs."""
        return self._phase("a second daily pull", Wanted.DAILY, 0)

    # Phases.

    def _phase(self, name: str, wanted: Wanted, kills: int) -> list[Mapping[str, Any]]:
        before, began = self._figures(), time.monotonic()
        commands = {one.store: one.sync(wanted) for one in self._all}
        fewest = sum(PROVED[one].fewest_requests(self._size) for one in self.shops)
        apart = 2 + fewest // max(1, kills)
        for number in range(kills):
            self._site_asks(sum(self._asked().values()) + self._rng.randrange(1, apart), commands)
            self._say(f"{name}: kill -9 of the sync worker ({number + 1} of {kills})")
            self._site.kill("sync")
        runs: dict[str, Mapping[str, Any]] = {}

        def over() -> bool:
            for one in self._all:
                runs[one.store] = one.run_of(commands[one.store])
            return all(runs.values())

        wait_until(over, self._patience, every=0.3)
        for store, run in runs.items():
            assert run["status"] == "done", (store, run)
            assert not run["held"], (store, run["held"])
        self._say(f"{name}: read after {time.monotonic() - began:.0f} s")
        self.settle()
        self._add(name, before, began, kills)
        return list(runs.values())

    def _site_asks(self, requests: int, commands: Mapping[str, str]) -> None:
        """Until the shops answered so many requests, or nothing is left to ask."""
        wait_until(
            lambda: (
                sum(self._asked().values()) >= requests
                or all(one.run_of(commands[one.store]) for one in self._all)
            ),
            self._patience,
            every=0.05,
        )

    def settle(self) -> None:
        """Until nothing is under way."""
        quiet = 0

        def rests() -> bool:
            nonlocal quiet
            try:
                at_rest = self._site.totals().is_at_rest and not self._waiting()
            except httpx.TimeoutException:  # a busy machine is not at rest
                self._say("a process did not say how far it is within 10 s")
                at_rest = False
            quiet = quiet + 1 if at_rest else 0
            return quiet >= 3

        wait_until(rests, self._patience, every=0.3)

    def _waiting(self) -> float:
        return self._site.waiting("pipeline_sync_waiting")

    # Figures.

    def _asked(self) -> Counter[str]:
        return Counter({one.store: one.asked() for one in self._all})

    def _figures(self) -> tuple[Counter[str], Counter[str]]:
        return self._asked(), self._site.connectif.calls()

    def _add(self, name: str, before: tuple[Counter[str], Counter[str]], began: float, kills: int) -> None:
        seconds = time.monotonic() - began
        asked, calls = (now - then for now, then in zip(self._figures(), before, strict=True))
        self.phases.append(Phase(name, seconds, asked, calls, kills, self._fewest_calls()))

    def _fewest_calls(self) -> int:
        """A call for each purchase that came or went, two for one that is another now; files, and a look."""
        calls = 0
        for name, one in self.shops.items():
            before, now = self._purchases[name], truth.purchases(one.shop)
            calls += len(before.keys() ^ now.keys()) + FILES
            calls += 2 * sum(before[key] != now[key] for key in before.keys() & now.keys())
            self._purchases[name] = now
        return calls

    # The truth.

    def lasting_differences(self) -> dict[str, dict[str, Any]]:
        """Those of `differences` that stay: between two stages a record is in no count for a moment."""
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: not self.differences(), self._patience / 4, every=1.0)
        return self.differences()

    def differences(self) -> dict[str, dict[str, Any]]:
        """By platform and what: what Connectif holds and should not, lacks, or holds differently."""
        found = {}
        for name, one in self.shops.items():
            shop = one.shop
            differ = {
                "contacts": differing(one.contacts(), truth.contacts(shop)),
                "products": differing(held := one.products(), truth.products(shop, held)),
                "purchases": differing(one.purchases(), truth.purchases(shop)),
                "made too often": _too_often(one.purchases_made(), shop),
            }
            found[name] = {what: some for what, some in differ.items() if some}
        return {name: some for name, some in found.items() if some}


def differing(held: Mapping[str, ThingT], wanted: Mapping[str, ThingT]) -> dict[str, Any]:
    """By key what is held and what should be, where they differ."""
    keys = held.keys() | wanted.keys()
    return {key: (held.get(key), wanted.get(key)) for key in keys if held.get(key) != wanted.get(key)}


def _too_often(made: Mapping[str, int], shop: Shop) -> dict[str, Any]:
    """Purchases that were made more often than they changed."""
    return {key: count for key, count in made.items() if count > 1 + shop.changes.get(key, 0)}
