"""Soak: resident memory of every process under a steady load, with tables that change but do not grow.

    python -m benchmarks.soak [--minutes 10] [--rate 100] [--entities 500]

Gateway, workers, sandbox and embedded broker run as with `pipeline up --sandbox`; the budget is lifted, so
that nothing piles up. Every entity of three stores is announced once; then follow new versions of them, and
repeats. The slope is that of a straight line through the samples after the first fifth. Exit code 1 where the
account or the sandbox's ledger does not agree in the end, or a process had to be started again.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import orjson
import psutil
import tomli_w

from benchmarks.arguments import argument_parser
from benchmarks.harness import free_port, machine, report
from benchmarks.load import Template, templates
from pipeline import config
from pipeline.demo import sandbox
from pipeline.demo.messages import MESSAGES
from pipeline.demo.sender import SendResults, WebhookSender
from pipeline.demo.settling import SettlementWatch
from pipeline.demo.shop_history import Delivery
from pipeline.demo.shops import Shop
from pipeline.events import Kind
from pipeline.local.wiring import Wiring

SHOPS = (
    Shop("north", "shopify", "acme", "north.example", "secret-1", 5_000_000_000, 0.5),
    Shop("outlet", "shopify", "acme", "outlet.example", "secret-2", 6_000_000_000, 0.2),
    Shop("south", "woocommerce", "bottega", "south.example", "secret-3", 7_000_000_000, 0.3),
)
#: A store's ids of one template lie so far from those of the next.
APART = 1_000_000
REPEATED = 0.1
#: Of all new versions of orders; the others say nothing that Connectif has to hear.
CHANGED_ORDERS = 0.2
#: Ten seconds in ten minutes.
SAMPLES = 60
WARM_UP = 0.2
PATIENCE = 60.0
UNLIMITED = 100_000_000
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def tree(directory: Path) -> dict[str, Any]:
    """The settings: two accounts whose budget never binds."""
    place = f"http://127.0.0.1:{free_port()}"
    return {
        "data_dir": str(directory),
        "deliver": {"import_poll": 1.0},
        "sandbox": {"calls_kept": 1_000, "switches": {"import_rows_per_second": 1_000_000}},
        "accounts": {
            name: {"api_key": f"{name}:secret", "base_url": place, "calls_per_minute": UNLIMITED}
            for name in dict.fromkeys(shop.account for shop in SHOPS)
        },
        "stores": {
            shop.name: {
                "platform": shop.platform,
                "account": shop.account,
                "domain": shop.domain,
                "secrets": [shop.secret],
            }
            for shop in SHOPS
        },
    }


@dataclass(slots=True)
class _Entity:
    """Something a shop tells of, and how often it has changed."""

    shop: Shop
    template: Template
    id: int
    version: int = 0

    @property
    def email(self) -> str:
        """Its buyer, or itself."""
        return f"buyer{self.id % APART}@{self.shop.domain}"

    def body(self, sent: int, changed: int) -> bytes:
        """As the shop tells it after `changed` changes; `sent` seconds are its clock."""
        now = _BEGINNING + timedelta(seconds=sent)
        own: dict[str, Any] = {"id": self.id, "email": self.email}
        price = f"{10 + changed}.00"
        if self.template.platform == "shopify":
            own |= {"updated_at": now.isoformat(), "test": False, "cancelled_at": None}
            money = {"amount": price, "currency_code": self.template.body.get("currency")}
            if self.template.kind is Kind.ORDER:
                own |= {"financial_status": "paid", "current_total_price": price}
                own |= {"current_total_price_set": {"shop_money": money}}
            else:
                own |= {"title": f"Article, edition {changed}", "first_name": f"Ann {changed}."}
        else:
            own |= {"date_modified_gmt": now.strftime("%Y-%m-%dT%H:%M:%S"), "total": price}
            own |= {"name": f"Article, edition {changed}", "first_name": f"Ann {changed}."}
            if self.template.kind is Kind.ORDER:
                own |= {"billing": {**self.template.body["billing"], "email": self.email}}
        return orjson.dumps(self.template.body | own)


class Traffic:
    """Deliveries without an end: every entity once, then changes of them, and repeats."""

    def __init__(self, entities: int, seed: int = 1) -> None:
        self._rng = Random(seed)  # noqa: S311 - a load, not a key
        self._messages = {platform: of(self._rng) for platform, of in MESSAGES.items()}
        self._known = [
            _Entity(shop, template, shop.first_id + place * APART + number)
            for shop in SHOPS
            for place, template in enumerate(templates()[0])
            if template.platform == shop.platform
            for number in range(max(1, round(entities * shop.share)))
        ]
        self._rng.shuffle(self._known)
        self._sent = 0

    def __iter__(self) -> Iterator[Delivery]:
        recent: list[Delivery] = []
        while True:
            recent = [*recent[-20:], self._next()]
            yield recent[-1]
            if self._rng.random() < REPEATED:
                yield self._rng.choice(recent)

    def _next(self) -> Delivery:
        entity = self._known[self._sent] if self._sent < len(self._known) else self._rng.choice(self._known)
        self._sent += 1
        if entity.template.kind is not Kind.ORDER or self._rng.random() < CHANGED_ORDERS:
            entity.version += 1
        shop, topic, kind = entity.shop, entity.template.topic, str(entity.template.kind)
        raw = entity.body(self._sent, entity.version)
        headers = self._messages[shop.platform].signed(shop, topic, raw, datetime.now(UTC))
        return Delivery(shop.name, shop.platform, headers, raw, kind)

    def expected(self, account: str) -> dict[str, int]:
        """How many purchases and contacts the account must hold after what was sent so far."""
        told = [one for one in self._known[: self._sent] if one.shop.account == account]
        orders = [one for one in told if one.template.kind is Kind.ORDER]
        people = {one.email for one in told if one.template.kind is not Kind.PRODUCT}
        return {"purchases": len(orders), "contacts": len(people)}


class Memory:
    """Resident memory of the processes, sampled."""

    def __init__(self, pids: Mapping[str, int], minutes: float) -> None:
        self._watched = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._minutes = minutes
        self._began = time.monotonic()
        self._samples: dict[str, list[tuple[float, float]]] = {name: [] for name in pids}

    def sample(self) -> dict[str, float]:
        """Take one; MB by process."""
        minute = (time.monotonic() - self._began) / 60
        found = {name: watched.memory_info().rss / 1e6 for name, watched in self._watched.items()}
        for name, rss in found.items():
            self._samples[name].append((minute, rss))
        return found

    def rows(self) -> list[dict[str, object]]:
        """The result, a process a row."""
        return [self._row(name, samples) for name, samples in self._samples.items()]

    def _row(self, name: str, samples: list[tuple[float, float]]) -> dict[str, object]:
        warm = [sample for sample in samples if sample[0] >= WARM_UP * self._minutes]
        slope = statistics.linear_regression(*zip(*warm, strict=True)).slope if len(warm) > 1 else 0.0
        row: dict[str, object] = {"process": name}
        for share in (WARM_UP, 0.5, 1.0):
            minute = share * self._minutes
            nearest = min(samples, key=lambda sample: abs(sample[0] - minute))
            row[f"RSS MB at minute {minute:g}"] = round(nearest[1], 1)
        return row | {
            "most": round(max(rss for _, rss in samples), 1),
            f"MB/min after minute {WARM_UP * self._minutes:g}": round(slope, 2),
        }


async def soak(directory: Path, minutes: float, rate: float, entities: int) -> int:
    """Run it; returns the exit code."""
    path = directory / "pipeline.toml"
    path.write_text(tomli_w.dumps(tree(directory)), encoding="utf-8")
    settings = config.load(path, environ={})
    async with Wiring(settings, sandbox=True) as wiring:
        watch = SettlementWatch(
            {name: wiring.urls[name] for name in ("gateway", "translate", "deliver")}, lambda _: None
        )
        memory = Memory({one.name: one.pid for one in wiring.statuses if one.pid is not None}, minutes)
        traffic = Traffic(entities)
        load = itertools.islice(traffic, round(minutes * 60 * rate))
        poster = WebhookSender(wiring.address, load, rate)
        posting = asyncio.create_task(poster.run())
        most = 0
        while not posting.done():
            await asyncio.wait([posting], timeout=minutes * 60 / SAMPLES)
            sizes = memory.sample()
            await watch.look()
            most = max(most, watch.account.pending)
            words = ", ".join(f"{name} {size:.0f}" for name, size in sizes.items())
            print(f"{poster.posted.done} posted, {watch.account.pending} pending; MB: {words}", flush=True)
        posted = await posting
        complaint = await watch.until_rest(posted.kept, PATIENCE)
        async with httpx.AsyncClient(base_url=wiring.urls["sandbox"], timeout=60, trust_env=False) as client:
            against = [*_against(complaint, posted, watch)]
            for name in settings.accounts:
                against += await _missing(client, name, traffic.expected(name))
        against += [f"{one.name} was started again" for one in wiring.statuses if one.restarts]
        await watch.close()
    report(memory.rows())
    events = Counter[str]()
    for outcomes in watch.account.events.values():
        events += outcomes
    print(f"events {dict(events)}; records settled {watch.account.settled}, most pending at once {most}")
    print("the account agrees" if not against else "DOES NOT AGREE: " + "; ".join(against))
    return 1 if against else 0


def _against(complaint: str, posted: SendResults, watch: SettlementWatch) -> Iterator[str]:
    """What speaks against the account of the processes."""
    if complaint:
        yield complaint
    yield from posted.surprises[:5]
    yield from watch.account.unbalanced()
    for row, kept in posted.kept.items():
        counted = watch.account.events[row].total()
        if counted < kept or (counted > kept and not posted.unanswered):
            yield f"{' '.join(row)}: the gateway kept {kept}, translate counted {counted}"
    for place, counts in watch.account.records.items():
        if counts["dead"]:
            yield f"{' '.join(place)}: {counts['dead']} dead"


async def _missing(client: httpx.AsyncClient, account: str, expected: Mapping[str, int]) -> Iterator[str]:
    """How the sandbox's ledger of an account differs from what must be in it."""
    held = await sandbox.held(client, account)
    found = {"purchases": len(held.purchases), "contacts": len(held.contacts)}
    return (
        f"{account} holds {found[kind]} {kind}, not {count}"
        for kind, count in expected.items()
        if found[kind] != count
    )


def main() -> int:
    """Measure and print."""
    parser = argument_parser(__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--entities", type=int, default=500)
    options = parser.parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        return asyncio.run(soak(Path(name), options.minutes, options.rate, options.entities))


if __name__ == "__main__":
    sys.exit(main())
