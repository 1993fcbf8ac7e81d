"""A server that limits calls in any way, and a client of it that calls whenever the limiter lets it."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from dataclasses import dataclass, field

from pipeline.limiter.limiter import Limiter
from pipeline.limiter.state import NOTHING_OBSERVED, Observation

WINDOW = 60.0
KINDS = ("first call", "aligned", "sliding")
#: How the reset is told: exactly; as a span or a moment in whole seconds, rounded up; as a moment rounded
#: down; absurdly; not at all; or nothing is told.
WORDS = ("fraction", "whole seconds", "epoch", "epoch rounded down", "absurd", "no reset", "nothing")


@dataclass(frozen=True, slots=True)
class Admission:
    """What became of a call, as the server saw it when it counted it."""

    admitted: bool
    left: int
    ends: float


@dataclass(slots=True)
class Server:
    """Counts calls when they arrive, and speaks when it answers.

    Attributes:
        limit: calls per window; may be changed at any time.
        kind: of window.
        words: how it tells the reset.
        refused_count: whether a refused call uses a place all the same.
        skew: seconds by which its clock is ahead of the client's, where it tells moments without a `Date`.
        bursts: (from, to): everything is refused.
        refused: calls refused so far, whosever.
    """

    limit: int
    kind: str
    words: str
    refused_count: bool = False
    skew: float = 0.0
    bursts: tuple[tuple[float, float], ...] = ()
    refused: int = 0
    _recent: deque[float] = field(default_factory=deque)
    _used: int = 0
    _ends: float = -math.inf

    def arrive(self, now: float) -> Admission:
        """Count a call, or refuse it."""
        used, ends = self._window(now)
        burst = any(start <= now < end for start, end in self.bursts)
        admitted = used < self.limit and not burst
        if admitted or (self.refused_count and not burst):
            self._used += 1
            self._recent.append(now)
            used += 1
        self.refused += not admitted
        left = 0 if burst else max(0, self.limit - used)
        return Admission(admitted, left, ends if ends > now else now + WINDOW)

    def says(self, admission: Admission, now: float) -> Observation:
        """What the headers of an answer tell."""
        limited = not admission.admitted
        if self.words == "nothing":
            return Observation(limited=True) if limited else NOTHING_OBSERVED
        return Observation(self.limit, admission.left, self._reset_in(admission.ends, now), limited=limited)

    def _reset_in(self, ends: float, now: float) -> float | None:
        """Seconds, as they come out of `pipeline.connectif.rates`."""
        match self.words:
            case "fraction":
                return max(0.0, ends - now + self.skew)
            case "whole seconds":
                return float(max(0, math.ceil(ends - now)))
            case "epoch":
                return max(0.0, float(math.ceil(ends)) - math.floor(now) + self.skew)
            case "epoch rounded down":
                return max(0.0, float(math.floor(ends)) - math.floor(now) + self.skew)
            case "absurd":
                return 7_200.0
        return None

    def _window(self, now: float) -> tuple[int, float]:
        while self._recent and self._recent[0] <= now - WINDOW:
            self._recent.popleft()
        if self.kind == "sliding":
            return len(self._recent), (self._recent[0] if self._recent else now) + WINDOW
        if now >= self._ends:
            start = math.floor(now / WINDOW) * WINDOW if self.kind == "aligned" else now
            self._ends, self._used = start + WINDOW, 0
        return self._used, self._ends


@dataclass(slots=True)
class Client:
    """Calls whenever it may, with so many calls at once, until a moment.

    Attributes:
        limiter: the one under test; it is asked at each step whether what it says fits together.
        server: where calls go, ours and others'.
        seed: of the latencies and of the others.
        at_once: the most calls in flight.
        latency: the shortest and the longest call in seconds.
        gap: seconds between two starts at least, for calls that are spread over the window.
        others: calls a window that others make, at random moments.
        others_until: when they stop.
        starts: of our calls.
        refused: when our 429s came.
        lefts: what the server had left after each of our calls that it let in.
        others_refused: how many of the others' calls were refused.
        calls: (start, answer) of our calls, the answer of those cut off by the end None.
    """

    limiter: Limiter
    server: Server
    seed: int = 0
    at_once: int = 8
    latency: tuple[float, float] = (0.1, 0.3)
    gap: float = 0.0
    others: float = 0.0
    others_until: float = math.inf
    starts: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    lefts: list[int] = field(default_factory=list)
    others_refused: int = 0
    calls: dict[int, tuple[float, float | None]] = field(default_factory=dict)
    _not_before: float = -math.inf
    _gap_ends: float = -math.inf
    _now: float = 0.0
    _number: int = 0
    #: (moment, order, what happens, call, what the server made of it)
    _events: list[tuple[float, int, str, int, Admission | None]] = field(default_factory=list)
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - repeatable chance is the point

    def run(self, end: float, begin: float = 0.0) -> None:
        """Call from one moment to another; what is in flight then is cut off, and counted all the same."""
        self._now, self._events = begin, []
        self._next_other()
        while self._now < end:
            wait = max(self.wait(self._now), self._gap_ends - self._now)
            if wait <= 0 and self.limiter.in_flight < self.at_once:
                self._start()
                continue
            moment = self._now + wait if wait > 0 else math.inf
            if self._events and self._events[0][0] <= moment:
                self._now, _, what, call, admission = heapq.heappop(self._events)
                self._happens(what, call, admission)
            else:
                self._now = moment
        for _, _, what, _, _ in self._events:
            if what == "arrives":
                self.server.arrive(end)

    def wait(self, now: float) -> float:
        """The limiter's word, once it has been seen to fit what else it says."""
        wait, free = self.limiter.wait(now), self.limiter.free(now)
        assert wait >= 0
        assert (free > 0) == (wait == 0)
        assert free <= max(1, self.limiter.limit_now - self.limiter.used(now))
        assert wait < math.inf or self.limiter.in_flight, "it would wait for ever"
        return wait

    def _start(self) -> None:
        assert self._now >= self._not_before, "a 429 told to wait longer"
        self.starts.append(self._now)
        self._gap_ends = self._now + self.gap
        call = self.limiter.start(self._now)
        self.calls[call] = (self._now, None)
        self._later(self._half(), "arrives", call)

    def _happens(self, what: str, call: int, admission: Admission | None) -> None:
        if what == "other":
            self.others_refused += not self.server.arrive(self._now).admitted
            self._next_other()
        elif what == "arrives":
            counted = self.server.arrive(self._now)
            if counted.admitted:
                self.lefts.append(counted.left)
            self._later(self._half(), "answered", call, counted)
        elif admission is not None:
            seen = self.server.says(admission, self._now)
            if seen.limited:
                self.refused.append(self._now)
                told = seen.reset_in is not None and 0 <= seen.reset_in <= WINDOW
                self._not_before = self._now + (seen.reset_in or 0.0 if told else WINDOW)
            self.calls[call] = (self.calls[call][0], self._now)
            self.limiter.finish(call, self._now, seen)

    def _next_other(self) -> None:
        if self.others:
            after = self._chance.expovariate(self.others / WINDOW)
            if self._now + after < self.others_until:
                self._later(after, "other")

    def _later(self, after: float, what: str, call: int = 0, admission: Admission | None = None) -> None:
        self._number += 1
        heapq.heappush(self._events, (self._now + after, self._number, what, call, admission))

    def _half(self) -> float:
        return self._chance.uniform(*self.latency) / 2
