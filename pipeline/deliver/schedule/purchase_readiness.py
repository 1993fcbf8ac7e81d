"""Which purchases may go, and what the others wait for.

Purchases are checked ahead of their turn, lane by lane: those whose contact and products Connectif knows
are ready, the others are blocked until the last of what they miss is settled. So it is known for how long the
ready ones will keep the budget busy, and the import that makes the next ones ready can start just in time.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from pipeline.deliver.schedule.pending_index import PendingIndex
from pipeline.deliver.schedule.pending_queue import LANES, Phase
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from pipeline.records import RecordKind

#: Purchases checked for one decision, and purchases of a lane that may be blocked at once.
AT_ONCE, BLOCKED = 100, 5_000
#: Stale entries are dropped from a heap once it is this much longer than twice what is ready.
SWEEP = 64
#: Seconds a purchase waits for a contact or product without a record so far (topics are read side by side);
#: less if the record comes meanwhile.
GRACE = 2.0


class PurchaseReadiness:
    """One account's.

    Args:
        index: what waits.
        needs: the contact and products of a purchase.
        was_sent: whether a key was ever sent to Connectif.
        delay: holds a purchase until a moment.
    """

    def __init__(
        self,
        index: PendingIndex,
        *,
        needs: Callable[[str], Sequence[Key]],
        was_sent: Callable[[Key], bool],
        delay: Callable[[Key, float], None],
    ) -> None:
        self._index = index
        self._queue = index[RecordKind.PURCHASE]
        self._needs = needs
        self._was_sent = was_sent
        self._delay = delay
        #: By age; who is not in `_ready` any more is skipped.
        self._heaps: dict[Lane, list[tuple[int, str]]] = {lane: [] for lane in LANES}
        self._ready: dict[Lane, set[str]] = {lane: set() for lane in LANES}
        #: What each blocked one waits for; per lane, the longest blocked first.
        self._missing: dict[Lane, dict[str, set[Key]]] = {lane: {} for lane in LANES}
        self._blocked_by: dict[Key, dict[str, None]] = {}
        #: Of those accepted ahead of our clock, when they were first seen to wait for a record yet to come.
        self._seen: dict[str, float] = {}
        #: Key without a record yet -> the purchases that wait for it; and purchase -> those keys.
        self._unannounced: dict[Key, dict[str, None]] = {}
        self._kept_away: dict[str, Sequence[Key]] = {}

    def copy_to(self, twin: PurchaseReadiness) -> None:
        """Copy this into another one, which has a copy of the index."""
        twin._heaps = {lane: heap.copy() for lane, heap in self._heaps.items()}
        twin._ready = {lane: ready.copy() for lane, ready in self._ready.items()}
        twin._missing = {
            lane: {purchase: keys.copy() for purchase, keys in missing.items()}
            for lane, missing in self._missing.items()
        }
        twin._blocked_by = {key: blocked.copy() for key, blocked in self._blocked_by.items()}
        twin._seen = self._seen.copy()
        twin._unannounced = {key: waiting.copy() for key, waiting in self._unannounced.items()}
        twin._kept_away = self._kept_away.copy()

    # Looking.

    def ready(self, lane: Lane) -> int:
        """How many of a lane may go now."""
        return len(self._ready[lane])

    def blocked(self, lane: Lane) -> int:
        """How many of a lane are blocked."""
        return len(self._missing[lane])

    def missing(self, lane: Lane) -> Counter[RecordKind]:
        """How many contacts and products the blocked ones of a lane wait for."""
        keys = set().union(*self._missing[lane].values())
        return Counter(key.kind for key in keys)

    def missing_of(self, purchase: str) -> frozenset[Key]:
        """What one purchase waits for; nothing where it is ready, or in no hand of this."""
        for missing in self._missing.values():
            if purchase in missing:
                return frozenset(missing[purchase])
        return frozenset()

    def oldest(self, lane: Lane) -> int | None:
        """When the next of the ready ones was accepted, in epoch seconds."""
        heap, ready = self._heaps[lane], self._ready[lane]
        while heap and heap[0][1] not in ready:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def wanted(self, lane: Lane) -> Iterator[Key]:
        """What some of a lane's blocked purchases wait for, that of the longest blocked first."""
        for missing in itertools.islice(self._missing[lane].values(), AT_ONCE):
            yield from missing

    def take_early(self, lane: Lane, late: Callable[[Key], bool]) -> str | None:
        """The longest blocked of a lane that waits only for what is late, which its task then makes."""
        for purchase, missing in itertools.islice(self._missing[lane].items(), AT_ONCE):
            if all(map(late, missing)):
                del self._missing[lane][purchase]
                return purchase if self._queue.pull(purchase) else None
        return None

    def look(self, lane: Lane, now: float, wall: float, *, ahead: int) -> None:
        """See that `ahead` purchases of a lane are ready, as far as there are so many."""
        for _ in range(AT_ONCE):
            if len(self._ready[lane]) >= ahead or self.blocked(lane) >= BLOCKED:
                return
            purchase = self._queue.take(lane)
            if purchase is None:
                return
            self._queue.hold(purchase)
            if self._goes(purchase, now, wall):
                self._make_ready(purchase)

    def take(self, lane: Lane, now: float, wall: float) -> str | None:
        """The oldest that may go, from now on in flight."""
        while self.oldest(lane) is not None:
            purchase = heapq.heappop(self._heaps[lane])[1]
            self._ready[lane].discard(purchase)
            # What it needs may have changed while it was ready: a newer version has other products.
            held = self._queue.phase(purchase) is Phase.HELD
            if held and self._goes(purchase, now, wall) and self._queue.pull(purchase):
                return purchase
        return None

    # What happened.

    def settled(self, key: Key) -> None:
        """A version of a record is settled: purchases blocked by it may go, unless it still waits."""
        if key.kind is RecordKind.PURCHASE:
            self._seen.pop(key.id, None)
            if self._queue.phase(key.id) is not Phase.HELD:
                self._leave(key.id)
                self._back(key.id)
            return
        if key.id in self._index[key.kind] and not self._was_sent(key):
            return
        for purchase in self._blocked_by.pop(key, ()):
            lane = self._lane_blocked(purchase)
            if lane is None:
                continue
            self._missing[lane][purchase].discard(key)
            if not self._missing[lane][purchase]:
                del self._missing[lane][purchase]
                if self._queue.phase(purchase) is Phase.HELD:
                    self._make_ready(purchase)

    def announced(self, now: float) -> None:
        """Check again the purchases that waited for a contact or product that has come in since."""
        for kind in (RecordKind.CONTACT, RecordKind.PRODUCT):
            for record_id in self._index[kind].came():
                for purchase in list(self._unannounced.get(Key(kind, record_id), ())):
                    self._back(purchase)
                    if self._queue.phase(purchase) is Phase.HELD:
                        self._delay(Key(RecordKind.PURCHASE, purchase), now)

    def refused(self, purchase: str, needs: Sequence[Key]) -> None:
        """One in flight was refused as these are missing, which are pending: it is blocked by them."""
        self._queue.hold(purchase)
        if self._queue.phase(purchase) is Phase.HELD:
            self._block(purchase, needs)

    def promote(self) -> None:
        """What moved to a faster lane while it was ready or blocked takes what it needs along."""
        for purchase in self._queue.promoted():
            if self._leave(purchase):
                self._make_ready(purchase)
            before, lane = self._lane_blocked(purchase), self._queue.lane(purchase)
            if before is not None:
                missing = self._missing[lane][purchase] = self._missing[before].pop(purchase)
                for key in missing:
                    self._index[key.kind].promote(key.id, lane)

    # Inside.

    def _goes(self, purchase: str, now: float, wall: float) -> bool:
        """Whether nothing is missing; else the held purchase is blocked, or waits a moment."""
        self._back(purchase)
        missing, unknown = list[Key](), list[Key]()
        for key in self._needs(purchase):
            # One that was sent before may have newer data waiting: that holds up no purchase.
            if self._was_sent(key):
                continue
            if key.id in self._index[key.kind]:
                missing.append(key)
            else:
                unknown.append(key)
        if missing:
            self._block(purchase, missing)
        elif unknown and (left := GRACE - self._age(purchase, now, wall)) > 0:
            self._keep_away(purchase, tuple(dict.fromkeys(unknown)))
            self._delay(Key(RecordKind.PURCHASE, purchase), now + left)
        else:
            self._seen.pop(purchase, None)
            return True
        return False

    def _keep_away(self, purchase: str, unknown: Sequence[Key]) -> None:
        self._kept_away[purchase] = unknown
        for key in unknown:
            self._unannounced.setdefault(key, {})[purchase] = None
            self._index[key.kind].expect(key.id)

    def _back(self, purchase: str) -> None:
        """It is not held any more."""
        for key in self._kept_away.pop(purchase, ()):
            waiting = self._unannounced[key]
            waiting.pop(purchase, None)
            if not waiting:
                del self._unannounced[key]
                self._index[key.kind].expect(key.id, yes=False)

    def _age(self, purchase: str, now: float, wall: float) -> float:
        """Seconds since it was accepted; where that lies ahead of our clock, since it was first asked for."""
        age = wall - self._queue.accepted(purchase)
        if age < 0:
            self._seen.setdefault(purchase, now)
        return max(age, now - self._seen[purchase]) if purchase in self._seen else age

    def _block(self, purchase: str, missing: Sequence[Key]) -> None:
        before, lane = self._lane_blocked(purchase), self._queue.lane(purchase)
        if before is not None and before is not lane:
            del self._missing[before][purchase]
        self._missing[lane][purchase] = set(missing)
        for key in missing:
            self._blocked_by.setdefault(key, {})[purchase] = None
            # What a live order needs is as urgent as the order.
            self._index[key.kind].promote(key.id, lane)

    def _lane_blocked(self, purchase: str) -> Lane | None:
        """The lane in which it is blocked; None where it is not."""
        return next((lane for lane in LANES if purchase in self._missing[lane]), None)

    def _make_ready(self, purchase: str) -> None:
        lane = self._queue.lane(purchase)
        ready, heap = self._ready[lane], self._heaps[lane]
        ready.add(purchase)
        heapq.heappush(heap, (self._queue.accepted(purchase), purchase))
        if len(heap) > 2 * len(ready) + SWEEP:
            heap[:] = sorted({entry for entry in heap if entry[1] in ready})

    def _leave(self, purchase: str) -> bool:
        for ready in self._ready.values():
            if purchase in ready:
                ready.remove(purchase)
                return True
        return False
