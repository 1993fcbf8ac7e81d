"""The limit of calls, as an algorithm: no clock, no waiting, no files.

A call takes a slot from its start until one window after its answer. The server counts it somewhere
between start and answer, so whatever its window's kind (fixed or sliding) and however long calls take, it
never counts more of ours in one window than there are slots. Its headers can only lower that: others may
share the limit.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pipeline.limiter.state import NOTHING_OBSERVED, LimiterState, Observation

#: Seconds added to a window: two clocks run differently, and an interval's ends may both count.
GUARD = 0.005
#: For so many windows after others' calls were seen, what the server says is left is taken into account. If
#: no others call, it is no less than our own count leaves, but soon too low: slots come back meanwhile.
SHARED = 10
#: While others share the limit, so many slots are left for calls of theirs that cannot be seen yet.
MARGIN = 2
#: For so many windows at most a server's `Retry-After` is obeyed; then one call probes.
LONGEST_AWAY = 10
#: Seconds by which a reset may be sent too early, and as a share of the window the most that is allowed for:
#: servers round to whole seconds, some of them down.
ROUNDING, MOST_ROUNDING = 1.0, 0.02
#: Shares of a window: by how much our estimate of its beginning may differ from the server's, and two resets
#: of one window.
BEGINNING, SAME_RESET = 0.05, 0.1


@dataclass(slots=True)
class Limiter:
    """The slots of one limit.

    Args:
        limit: calls per window.
        window: its length in seconds.
        reserve: calls per window that are left to others: neither our own count nor what the server says
            is left is used up further than that.
        state: what is remembered; kept by the caller where it is to outlive this.
    """

    limit: int
    window: float
    reserve: int = 0
    state: LimiterState = field(default_factory=LimiterState)

    def copy(self) -> Limiter:
        """A copy."""
        state = self.state
        return replace(
            self, state=replace(state, in_flight=state.in_flight.copy(), expiring=state.expiring.copy())
        )

    # Looking.

    @property
    def limit_now(self) -> int:
        """Slots per window: ours, or fewer by the server's headers, less the reserve; at least one."""
        served = self.state.server_limit
        return max(1, (self.limit if served is None else min(self.limit, served)) - self.reserve)

    @property
    def spacing(self) -> float:
        """Seconds of a window per slot."""
        return self.window / self.limit_now

    @property
    def longest_away(self) -> float:
        """Seconds for which a `Retry-After` is obeyed, at most: one call probes after that."""
        return LONGEST_AWAY * self.window

    @property
    def in_flight(self) -> int:
        """Calls that have started, or are about to, and have no answer."""
        return len(self.state.in_flight)

    def used(self, now: float) -> int:
        """Slots taken."""
        self._refresh(now)
        return self._taken

    def free(self, now: float) -> int:
        """Free slots; 0 exactly while `wait` is above 0."""
        if self.wait(now) > 0:
            return 0
        if self.state.probing:
            return 1
        left = self.limit_now - self._taken
        return left if self.state.remaining is None else min(left, self._left_by_server)

    def returning(self, now: float) -> list[float]:
        """Seconds until each slot of an answered call comes back, the next first."""
        self._refresh(now)
        return [moment - now for moment in self.state.expiring]

    def wait(self, now: float) -> float:
        """Seconds until a call may start; 0: now; infinity: not before an answer comes."""
        state = self.state
        if now < state.blocked_until:
            return state.blocked_until - now
        self._refresh(now)
        if state.probing and state.in_flight:
            return math.inf
        return max(self._wait_for_place(now), self._wait_for_share(now))

    # Calls.

    def start(self, now: float) -> int:
        """Take a slot for a call that starts now; returns what `finish` needs."""
        self.state.number += 1
        self._refresh(now)
        self.state.in_flight[self.state.number] = (now, self.state.returned)
        return self.state.number

    def cancel(self, call: int) -> None:
        """The call was not made after all."""
        del self.state.in_flight[call]

    def finish(self, call: int, now: float, seen: Observation = NOTHING_OBSERVED) -> None:
        """The call's answer came, or was given up."""
        state = self.state
        started, returned = state.in_flight.pop(call)
        self._cool(now)
        self._refresh(now)
        if seen.limit is not None:
            state.server_limit = max(1, seen.limit)
        if seen.limited:
            self._block(now, seen)
            return
        if started >= state.probing_from:  # an answer to an older call does not show what is left now
            state.probing, state.refusals = False, 0
        if seen.remaining is None:
            return
        served = self.limit if state.server_limit is None else state.server_limit
        if served - seen.remaining > self._countable(seen, state.returned - returned, now):
            state.shared_until = now + SHARED * self.window
        self._watch(seen, now)
        if self.reserve or now < state.shared_until:
            self._observe(seen, started, now)
        else:
            state.remaining = None

    # Calls of other processes.

    def restore(self, calls: Iterable[tuple[float, float | None]], now: float) -> None:
        """Take slots for calls made before this process began: (start, answer) on the present clock.

        A call without an answer ended with the process that made it, at the latest now.
        """
        for answer in sorted(now if end is None else min(end, now) for _, end in calls):
            self._cool(answer)
        self._refresh(now)

    def assume_used(self, now: float) -> None:
        """Another process may have used all of it until now."""
        for _ in range(self.limit - self.in_flight):
            self._cool(now)

    # Inside.

    @property
    def _taken(self) -> int:
        return len(self.state.in_flight) + len(self.state.expiring)

    @property
    def _left_by_server(self) -> int:
        """Calls in flight may not be in what the server said was left."""
        state = self.state
        return (state.remaining or 0) + state.credit - max(MARGIN, self.reserve) - len(state.in_flight)

    def _countable(self, seen: Observation, returned: int, now: float) -> int:
        """How many of our calls the server can have counted, by the answer to one of them.

        Args:
            seen: the answer.
            returned: slots that came back while the call was in flight.
            now: when it came.
        """
        most, slack = self._taken + returned, BEGINNING * self.window
        if seen.reset_in is not None and seen.reset_in > self.window + slack:
            self.state.clock_ahead = True
        if self.state.clock_ahead or seen.reset_in is None or not slack < seen.reset_in <= self.window:
            return most
        # Not those answered before its window began, or, where that slides, before the oldest call in it.
        before = bisect_left(self.state.expiring, now + seen.reset_in - slack)
        return min(most, self._taken - before)

    def _watch(self, seen: Observation, now: float) -> None:
        """Resets that lie closer together than a window, and yet apart, are those of a sliding one."""
        if seen.reset_in is None or not 0 <= seen.reset_in <= self.window:
            return
        state, tolerance = self.state, SAME_RESET * self.window
        moved = now + seen.reset_in - state.anchor
        if moved > tolerance:
            state.sliding = state.sliding or moved < self.window - tolerance
            state.anchor = now + seen.reset_in

    def _observe(self, seen: Observation, started: float, now: float) -> None:
        state = self.state
        remaining, reset_at = seen.remaining or 0, now + self._until_reset(seen)
        if state.remaining is None or started >= state.heard_at:
            state.remaining, state.reset_at, state.heard_at = remaining, reset_at, now
            # Slots that came back while a call was in flight may be in what the server said is left.
            state.credit, state.credit_from = 0, now + (now - started)
        else:
            # Answers to calls made side by side overtake each other: the most careful reading counts.
            state.remaining = min(state.remaining, remaining)
            state.reset_at = min(state.reset_at, reset_at)

    def _until_reset(self, seen: Observation) -> float:
        """In a sliding window a reset is that of one slot; all counted calls have expired a window later."""
        if self.state.sliding:
            return self.window
        return self._plausible(seen.reset_in) + min(ROUNDING, MOST_ROUNDING * self.window)

    def _cool(self, answer: float) -> None:
        moment, expiring = answer + self.window + GUARD, self.state.expiring
        # Kept in order, though an answer may be reported late.
        expiring.append(max(moment, expiring[-1]) if expiring else moment)

    def _refresh(self, now: float) -> None:
        state = self.state
        while state.expiring and state.expiring[0] <= now:
            moment = state.expiring.popleft()
            state.returned += 1
            # If the window slides, a slot of ours that comes back is one more than the server said is left.
            state.credit += state.sliding and moment > state.credit_from
        if state.remaining is not None and now >= state.reset_at:
            # All of it is back: one call asks.
            state.probing, state.probing_from = True, now
            state.remaining = None

    def _wait_for_place(self, now: float) -> float:
        surplus, expiring = self._taken - self.limit_now, self.state.expiring
        if surplus < 0:
            return 0.0
        return expiring[surplus] - now if surplus < len(expiring) else math.inf

    def _wait_for_share(self, now: float) -> float:
        state = self.state
        if state.remaining is None or self._left_by_server > 0:
            return 0.0
        if state.in_flight:
            return math.inf
        missing = -self._left_by_server
        if state.sliding and missing < len(state.expiring):
            return min(state.expiring[missing], state.reset_at) - now
        return state.reset_at - now

    def _block(self, now: float, seen: Observation) -> None:
        span = self._plausible(seen.reset_in) + min(ROUNDING, MOST_ROUNDING * self.window)
        if seen.retry_after is not None:
            asked = min(seen.retry_after, self.longest_away)
            span = asked if seen.reset_in is None else max(span, asked)
        state = self.state
        # In a sliding window the next slot is free in a moment, and others may be faster: back off.
        span = max(span, min(self.window, self.spacing * 2**state.refusals))
        state.refusals = min(state.refusals + 1, 30)
        state.blocked_until = max(state.blocked_until, now + span + GUARD)
        state.remaining = None
        if state.sliding:
            # Nothing was left, and only what comes back of ours is known to be more.
            state.remaining, state.reset_at, state.heard_at = 0, now + self.window, now
            state.credit, state.credit_from = 0, now
        state.probing, state.probing_from = True, state.blocked_until
        # Our own count allowed it: another program used the slot.
        state.shared_until = now + SHARED * self.window

    def _plausible(self, span: float | None) -> float:
        """A moment of a clock that differs from ours is not used: then it is a full window."""
        return self.window if span is None or not 0 <= span <= self.window else span
