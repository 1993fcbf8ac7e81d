"""What the next call is for. Pure: it sees the index, the clock and the budget, and starts nothing itself.

A sound first rule, not the best one. In this order: what a purchase needs at once, imports that are due for a
look, then kind by kind in weighted turns, within a kind lane by lane, within a lane the oldest first.
Contacts and products go by import when enough of them wait, else one by one. A purchase whose contact or
products wait pulls them forward and stands aside until they are settled.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.config import DeliverSettings
from pipeline.deliver.book import LANES, Book, Phase
from pipeline.deliver.jobs import Batch, ImportQueue, Job
from pipeline.deliver.receipts import Key
from pipeline.deliver.turns import Turns
from pipeline.events import Lane
from pipeline.records import RecordKind

CONTACT, PRODUCT, PURCHASE, COUPON = RecordKind
KIND_TURNS = {PURCHASE: 6, CONTACT: 3, PRODUCT: 3, COUPON: 1}
LANE_TURNS = {Lane.LIVE: 6, Lane.RETRY: 2, Lane.BACKFILL: 2}
#: Purchases looked at for one decision, and purchases that may stand aside at once.
LOOK_AHEAD, ASIDE = 100, 5_000
#: Seconds a purchase waits for a contact or product nobody has announced yet: topics are read side by side.
GRACE = 2.0
#: Seconds until another look where only the budget's spare half is missing.
SPARE_LOOK = 1.0


@dataclass(frozen=True, slots=True)
class Send:
    """Tell one record by calls of its own; its id is flying."""

    key: Key


@dataclass(frozen=True, slots=True)
class Import:
    """Tell these records by files; their ids are flying."""

    kind: RecordKind
    batch: Batch


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask how far an import is."""

    job: Job


@dataclass(frozen=True, slots=True)
class ListImports:
    """Ask which imports are unfinished."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do before `until`, or before a record or an answer comes."""

    until: float


Action = Send | Import | Poll | ListImports | Idle


class Scheduler:
    """One account's.

    Args:
        settings: sizes and times of imports.
        book: what waits.
        needs: the contact and products of a purchase.
        is_told: whether Connectif was told of a key.
    """

    def __init__(
        self,
        settings: DeliverSettings,
        book: Book,
        *,
        needs: Callable[[str], Sequence[Key]],
        is_told: Callable[[Key], bool],
    ) -> None:
        self._settings = settings
        self._book = book
        self._needs = needs
        self._is_told = is_told
        self.imports = ImportQueue(settings)
        self._kinds = Turns(KIND_TURNS)
        self._lanes = {kind: Turns(LANE_TURNS) for kind in RecordKind}
        self._pulled: deque[Key] = deque()
        self._singles: dict[RecordKind, deque[str]] = {kind: deque() for kind in RecordKind}
        self._aside: dict[Key, list[str]] = {}
        self._missing: dict[str, set[Key]] = {}
        self._ready: list[tuple[int, int, str]] = []
        self._later: list[tuple[float, int, Key, Lane | None]] = []
        self._delayed: set[Key] = set()
        self._number = itertools.count()

    def next(self, now: float, wall: float, *, spare: bool) -> Action:
        """The next call's purpose.

        Args:
            now: the clock all moments here are on.
            wall: epoch seconds, on which acceptance is measured.
            spare: whether so much of the budget is free that single calls may be made while a slow import
                keeps the next one waiting.
        """
        self._return_delayed(now)
        if self._pulled:
            return Send(self._pulled.popleft())
        if self.imports.list_due(now):
            return ListImports()
        job = self.imports.poll_due(now)
        if job is not None:
            return Poll(job)
        wanting = [kind for kind in RecordKind if self._wants(kind)]
        for kind in self._kinds.order(wanting):
            action = self._for_kind(kind, now, wall, spare=spare)
            if action is not None:
                self._kinds.took(kind, wanting)
                return action
        return Idle(self._until(now, wanting))

    # What happened.

    def delay(self, key: Key, until: float, lane: Lane | None = Lane.RETRY) -> None:
        """Keep a flying id away until then; it returns to the end of `lane`, or for None to its own head."""
        self._book[key.kind].hold(key.id)
        self._delayed.add(key)
        heapq.heappush(self._later, (until, next(self._number), key, lane))

    def singly(self, kind: RecordKind, ids: Sequence[str]) -> None:
        """These flying ids go by calls of their own, soon."""
        self._keep(kind, ids)
        self._singles[kind].extend(ids)

    def batch(self, kind: RecordKind, batch: Batch, *, first: bool = False) -> None:
        """These flying ids go by an import of their own, soon, or before all others."""
        self._keep(kind, batch.ids)
        batches = self.imports.batches[kind]
        batches.insert(0 if first else len(batches), batch)

    def settled(self, key: Key) -> None:
        """A record is dealt with: whoever stood aside for it may go."""
        for purchase in self._aside.pop(key, ()):
            missing = self._missing.get(purchase, set())
            missing.discard(key)
            if not missing and self._missing.pop(purchase, None) is not None:
                self._make_ready(purchase)

    # Deciding.

    def _wants(self, kind: RecordKind) -> bool:
        waiting = self._book[kind].waiting or self._singles[kind] or self.imports.batches[kind]
        return bool(waiting or (kind is PURCHASE and self._ready))

    def _for_kind(self, kind: RecordKind, now: float, wall: float, *, spare: bool) -> Action | None:
        if kind is PURCHASE:
            return self._purchase(now, wall)
        if self.imports.gated(kind):
            return None
        enough = self._book[kind].waiting >= (1 if kind is COUPON else self._settings.import_min_rows)
        # An import first: it is one call for many, and while Connectif works on it others are sent.
        held_up = enough and not (spare and self.imports.slow(kind, now))
        return self._import(kind, now, enough=enough) or self._one(kind, import_only=held_up)

    def _import(self, kind: RecordKind, now: float, *, enough: bool) -> Import | None:
        if not self.imports.can_start(kind, now):
            return None
        if self.imports.batches[kind]:
            return self._fly(kind, self.imports.batches[kind].popleft())
        if not enough:
            return None
        ids = itertools.islice(iter(lambda: self._take(kind), None), self._settings.import_max_rows)
        return Import(kind, Batch(list(ids)))

    def _one(self, kind: RecordKind, *, import_only: bool) -> Send | None:
        if kind is COUPON:
            return None
        single = self._single(kind)
        if single is not None or import_only:
            return single
        record_id = self._take(kind)
        return None if record_id is None else Send(Key(kind, record_id))

    def _fly(self, kind: RecordKind, batch: Batch) -> Import | None:
        ids = [record_id for record_id in batch.ids if self._book[kind].pull(record_id)]
        return Import(kind, Batch(ids, batch.tries)) if ids else None

    def _single(self, kind: RecordKind) -> Send | None:
        while self._singles[kind]:
            record_id = self._singles[kind].popleft()
            if self._book[kind].pull(record_id):
                return Send(Key(kind, record_id))
        return None

    def _purchase(self, now: float, wall: float) -> Send | None:
        for _ in range(LOOK_AHEAD):
            purchase = self._next_purchase()
            if purchase is None:
                return None
            if self._goes(purchase, now, wall):
                return Send(Key(PURCHASE, purchase))
            if self._pulled:
                return Send(self._pulled.popleft())
        return None

    def _next_purchase(self) -> str | None:
        line = self._book[PURCHASE]
        while self._ready:
            purchase = heapq.heappop(self._ready)[2]
            if line.pull(purchase):
                return purchase
        return self._take(PURCHASE) if len(self._missing) < ASIDE else None

    def _goes(self, purchase: str, now: float, wall: float) -> bool:
        """Whether nothing is missing; else the purchase stands aside."""
        line, missing, unknown = self._book[PURCHASE], [], False
        for key in self._needs(purchase):
            phase = self._book[key.kind].phase(key.id)
            if phase is not None:
                missing.append(key)
                self._pull(key, phase)
            elif not self._is_told(key):
                unknown = True
        age = wall - line.accepted(purchase)
        if missing:
            line.hold(purchase)
            self._missing[purchase] = set(missing)
            for key in missing:
                self._aside.setdefault(key, []).append(purchase)
        elif unknown and age < GRACE:
            self.delay(Key(PURCHASE, purchase), now + GRACE - age, lane=None)
        else:
            return True
        return False

    def _pull(self, key: Key, phase: Phase) -> None:
        free = phase is Phase.WAITING or (phase is Phase.HELD and key not in self._delayed)
        if free and not self.imports.gated(key.kind) and self._book[key.kind].pull(key.id):
            self._pulled.append(key)

    def _take(self, kind: RecordKind) -> str | None:
        line, turns = self._book[kind], self._lanes[kind]
        lanes = line.lanes()
        if not lanes:
            return None
        lane = turns.order(lanes)[0]
        turns.took(lane, lanes)
        return line.take(lane)

    # Times.

    def _return_delayed(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            _, _, key, lane = heapq.heappop(self._later)
            self._delayed.discard(key)
            self._book[key.kind].back(key.id, lane=lane)

    def _until(self, now: float, wanting: Sequence[RecordKind]) -> float:
        moments = [self.imports.next_moment(now)]
        if self._later:
            moments.append(self._later[0][0])
        if any(kind in (CONTACT, PRODUCT) for kind in wanting):
            moments.append(now + SPARE_LOOK)
        return min(moments)

    def _keep(self, kind: RecordKind, ids: Sequence[str]) -> None:
        for record_id in ids:
            self._book[kind].hold(record_id)

    def _make_ready(self, purchase: str) -> None:
        line = self._book[PURCHASE]
        if line.phase(purchase) is Phase.HELD:
            place = (LANES.index(line.lane(purchase)), line.accepted(purchase), purchase)
            heapq.heappush(self._ready, place)
