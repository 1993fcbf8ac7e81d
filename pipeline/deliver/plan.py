"""How long a volume would take, by the scheduler and the limiter that deliver it, on a clock of its own.

Records are ids and nothing else; calls take as long as they are said to. No HTTP, no Kafka, no disk.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.config import AccountSettings, DeliverSettings
from pipeline.deliver.book import Book
from pipeline.deliver.jobs import Batch, Job
from pipeline.deliver.receipts import Key
from pipeline.deliver.scheduler import Action, Idle, Import, Poll, Scheduler, Send
from pipeline.events import Lane
from pipeline.limiter.limiter import Limiter
from pipeline.records import RecordKind

CONTACT, PRODUCT, PURCHASE, _ = RecordKind
#: Epoch seconds at which the plan begins; only differences matter.
EPOCH = 1_700_000_000
#: Columns that contacts fill differ: so many sets of them, and so many files.
CONTACT_SHAPES = 4
#: Calls between two words of progress.
STEP = 500


@dataclass(frozen=True, slots=True)
class Volume:
    """What is to be delivered, and by what sort of Connectif.

    Attributes:
        orders: that wait at the beginning, in `lane`.
        new_customers: share of the orders whose contact Connectif does not know.
        products: products Connectif does not know, spread over the orders.
        corrections: share of the orders told again afterwards: a DELETE and a POST more.
        live_per_minute: live orders that come in beside them, until all that waited is told.
        latency: seconds of a call.
        import_seconds: what any import takes, beside its rows.
        import_rows_per_second: rows an import does.
        seed: of the live orders' arrival.
    """

    orders: int
    lane: Lane = Lane.BACKFILL
    new_customers: float = 0.6
    products: int = 0
    corrections: float = 0.0
    live_per_minute: float = 0.0
    latency: float = 0.3
    import_seconds: float = 5.0
    import_rows_per_second: float = 500.0
    seed: int = 0


@dataclass(slots=True)
class Forecast:
    """What it would take.

    Attributes:
        seconds: until the last of the orders that waited is told.
        calls: by purpose.
        bound: seconds that no schedule could do with less: each purchase a call, an import and a look a kind.
        live_seconds: from the arrival of each live order to its purchase, in order of size.
    """

    seconds: float
    calls: Counter[str]
    bound: float
    live_seconds: list[float] = field(default_factory=list)

    def live(self, share: float) -> float | None:
        """The time within which such a share of the live orders is told; None where there were none."""
        waits = self.live_seconds
        return waits[min(len(waits) - 1, int(share * len(waits)))] if waits else None

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "seconds": round(self.seconds, 1),
            "bound_seconds": round(self.bound, 1),
            "calls": dict(self.calls),
            "live_p50_seconds": self.live(0.5),
            "live_p95_seconds": self.live(0.95),
        }


def forecast(
    account: AccountSettings,
    deliver: DeliverSettings,
    volume: Volume,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Forecast:
    """Deliver the volume on paper; `progress` is told of purchases done and their number, now and then."""
    run = _Run(account, deliver, volume)
    while run.left:
        run.step()
        if run.told % STEP == 0:
            progress(run.told, run.of)
    progress(run.of, run.of)
    return run.forecast()


class _Run:
    """One plan under way."""

    def __init__(self, account: AccountSettings, deliver: DeliverSettings, volume: Volume) -> None:
        self._volume = volume
        self._deliver = deliver
        self._limiter = Limiter(account.calls_per_minute, account.window_seconds, account.reserve_calls)
        self._book = Book()
        self._known: set[Key] = set()
        self._needs: dict[str, Sequence[Key]] = {}
        self._scheduler = Scheduler(
            deliver,
            self._book,
            self._limiter,
            needs=lambda one: self._needs[one],
            is_told=self._known.__contains__,
            sets={},
        )
        self._now = 0.0
        self._last = 0.0
        self._answers: list[tuple[float, int, int, Action]] = []
        self._number = itertools.count()
        self._chance = random.Random(volume.seed)  # noqa: S311 - a plan is the same each time
        self._live: dict[str, float] = {}
        self._live_at = self._next_live(0.0)
        self._ends: dict[str, tuple[float, float]] = {}
        self._calls: Counter[str] = Counter()
        self._waits: list[float] = []
        self._corrections = self._to_correct = int(volume.orders * volume.corrections)
        self.of = self.left = volume.orders + self._corrections
        for number in range(volume.orders):
            self._order(f"o{number}", number, volume.lane)

    @property
    def told(self) -> int:
        """Purchases of the volume that are told."""
        return self.of - self.left

    def step(self) -> None:
        """Start the next call, or go on to when something happens."""
        self._arrive()
        wait = self._limiter.wait(self._now)
        if len(self._answers) >= self._deliver.concurrency:
            wait = math.inf
        if wait <= 0:
            action = self._scheduler.next(self._now, EPOCH + self._now)
            if not isinstance(action, Idle):
                self._start(action)
                return
            wait = max(1e-3, action.until - self._now)
        self._wait(wait)

    def forecast(self) -> Forecast:
        """What came of it."""
        kinds = sum(1 for what in ("contact rows", "product rows") if self._calls[what])
        fewest = self._volume.orders + 2 * self._corrections + 2 * kinds + len(self._waits)
        windows = math.ceil(fewest / self._limiter.limit_now) - 1
        return Forecast(self._last, self._calls, windows * self._limiter.window, sorted(self._waits))

    # What comes in.

    def _order(self, name: str, number: int, lane: Lane) -> None:
        volume, needs = self._volume, list[Key]()
        accepted = EPOCH + int(self._now)
        if (number * 0.618_034) % 1 < volume.new_customers:
            needs.append(Key(CONTACT, f"{name}@{number % CONTACT_SHAPES}"))
        if volume.products:
            needs.append(Key(PRODUCT, f"p{number % volume.products}"))
        for key in needs:
            if key not in self._known:
                self._book[key.kind].add(key.id, lane, accepted)
        self._needs[name] = needs
        self._book[PURCHASE].add(name, lane, accepted)

    def _arrive(self) -> None:
        while self._live_at <= self._now:
            name = f"l{len(self._live)}"
            self._live[name] = self._live_at
            self._order(name, len(self._live), Lane.LIVE)
            self._live_at = self._next_live(self._live_at)

    def _next_live(self, after: float) -> float:
        rate = self._volume.live_per_minute / 60
        return after + self._chance.expovariate(rate) if rate else math.inf

    # Calls.

    def _start(self, action: Action) -> None:
        match action:
            case Import(kind=kind, batch=batch):
                self._scheduler.imports.starting(kind, batch.lane, yes=True)
                self._calls["import"] += 1
                self._calls[f"{kind} rows"] += len(batch.ids)
            case Poll(job=job):
                job.flying = True
                self._calls["look"] += 1
            case Send(key=key):
                self._calls[key.kind.value] += 1
        call = self._limiter.start(self._now)
        heapq.heappush(self._answers, (self._now + self._volume.latency, next(self._number), call, action))

    def _wait(self, seconds: float) -> None:
        moment = min(self._now + seconds, self._live_at)
        if not self._answers or self._answers[0][0] > moment:
            self._now = moment
            return
        self._now, _, call, action = heapq.heappop(self._answers)
        self._limiter.finish(call, self._now)
        match action:
            case Send(key=key):
                self._settle(key)
            case Import(kind=kind, batch=batch):
                self._posted(kind, batch)
            case Poll(job=job):
                self._looked(job)

    def _posted(self, kind: RecordKind, batch: Batch) -> None:
        imports, rows = self._scheduler.imports, len(batch.ids)
        imports.starting(kind, batch.lane, yes=False)
        name = f"i{next(self._number)}"
        took = self._volume.import_seconds + rows / self._volume.import_rows_per_second
        self._ends[name] = self._now + took, took
        imports.started(kind, name, batch, "key", self._now)

    def _looked(self, job: Job) -> None:
        imports, (end, took) = self._scheduler.imports, self._ends[job.import_id]
        job.flying = False
        job.polls += 1
        if self._now < end:
            imports.poll_again(job, self._now)
            return
        imports.finished(job, self._now, took)
        imports.ended(job)
        for record_id in job.batch.ids:
            self._settle(Key(job.kind, record_id))

    def _settle(self, key: Key) -> None:
        line = self._book[key.kind]
        line.landed(key.id)
        line.settled(key.id, None, told=True)
        self._known.add(key)
        self._scheduler.settled(key)
        if key.kind is not PURCHASE:
            return
        if key.id in self._live:
            self._waits.append(self._now - self._live[key.id])
            return
        self.left -= 1
        self._last = self._now
        if self._to_correct and not key.id.startswith("again"):
            self._correct_one(key.id)

    def _correct_one(self, purchase: str) -> None:
        """It changed: a DELETE, which a place is taken for, and a POST."""
        self._to_correct -= 1
        self._calls["delete"] += 1
        self._limiter.finish(self._limiter.start(self._now), self._now)
        again = f"again-{purchase}"
        self._needs[again] = ()
        self._book[PURCHASE].add(again, self._volume.lane, EPOCH + int(self._now))
