"""What the next call is for. Pure: it sees the index, the clock and the budget, and starts nothing itself.

Lane by lane (`lanes`), within a lane the oldest first, a purchase after the contact and products it needs.
Contacts and products go one by one where what waits can go before an import would be finished; where the
budget is short they go by import, made just in time: when the purchases that are ready will soon be sent, or
when something has waited as long as it may. Why that is near the best there is: docs/adr/0007.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Container, Iterator, Mapping, Sequence

from pipeline.config_accounts import CouponSetSettings
from pipeline.config_stages import DeliverSettings
from pipeline.deliver.schedule.actions import Action, CheckCouponSet, Idle, Import, ListImports, Poll, Send
from pipeline.deliver.schedule.coupon_inventory import CouponInventory
from pipeline.deliver.schedule.decision import (
    AGAIN,
    EARLY,
    LEFT_OVER,
    NO_OTHER,
    SPARE,
    TURN,
    WANTED,
    Decision,
    Method,
    Rule,
)
from pipeline.deliver.schedule.import_jobs import ImportBatch, ImportQueue
from pipeline.deliver.schedule.lanes import Lanes
from pipeline.deliver.schedule.pending_index import PendingIndex
from pipeline.deliver.schedule.pending_queue import LANES, Phase
from pipeline.deliver.schedule.purchase_readiness import PurchaseReadiness
from pipeline.deliver.schedule.slots import Slots
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from pipeline.records import RecordKind

CONTACT, PRODUCT, PURCHASE, COUPON = RecordKind
#: By this share of a window an import is started before it is needed.
MARGIN = 1 / 30
#: Purchases of a lane checked ahead, at most.
AHEAD = 200
#: A slower lane's rows may wait so many times longer for an import than the live lane's.
PATIENT = 10
#: Windows a slower lane's import may take: a live order may come to need one of its rows.
SPAN = 1.0
#: Seconds by which acceptance may lie ahead of a clock that was not set back.
CLOCK_SET = 1.0
#: Share of the free slots that may be spent on freshness: more live records may follow.
SPENT = 0.5
#: Check again after this share of a window, if nothing but time has to pass.
LOOK = 1 / 60


class Scheduler:
    """One account's.

    Args:
        settings: floors of lanes, sizes and times of imports.
        index: what waits.
        slots: its budget.
        needs: the contact and products of a purchase.
        was_sent: whether a key was ever sent to Connectif.
        sets: coupon sets to keep filled.
    """

    def __init__(
        self,
        settings: DeliverSettings,
        index: PendingIndex,
        slots: Slots,
        *,
        needs: Callable[[str], Sequence[Key]],
        was_sent: Callable[[Key], bool],
        sets: Mapping[str, CouponSetSettings],
    ) -> None:
        self._settings = settings
        self._index = index
        self._slots = slots
        self._needs = needs
        self._was_sent = was_sent
        self.imports = ImportQueue(settings, slots.window)
        self.coupons = CouponInventory(sets, index[COUPON])
        self.lanes = Lanes(
            {Lane.LIVE: 0.0, Lane.RETRY: settings.retry_floor, Lane.BACKFILL: settings.backfill_floor},
            slots.window,
        )
        self.purchases = PurchaseReadiness(
            index, needs=needs, was_sent=was_sent, delay=lambda key, until: self.delay(key, until, lane=None)
        )
        self._singles: dict[Lane, deque[Key]] = {lane: deque() for lane in LANES}
        self._later: list[tuple[float, int, Key, Lane | None]] = []
        #: The entry of `_later` that counts.
        self._delayed: dict[Key, int] = {}
        self._number = itertools.count()
        self._gap_at = -math.inf

    def copy(self, index: PendingIndex, slots: Slots, sent: Container[Key]) -> Scheduler:
        """A copy whose decisions change nothing here.

        Args:
            index: a copy of this one's.
            slots: a copy of this one's.
            sent: what is taken to have been sent besides.
        """
        twin = Scheduler(
            self._settings,
            index,
            slots,
            needs=self._needs,
            was_sent=lambda key: key in sent or self._was_sent(key),
            sets={},
        )
        twin.imports = self.imports.copy()
        twin.coupons = self.coupons.copy(index[COUPON])
        twin.lanes = self.lanes.copy()
        self.purchases.copy_to(twin.purchases)
        twin._singles = {lane: singles.copy() for lane, singles in self._singles.items()}
        twin._later = self._later.copy()
        twin._delayed = self._delayed.copy()
        twin._number = itertools.count(1 + max((number for _, number, _, _ in self._later), default=0))
        twin._gap_at = self._gap_at
        return twin

    def next(self, now: float, wall: float) -> Action:
        """The next call's purpose; there is a slot for it.

        Args:
            now: the clock all moments here are on.
            wall: epoch seconds, on which acceptance is measured.
        """
        self.purchases.announced(now)
        self._return_delayed(now)
        self._promote()
        if self.imports.list_due(now):
            return ListImports()
        job = self.imports.poll_due(now)
        if job is not None:
            return Poll(job)
        name = self.coupons.due(now, unsure=self.imports.gated(COUPON))
        if name is not None:
            return CheckCouponSet(name)
        wanting = [lane for lane in LANES if self.wants(lane)]
        moments = [self._next_moment(now)]
        for lane in self.lanes.order(wanting):
            pause = self.pause(lane, now)
            if pause > 0:
                moments.append(now + pause)
                continue
            action = self._for_lane(lane, now, wall)
            if action is not None:
                self.lanes.took(lane, wanting, now)
                return action
            moments.append(now + LOOK * self._slots.window)
        return Idle(min(moments))

    # What happened.

    def delay(self, key: Key, until: float, lane: Lane | None = Lane.RETRY) -> None:
        """Hold an id in flight until then; it returns to the end of `lane`; None: to the head of its own."""
        queue = self._index[key.kind]
        queue.hold(key.id)
        if queue.phase(key.id) is Phase.HELD:
            number = self._delayed[key] = next(self._number)
            heapq.heappush(self._later, (until, number, key, lane))

    def singly(self, kind: RecordKind, ids: Sequence[str]) -> None:
        """These ids in flight go by calls of their own, soon."""
        queue = self._index[kind]
        for record_id in ids:
            queue.hold(record_id)
            if record_id in queue:
                self._singles[queue.lane(record_id)].append(Key(kind, record_id))

    def batch(self, kind: RecordKind, batch: ImportBatch, *, first: bool = False) -> None:
        """These ids in flight go by an import of their own, soon, or before all others."""
        for record_id in batch.ids:
            self._index[kind].hold(record_id)
        batches = self.imports.batches[kind]
        batches.insert(0 if first else len(batches), batch)

    def settled(self, key: Key) -> None:
        """A version of a record is settled: purchases blocked by it may go, and its delay is over."""
        if self._index[key.kind].phase(key.id) is not Phase.HELD:
            self._delayed.pop(key, None)
        self.purchases.settled(key)

    def delays(self) -> Iterator[tuple[Key, float]]:
        """The ids that are delayed, each with the moment of its return."""
        for until, number, key, _ in self._later:
            if self._delayed.get(key) == number:
                yield key, until

    # Deciding.

    def wants(self, lane: Lane) -> bool:
        """Whether anything of a lane could use a call, now or once an import is over."""
        return bool(
            self.purchases.ready(lane)
            or self.purchases.blocked(lane)
            or self._singles[lane]
            or self._index.waits_in(lane)
            or any(batch.lane is lane for batches in self.imports.batches.values() for batch in batches)
        )

    def pause(self, lane: Lane, now: float) -> float:
        """Seconds for which a slower lane leaves the slots to the live one."""
        if lane is Lane.LIVE or self.lanes.owed(lane):
            return 0.0
        slots = self._slots
        free, returning = slots.free(now), slots.returning(now)
        return self.lanes.wait(now, free=free, returning=returning, spacing=slots.spacing)

    def decide(self, kind: RecordKind, lane: Lane, now: float, wall: float) -> Decision:
        """How the waiting rows of a kind and lane are sent, and by which figures; see the module."""
        rows, worth = self._index[kind].waiting_in(lane), self.imports.worth(kind)
        if rows < worth:
            confirms = self._index[kind].coming_in(lane) >= worth
            rule, method = (Rule.CONFIRMS, Method.WAIT) if confirms else (Rule.FEW, Method.SINGLY)
            return Decision(rule, method, rows=rows, worth=worth)
        takes = self.imports.durations[kind].expected(rows)
        made = functools.partial(Decision, rows=rows, worth=worth, takes=takes)
        if lane is Lane.LIVE:
            load, slots = self.load(lane), SPENT * self._slots.free(now) + takes / self._slots.spacing
            made = functools.partial(made, load=load, slots=int(slots))
            if load <= slots:
                return made(Rule.FITS)
        under_way = self.imports.rows(kind, lane)
        if rows < under_way:  # the next one will be larger: so their number stays small
            return made(Rule.GATHERS, Method.WAIT, under_way=under_way)
        ahead = self.ahead(kind, rows)
        self.purchases.look(lane, now, wall, ahead=ahead)
        ready = self.purchases.ready(lane)
        made = functools.partial(made, under_way=under_way, ahead=ahead, ready=ready)
        if ready < ahead:
            return made(Rule.RUNS_DRY, Method.IMPORT)
        oldest = self._index[kind].oldest(lane)
        age = 0.0 if oldest is None else max(0.0, wall - oldest)
        patience = self._settings.freshness * (1 if lane is Lane.LIVE else PATIENT)
        # One accepted ahead of our clock, as before it was set back, may have waited for long.
        if age > patience or (oldest is not None and oldest > wall + CLOCK_SET):
            return made(Rule.WAITED, Method.IMPORT, age=age, patience=patience)
        return made(Rule.NOT_YET, Method.WAIT, age=age, patience=patience)

    def ahead(self, kind: RecordKind, rows: int) -> int:
        """How many ready purchases keep the budget busy until an import of so many rows is finished."""
        takes = self.imports.durations[kind].expected(rows) + MARGIN * self._slots.window
        return min(AHEAD, math.ceil(takes / self._slots.spacing))

    def _for_lane(self, lane: Lane, now: float, wall: float) -> Action | None:
        self.purchases.look(lane, now, wall, ahead=1)
        singly: dict[RecordKind, Decision] = {}
        for kind in (CONTACT, PRODUCT, COUPON):
            action = self._batch(kind, lane, now)
            if action is not None:
                return action
            if not self._index[kind].waiting_in(lane) or self.imports.gated(kind):
                continue
            decision = NO_OTHER if kind is COUPON else self.decide(kind, lane, now, wall)
            if decision.method is Method.IMPORT and self.imports.can_start(kind, now):
                rows = self._rows(kind, lane)
                if rows:
                    return Import(kind, ImportBatch(rows, lane=lane), decision)
            if decision.method is Method.SINGLY:
                singly[kind] = decision
        return self._oldest(lane, singly, now, wall) or self._gap(lane, now)

    def _batch(self, kind: RecordKind, lane: Lane, now: float) -> Import | None:
        """The next of the batches of a lane that are to go by imports of their own."""
        batches = self.imports.batches[kind]
        if not batches or not self.imports.can_start(kind, now):
            return None
        for batch in [
            batch for batch in batches if batch.lane is lane and not (batch.asks and self.imports.asking)
        ]:
            batches.remove(batch)
            ids = [record_id for record_id in batch.ids if self._pull(Key(kind, record_id))]
            if ids:
                return Import(kind, ImportBatch(ids, batch.tries, lane), AGAIN)
        return None

    def _rows(self, kind: RecordKind, lane: Lane) -> list[str]:
        most = self._settings.import_max_rows
        if lane is not Lane.LIVE:
            within = self.imports.durations[kind].rows_within(SPAN * self._slots.window)
            most = min(most, max(self.imports.worth(kind), within))
        if kind is COUPON:
            return self.coupons.take(lane, most)
        queue = self._index[kind]
        return list(itertools.islice(iter(lambda: queue.take(lane), None), most))

    def _oldest(
        self, lane: Lane, singly: Mapping[RecordKind, Decision], now: float, wall: float
    ) -> Send | None:
        """The oldest of what may go by a call of its own; the contact first where they came together."""
        single = self._single(lane)
        if single is not None:
            return single
        heads = [(self._index[kind].oldest(lane), order, kind) for order, kind in enumerate(singly)]
        heads.append((self.purchases.oldest(lane), len(singly), PURCHASE))
        found = [(accepted, order, kind) for accepted, order, kind in heads if accepted is not None]
        for _, _, kind in sorted(found):
            take = self.purchases.take(lane, now, wall) if kind is PURCHASE else self._index[kind].take(lane)
            if take is not None:
                return Send(Key(kind, take), singly.get(kind, TURN))
        return None

    def _single(self, lane: Lane) -> Send | None:
        """A record that an import cannot express."""
        singles = self._singles[lane]
        for _ in range(len(singles)):
            key = singles.popleft()
            if self.imports.gated(key.kind):
                singles.append(key)
            elif self._pull(key):
                return Send(key, LEFT_OVER)
        return None

    def _pull(self, key: Key) -> bool:
        """Take an id out of order, unless it is held for a while."""
        return key not in self._delayed and self._index[key.kind].pull(key.id)

    def _gap(self, lane: Lane, now: float) -> Send | None:
        """Where nothing else can use the slots that come back: one by one, what waits for an import."""
        if now < self._gap_at:
            return None
        send = self._wanted(lane) or self._waiting(lane) or self._early(lane, now)
        if send is not None:
            self._gap_at = now + self._slots.spacing
        return send

    def _wanted(self, lane: Lane) -> Send | None:
        """What blocks a purchase; it may be in a batch that no import can take yet."""
        for key in self.purchases.wanted(lane):
            if not self.imports.gated(key.kind) and self._pull(key):
                return Send(key, WANTED)
        return None

    def _waiting(self, lane: Lane) -> Send | None:
        for kind in (CONTACT, PRODUCT):
            record_id = None if self.imports.gated(kind) else self._index[kind].take(lane)
            if record_id is not None:
                return Send(Key(kind, record_id), SPARE)
        return None

    def _early(self, lane: Lane, now: float) -> Send | None:
        """A live purchase whose contact is in an import that is late: its task makes the contact itself."""
        if lane is not Lane.LIVE or not self.purchases.blocked(lane):
            return None
        late = self.imports.late(CONTACT, now)
        early = self.purchases.take_early(lane, lambda key: key.kind is CONTACT and key.id in late)
        return None if early is None else Send(Key(PURCHASE, early), EARLY)

    def load(self, lane: Lane) -> int:
        """Calls that would be made if all of a lane and of those before it went one by one."""
        load = 0
        for other in LANES[: LANES.index(lane) + 1]:
            load += self.purchases.ready(other) + self.purchases.blocked(other) + len(self._singles[other])
            load += sum(self._index[kind].coming_in(other) for kind in (CONTACT, PRODUCT, PURCHASE))
        return load

    # Times.

    def _promote(self) -> None:
        """What a more urgent purchase needs does not wait for the batch it was put into."""
        self.purchases.promote()
        for kind in (CONTACT, PRODUCT):
            for record_id in self._index[kind].promoted():
                if Key(kind, record_id) not in self._delayed:
                    self._index[kind].release(record_id)

    def _return_delayed(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            _, number, key, lane = heapq.heappop(self._later)
            if self._delayed.get(key) == number:
                del self._delayed[key]
                self._index[key.kind].release(key.id, lane=lane)

    def _next_moment(self, now: float) -> float:
        moments = [self.imports.next_moment(now), self.coupons.next_moment()]
        if self._later:
            moments.append(self._later[0][0])
        return min(moments)
