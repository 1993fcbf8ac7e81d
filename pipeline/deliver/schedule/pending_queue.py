"""The pending ids of one account and kind in memory: order and phase, nothing else; records stay on disk.

An id's state is packed into one integer. Ids that leave a lane out of order stay in its queue and are skipped
when they come to its head.
"""

from __future__ import annotations

import enum
from collections import Counter, deque

from pipeline.events import Lane

LANES = (Lane.LIVE, Lane.RETRY, Lane.BACKFILL)


class Phase(enum.IntEnum):
    """Where an id is."""

    LOADED = 0  # found on disk after a start; its receipts may not have been read back yet
    WAITING = 1  # in the queue of its lane
    HELD = 2  # in no queue: a delay, a missing dependency, a file being split
    IN_FLIGHT = 3  # a call or an import carries it
    AWAITING_RECEIPT = 4  # its receipt is written and not yet read back
    UNCONFIRMED = (
        5  # in no queue: Kafka has not confirmed its entry, and a crash would forget that it was sent
    )


_PHASE, _WAITING = 7, int(Phase.WAITING)
_PHASES = tuple(Phase)
#: Phases in which an id may move to a faster lane.
_MOVABLE = (Phase.WAITING, Phase.HELD, Phase.UNCONFIRMED)
#: A call with the current version had no clear answer.
_TRIED = 8
#: Another version of it may have reached Connectif.
_DOUBT = 16
_LANE_SHIFT, _LANE = 5, 3 << 5
_ACCEPTED_SHIFT = 7
_LANE_AND_PHASE = _LANE | _PHASE
_IN_LANE = {lane: number << _LANE_SHIFT for number, lane in enumerate(LANES)}
#: Packed lane and phase of what waits in a lane; of all that a lane has, in every phase.
_WAITS_IN = {lane: bits | _WAITING for lane, bits in _IN_LANE.items()}
_ALL_IN = {lane: tuple(bits | int(phase) for phase in Phase) for lane, bits in _IN_LANE.items()}
#: Stale entries are dropped from a queue once it is this much longer than twice what waits in it.
_SWEEP = 64


class PendingQueue:
    """The ids of one account and kind, and the order in which they go."""

    def __init__(self) -> None:
        self._states: dict[str, int] = {}
        self._queues: dict[Lane, deque[str]] = {lane: deque() for lane in LANES}
        #: What a receipt said of an id that was in flight; takes effect once its call has ended.
        self._meanwhile: dict[str, tuple[Lane, int] | None] = {}
        #: How many repairs write to each id.
        self._reserved: Counter[str] = Counter()
        #: Ids whose newest version may not be sent until Kafka has confirmed it; whether they had their turn.
        self._unconfirmed: dict[str, bool] = {}
        self._promoted: dict[str, None] = {}
        #: Ids that have no record yet and that a purchase waits for; those of them that came in.
        self._expected: set[str] = set()
        self._came: list[str] = []
        #: Lane and phase, as packed -> how many ids; lane -> epoch second of acceptance -> how many.
        self._counts: Counter[int] = Counter()
        self._ages: dict[Lane, Counter[int]] = {lane: Counter() for lane in LANES}

    def __len__(self) -> int:
        return len(self._states)

    def __contains__(self, record_id: str) -> bool:
        return record_id in self._states

    def copy(self) -> PendingQueue:
        """A copy; of a million ids in 30 ms or so."""
        copied = PendingQueue()
        copied._states = self._states.copy()
        copied._queues = {lane: queue.copy() for lane, queue in self._queues.items()}
        copied._meanwhile = self._meanwhile.copy()
        copied._reserved = self._reserved.copy()
        copied._unconfirmed = self._unconfirmed.copy()
        copied._promoted = self._promoted.copy()
        copied._expected = self._expected.copy()
        copied._came = self._came.copy()
        copied._counts = self._counts.copy()
        copied._ages = {lane: ages.copy() for lane, ages in self._ages.items()}
        return copied

    # Coming in.

    def load(self, record_id: str, lane: Lane, accepted: int) -> None:
        """An entry found on disk: in no queue until `open`, and any version of it may have been sent."""
        self._set(record_id, Phase.LOADED | _DOUBT | _packed(lane, accepted))

    def open(self) -> None:
        """All receipts are read back: what was loaded is queued before what came since, oldest first."""
        loaded = [
            (state >> _ACCEPTED_SHIFT, record_id)
            for record_id, state in self._states.items()
            if state & _PHASE == Phase.LOADED
        ]
        loaded.sort(reverse=True)
        for _, record_id in loaded:
            self._enqueue(record_id, self._states[record_id], first=True)

    def add(self, record_id: str, lane: Lane, accepted: int) -> None:
        """A record came in; an id that waits already keeps its position, or moves to a faster lane."""
        state = self._states.get(record_id)
        if record_id in self._expected:
            self._expected.remove(record_id)
            self._came.append(record_id)
        if state is None:
            self._come(record_id, _packed(lane, accepted))
        elif state & _PHASE in _MOVABLE:
            if state & _TRIED:
                self._set(record_id, state & ~_TRIED | _DOUBT)
            self.promote(record_id, lane)

    def await_confirmation(self, record_id: str) -> None:
        """What comes in for this id is sent only after `confirmed`; what is in flight already goes on."""
        self._unconfirmed.setdefault(record_id, False)

    def confirmed(self, record_id: str) -> None:
        """Kafka has confirmed what came in for an id: it is queued, first in its lane if it had its turn."""
        had_turn = self._unconfirmed.pop(record_id, False)
        if self.phase(record_id) is Phase.UNCONFIRMED:
            self._come(record_id, self._states[record_id], first=had_turn)

    def promote(self, record_id: str, lane: Lane) -> None:
        """Move an id that waits, is held or is not confirmed yet to the end of a faster lane."""
        state = self._states.get(record_id)
        if state is None or state & _PHASE not in _MOVABLE:
            return
        if LANES.index(lane) < LANES.index(_lane(state)):
            self._set(record_id, _with_lane(state, lane))
            if state & _PHASE == Phase.WAITING:
                self._queues[lane].append(record_id)
            elif state & _PHASE == Phase.HELD:
                self._promoted[record_id] = None

    def promoted(self) -> list[str]:
        """Ids that moved to a faster lane while they were held, since the last call."""
        found, self._promoted = self._promoted, {}
        return [record_id for record_id in found if record_id in self._states]

    def expect(self, record_id: str, *, yes: bool = True) -> None:
        """Let `came` name an id once it comes in, or not any more."""
        if yes:
            self._expected.add(record_id)
        else:
            self._expected.discard(record_id)

    def came(self) -> list[str]:
        """Expected ids that came in since the last call."""
        found, self._came = self._came, []
        return found

    # Going out.

    def take(self, lane: Lane) -> str | None:
        """The next id of a lane, from now on in flight; None where the lane is empty."""
        record_id = self._head(lane)
        if record_id is not None:
            self._queues[lane].popleft()
            self._leave(record_id, Phase.IN_FLIGHT)
        return record_id

    def pull(self, record_id: str) -> bool:
        """Take a waiting or held id out of order; False where it is neither, reserved, or not confirmed."""
        if self.phase(record_id) not in (Phase.WAITING, Phase.HELD) or record_id in self._reserved:
            return False
        if record_id in self._unconfirmed:
            self._set_aside(record_id)
            return False
        self._leave(record_id, Phase.IN_FLIGHT)
        return True

    def hold(self, record_id: str) -> None:
        """Hold an id that is in flight: in no queue until `release` or `pull`."""
        if self.phase(record_id) is Phase.IN_FLIGHT and not self._caught_up(record_id):
            self._leave(record_id, Phase.HELD)

    def back(self, record_id: str, *, tried: bool = False) -> None:
        """Put an id in flight back to the head of its lane; `tried`: Connectif may have what was sent."""
        if self.phase(record_id) is not Phase.IN_FLIGHT or self._caught_up(record_id):
            return
        self._enqueue(record_id, self._states[record_id] | (_TRIED if tried else 0), first=True)

    def release(self, record_id: str, *, lane: Lane | None = None) -> None:
        """Queue a held id: at the end of `lane`, or for None at the head of its own.

        One that is in flight stays so: the caller may not know that it was taken meanwhile.
        """
        if self.phase(record_id) is not Phase.HELD or record_id in self._reserved:
            return
        state = self._states[record_id]
        self._enqueue(record_id, state if lane is None else _with_lane(state, lane), first=lane is None)

    def mark_tried(self, record_id: str) -> None:
        """A call with the current version got no clear answer."""
        state = self._states.get(record_id)
        if state is not None:
            self._set(record_id, state | _TRIED)

    def reserve(self, record_id: str) -> None:
        """A repair writes to an element that has no record here: one that comes in meanwhile is held."""
        self._reserved[record_id] += 1

    def release_reservation(self, record_id: str) -> None:
        """The repair is done."""
        self._reserved[record_id] -= 1
        if self._reserved[record_id] <= 0:
            del self._reserved[record_id]
            self.release(record_id)

    def receipt_written(self, record_id: str) -> None:
        """The receipt of an id in flight is written."""
        if self.phase(record_id) is Phase.IN_FLIGHT and not self._caught_up(record_id):
            self._leave(record_id, Phase.AWAITING_RECEIPT)

    def settle_at_once(self, record_id: str, lane: Lane, accepted: int) -> None:
        """A receipt is written for an id that needs no call, known or not."""
        state = self._states.get(record_id, _packed(lane, accepted))
        self._set(record_id, state & ~_PHASE | Phase.AWAITING_RECEIPT)

    def settled(self, record_id: str, following: tuple[Lane, int] | None, *, certain: bool) -> None:
        """A receipt was read back: the id is removed, or queued with what came meanwhile.

        Args:
            record_id: the id.
            following: lane and acceptance of the version that came meanwhile, if one did.
            certain: whether the receipt says what Connectif holds; if not, another version may be there.
        """
        phase = self.phase(record_id)
        if phase is None:
            return
        if phase is Phase.IN_FLIGHT:
            self._meanwhile[record_id] = following
        else:
            self._replace(record_id, following, doubt=not certain)

    def drop(self, record_id: str) -> None:
        """An id in flight has no record any more: an earlier worker has sent it."""
        self._meanwhile.pop(record_id, None)
        self._set(record_id, None)

    # Looking.

    def phase(self, record_id: str) -> Phase | None:
        """Where an id is; None where it is not known."""
        state = self._states.get(record_id)
        return None if state is None else _PHASES[state & _PHASE]

    def busy(self, record_id: str) -> bool:
        """Whether its record must stay as it is: it is in flight, or may have been before a restart."""
        return self.phase(record_id) in (Phase.LOADED, Phase.IN_FLIGHT, Phase.AWAITING_RECEIPT)

    def doubtful(self, record_id: str) -> bool:
        """Whether another version of it may have reached Connectif."""
        return bool(self._states.get(record_id, 0) & _DOUBT)

    def maybe_sent(self, record_id: str) -> bool:
        """Whether this or another version of it may have reached Connectif."""
        return bool(self._states.get(record_id, 0) & (_DOUBT | _TRIED))

    def lanes(self) -> list[Lane]:
        """The lanes in which ids wait, the most urgent first."""
        return [lane for lane in LANES if self._head(lane) is not None]

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(self.waiting_in, LANES))

    def waiting_in(self, lane: Lane) -> int:
        """How many wait in a lane."""
        # For a missing key a Counter calls a Python method, which is slower.
        return self._counts.get(_WAITS_IN[lane], 0)

    def coming_in(self, lane: Lane) -> int:
        """How many wait in a lane, or will as soon as Kafka has confirmed them."""
        return self.waiting_in(lane) + self.count(lane, Phase.UNCONFIRMED)

    def count(self, lane: Lane, phase: Phase) -> int:
        """How many ids of a lane are in a phase."""
        return self._counts.get(_IN_LANE[lane] | phase, 0)

    def pending(self, lane: Lane) -> int:
        """How many ids a lane has, in every phase."""
        counts = self._counts
        return sum([counts.get(place, 0) for place in _ALL_IN[lane]])

    def oldest_pending(self, lane: Lane) -> int | None:
        """When the oldest of a lane was accepted, in epoch seconds, in every phase; None if there is none.

        For reports only: its cost grows with the number of distinct seconds in a lane.
        """
        return min(self._ages[lane], default=None)

    def oldest(self, lane: Lane) -> int | None:
        """When the head of a lane was accepted, in epoch seconds."""
        head = self._head(lane)
        return None if head is None else self.accepted(head)

    def accepted(self, record_id: str) -> int:
        """When a known id was accepted, in epoch seconds."""
        return self._states[record_id] >> _ACCEPTED_SHIFT

    def lane(self, record_id: str) -> Lane:
        """The lane of a known id."""
        return _lane(self._states[record_id])

    # Inside.

    def _set(self, record_id: str, state: int | None) -> None:
        """All changes of a state are made here, so that the counts are right."""
        before = self._states.get(record_id)
        if before is not None:
            self._counts[before & _LANE_AND_PHASE] -= 1
        if state is not None:
            self._counts[state & _LANE_AND_PHASE] += 1
        if before is None or state is None or before >> _LANE_SHIFT != state >> _LANE_SHIFT:
            if before is not None:
                self._forget_age(_lane(before), before >> _ACCEPTED_SHIFT)
            if state is not None:
                self._ages[_lane(state)][state >> _ACCEPTED_SHIFT] += 1
        if state is None:
            self._states.pop(record_id, None)
        else:
            self._states[record_id] = state
        if before is not None and before & _PHASE == _WAITING:
            self._sweep(_lane(before))

    def _sweep(self, lane: Lane) -> None:
        """Drop the entries of a queue whose ids left it out of turn, once they are many."""
        queue = self._queues[lane]
        if len(queue) > 2 * self.waiting_in(lane) + _SWEEP:
            waiting = [one for one in dict.fromkeys(queue) if self._waits(one, lane)]
            queue.clear()
            queue.extend(waiting)

    def _waits(self, record_id: str, lane: Lane) -> bool:
        return self._states.get(record_id, 0) & _LANE_AND_PHASE == _WAITS_IN[lane]

    def _forget_age(self, lane: Lane, accepted: int) -> None:
        ages = self._ages[lane]
        ages[accepted] -= 1
        if not ages[accepted]:
            del ages[accepted]

    def _enqueue(self, record_id: str, state: int, *, first: bool = False) -> None:
        self._set(record_id, state & ~_PHASE | Phase.WAITING)
        queue = self._queues[_lane(state)]
        if first:
            queue.appendleft(record_id)
        else:
            queue.append(record_id)

    def _leave(self, record_id: str, phase: Phase) -> None:
        self._set(record_id, self._states[record_id] & ~_PHASE | phase)

    def _replace(self, record_id: str, following: tuple[Lane, int] | None, *, doubt: bool) -> None:
        state = self._states[record_id]
        if following is None:
            self._set(record_id, None)
        elif state & _PHASE == Phase.LOADED:
            self._set(record_id, Phase.LOADED | _DOUBT | _packed(*following))
        else:
            self._come(
                record_id, (_DOUBT if doubt and state & (_DOUBT | _TRIED) else 0) | _packed(*following)
            )

    def _set_aside(self, record_id: str) -> None:
        """An id whose turn it is must wait for Kafka: it goes first once that has confirmed it."""
        self._unconfirmed[record_id] = True
        self._leave(record_id, Phase.UNCONFIRMED)

    def _come(self, record_id: str, state: int, *, first: bool = False) -> None:
        """Queue an id, unless something keeps it from being sent yet."""
        if record_id in self._unconfirmed:
            self._set(record_id, state & ~_PHASE | Phase.UNCONFIRMED)
        elif record_id in self._reserved:
            self._set(record_id, state & ~_PHASE | Phase.HELD)
        else:
            self._enqueue(record_id, state, first=first)

    def _caught_up(self, record_id: str) -> bool:
        """Whether a receipt of a worker before this one settled the id while it was in flight."""
        if record_id not in self._meanwhile:
            return False
        self._set(record_id, self._states[record_id] | _DOUBT)
        self._replace(record_id, self._meanwhile.pop(record_id), doubt=True)
        return True

    def _head(self, lane: Lane) -> str | None:
        """The next id; drops those that left the lane out of order, and sets aside what is not confirmed."""
        queue = self._queues[lane]
        while queue:
            if not self._waits(queue[0], lane):
                queue.popleft()
            elif queue[0] not in self._unconfirmed:
                return queue[0]
            else:
                self._set_aside(queue.popleft())
        return None


def _packed(lane: Lane, accepted: int) -> int:
    return accepted << _ACCEPTED_SHIFT | LANES.index(lane) << _LANE_SHIFT


def _lane(state: int) -> Lane:
    return LANES[(state & _LANE) >> _LANE_SHIFT]


def _with_lane(state: int, lane: Lane) -> int:
    return state & ~_LANE | LANES.index(lane) << _LANE_SHIFT
