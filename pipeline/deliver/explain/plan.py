"""How long a volume would take, in a simulation of the scheduler and the limiter that deliver it.

Records are ids and nothing else; calls and imports take as long as the options say.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.config_accounts import AccountSettings
from pipeline.config_stages import DeliverSettings
from pipeline.deliver.schedule.actions import Import, Send
from pipeline.deliver.schedule.pending_index import PendingIndex
from pipeline.deliver.schedule.scheduler import Scheduler
from pipeline.deliver.schedule.simulation import SimulatedCall, Simulation, Times
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from pipeline.limiter.limiter import Limiter
from pipeline.records import RecordKind

CONTACT, PRODUCT, PURCHASE, _ = RecordKind
#: Epoch seconds at which the plan begins; only differences matter.
EPOCH = 1_700_000_000
#: Columns that contacts fill differ: so many sets of them, and at least so many files.
CONTACT_SHAPES = 4
#: Ids of live orders and their contacts begin so; what does not is of the volume.
LIVE = "live"
#: Calls between two reports of progress.
STEP = 500


@dataclass(frozen=True, slots=True)
class Volume:
    """What is to be delivered, and by what sort of Connectif.

    Attributes:
        orders: that wait at the beginning, in `lane`.
        new_customers: share of the orders whose contact Connectif does not know.
        new_products: products Connectif does not know, spread over the orders.
        customers: contacts sent besides, for which no order waits.
        products: products sent besides, for which no order waits.
        corrections: share of the orders that change after they were sent: a DELETE and a POST more.
        live_per_minute: live orders that come in beside all that, until it is sent.
        latency: seconds of a call.
        import_seconds: what any import takes, beside its rows.
        import_rows_per_second: rows an import does.
        seed: of the live orders' arrival.
    """

    orders: int
    lane: Lane = Lane.BACKFILL
    new_customers: float = 0.6
    new_products: int = 0
    customers: int = 0
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
        seconds: until the last of the volume is sent.
        calls: by purpose: purchase, delete, contact, product, import and look.
        orders: sent, live ones with them; one that was corrected is still one.
        bound: seconds that no schedule could do with less, if it sends the same orders: those of the volume
            with contacts and products at their fewest calls, and the live ones sent meanwhile at a call each.
        used: share of the account's slots that were taken.
        live_seconds: from the arrival of each live order to its purchase, in order of size.
    """

    seconds: float
    calls: Counter[str]
    orders: int
    bound: float
    used: float
    live_seconds: list[float] = field(default_factory=list)

    def live(self, share: float) -> float | None:
        """The time within which such a share of the live orders is sent; None where there were none."""
        waits = self.live_seconds
        return waits[min(len(waits) - 1, int(share * len(waits)))] if waits else None

    @property
    def ratio(self) -> float | None:
        """How many times the bound it takes; None where there is none: it goes at once."""
        return self.seconds / self.bound if self.bound else None

    @property
    def calls_per_order(self) -> float | None:
        """Calls of all kinds for each order sent; None where there were no orders."""
        return self.calls.total() / self.orders if self.orders else None

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        figures = {
            "seconds": self.seconds,
            "bound_seconds": self.bound,
            "ratio": self.ratio,
            "calls_per_order": self.calls_per_order,
            "share_of_window_used": self.used,
            "live_p50_seconds": self.live(0.5),
            "live_p95_seconds": self.live(0.95),
        }
        rounded = {name: None if figure is None else round(figure, 4) for name, figure in figures.items()}
        return {**rounded, "orders_told": self.orders, "calls": dict(self.calls)}


def forecast(
    account: AccountSettings,
    deliver: DeliverSettings,
    volume: Volume,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Forecast:
    """Simulate the delivery of a volume; `progress` is called with how many records are sent, of how many."""
    run = _Run(account, deliver, volume)
    total = run.left
    progress(0, total)
    while run.left:
        if run.step() and run.made % STEP == 0:
            progress(total - run.left, total)
    progress(total, total)
    return run.forecast()


def fewest_calls(volume: Volume) -> int:
    """Calls that any schedule needs for the volume: one file per kind at least, and one poll for all."""
    rows = contacts(volume) + volume.customers, volume.new_products + volume.products
    purchases = volume.orders + 2 * corrections(volume)
    return purchases + sum(min(one, 1) for one in rows) + int(max(rows) > 1)


def least_seconds(calls: int, limit: int, window: float) -> float:
    """From the first to the last of so many calls, where none was in the window before."""
    return max(0, math.ceil(calls / limit) - 1) * window


def contacts(volume: Volume) -> int:
    """How many orders have a contact that Connectif does not know."""
    return sum(1 for number in range(volume.orders) if _is_new(number, volume.new_customers))


def corrections(volume: Volume) -> int:
    """How many orders change after they were sent."""
    return int(volume.orders * volume.corrections)


def _is_new(number: int, share: float) -> bool:
    """Spread evenly, whatever the share."""
    return (number * 0.618_034) % 1 < share


class _Run:
    """One simulation in progress."""

    def __init__(self, account: AccountSettings, deliver: DeliverSettings, volume: Volume) -> None:
        self._volume = volume
        self._limiter = Limiter(account.calls_per_minute, account.window_seconds, account.reserve_calls)
        self._index = PendingIndex()
        self._needs: dict[str, Sequence[Key]] = {}
        self._sent: set[Key] = set()
        scheduler = Scheduler(
            deliver,
            self._index,
            self._limiter,
            needs=self._needs.__getitem__,
            was_sent=self._sent.__contains__,
            sets={},
        )
        times = Times(
            volume.latency,
            lambda _kind, rows: volume.import_seconds + rows / volume.import_rows_per_second,
            deliver.concurrency,
        )
        self._simulation = Simulation(
            scheduler,
            self._index,
            self._limiter,
            self._sent,
            times,
            now=0.0,
            wall=EPOCH,
            calls=lambda key: 2 if key in self._sent else 1,
            shape=_shape,
            settled=self._settled,
        )
        self._chance = random.Random(volume.seed)  # noqa: S311 - a plan is the same each time
        self._live: dict[str, float] = {}
        self._live_at = self._next_live(0.0)
        self._waits: list[float] = []
        self._calls: Counter[str] = Counter()
        self._last = 0.0
        self._orders = 0
        self._changed: set[str] = set()
        self.made = 0
        self.left = 0
        for number in range(max(volume.new_products, volume.products)):
            if number < volume.new_products:
                self._add(Key(PRODUCT, f"p{number}"), volume.lane)
            if number < volume.products:
                self._add(Key(PRODUCT, f"other-p{number}"), volume.lane)
        for number in range(volume.customers):
            self._add(Key(CONTACT, f"other-c{number}"), volume.lane)
        for number in range(volume.orders):
            self._order(f"o{number}", number, volume.lane)

    def step(self) -> bool:
        """Make the next call, or advance to the next event; returns whether a call was made."""
        now = self._simulation.now
        while self._live_at <= now:
            name = f"{LIVE}{len(self._live)}"
            self._live[name] = self._live_at
            self._order(name, len(self._live), Lane.LIVE)
            self._live_at = self._next_live(self._live_at)
        call = self._simulation.step(self._live_at)
        if call is None:
            return False
        self._calls[_purpose(call, self._sent)] += 1
        self.made += 1
        return True

    def forecast(self) -> Forecast:
        """What came of it."""
        limit, window = self._limiter.limit_now, self._limiter.window
        bound = least_seconds(fewest_calls(self._volume) + len(self._waits), limit, window)
        # A slot is taken for a window: those of the last calls are taken until a window after the end.
        used = self._calls.total() / (limit * (self._last + window) / window)
        return Forecast(self._last, self._calls, self._orders, bound, used, sorted(self._waits))

    # What comes in.

    def _add(self, key: Key, lane: Lane) -> None:
        self._index[key.kind].add(key.id, lane, EPOCH + int(self._simulation.now))
        self.left += not key.id.startswith(LIVE)

    def _order(self, name: str, number: int, lane: Lane) -> None:
        volume, needs = self._volume, list[Key]()
        if _is_new(number, volume.new_customers):
            needs.append(Key(CONTACT, f"{name}@{number % CONTACT_SHAPES}"))
            self._add(needs[0], lane)
        if volume.new_products:
            needs.append(Key(PRODUCT, f"p{number % volume.new_products}"))
        self._needs[name] = needs
        self._add(Key(PURCHASE, name), lane)

    def _next_live(self, after: float) -> float:
        rate = self._volume.live_per_minute / 60
        return after + self._chance.expovariate(rate) if rate else math.inf

    # What is sent.

    def _settled(self, key: Key) -> None:
        now = self._simulation.now
        first = key.id not in self._changed
        self._orders += key.kind is PURCHASE and first
        if key.id.startswith(LIVE):
            if key.kind is PURCHASE:
                self._waits.append(now - self._live[key.id])
            return
        self.left -= 1
        self._last = now
        if key.kind is PURCHASE and first and _changes(key.id, self._volume.corrections):
            self._changed.add(key.id)
            self._add(key, self._volume.lane)


def _changes(order: str, share: float) -> bool:
    """Spread evenly as well; of n orders it is true of the whole part of n times the share."""
    number = int(order[1:])
    return int((number + 1) * share) > int(number * share)


def _shape(key: Key) -> int:
    return int(key.id.rpartition("@")[2]) if "@" in key.id else 0


def _purpose(call: SimulatedCall, sent: set[Key]) -> str:
    match call.action:
        case Send(key=key):
            deletes = key.kind is PURCHASE and key in sent and not call.second
            return "delete" if deletes else key.kind.value
        case Import():
            return "import"
    return "look"
