"""The limiter against servers that cut their windows in any way, and say of it what they like."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.limiter.limiter import MARGIN, SHARED, Limiter
from pipeline.limiter.state import NOTHING_SEEN, Seen

WINDOW = 60.0
KINDS = ("first call", "aligned", "sliding")
WORDS = ("fraction", "whole seconds", "absurd", "nothing")


@dataclass(slots=True)
class _Server:
    """Counts calls when they arrive, and speaks when it answers."""

    limit: int
    kind: str
    words: str
    refused_count: bool = False
    refused: int = 0
    _recent: deque[float] = field(default_factory=deque)
    _used: int = 0
    _ends: float = -math.inf

    def arrive(self, now: float) -> tuple[bool, int, float]:
        """Whether a call is let in, what is left then, and when the window ends."""
        used, ends = self._window(now)
        admitted = used < self.limit
        if admitted or self.refused_count:
            self._used += 1
            self._recent.append(now)
            used += 1
        self.refused += not admitted
        return admitted, max(0, self.limit - used), ends if ends > now else now + WINDOW

    def says(self, verdict: tuple[bool, int, float], now: float) -> Seen:
        """What the headers of an answer tell."""
        admitted, left, ends = verdict
        if self.words == "nothing":
            return Seen(limited=not admitted) if not admitted else NOTHING_SEEN
        reset_in = max(0.0, ends - now)
        if self.words == "whole seconds":
            reset_in = float(math.ceil(reset_in))
        elif self.words == "absurd":
            reset_in = -7_200.0
        return Seen(limit=self.limit, remaining=left, reset_in=reset_in, limited=not admitted)

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
class _Client:
    """Calls whenever it may, with so many calls at once, until a moment."""

    limiter: Limiter
    server: _Server
    chance: random.Random
    at_once: int = 8
    slowest: float = 0.3
    others: float = 0.0
    starts: list[float] = field(default_factory=list)
    ours_refused: list[float] = field(default_factory=list)

    def run(self, end: float, begin: float = 0.0) -> None:
        now, number = begin, 0
        #: (moment, order, what happens): a call arrives, is answered, or somebody else calls.
        events: list[tuple[float, int, str, int, tuple[bool, int, float] | None]] = []
        if self.others:
            heapq.heappush(events, (begin, 0, "other", 0, None))
        while now < end:
            wait = self.limiter.wait(now)
            assert (self.limiter.free(now) > 0) == (wait <= 0)
            assert wait < math.inf or self.limiter.flying, "it would wait for ever"
            if wait <= 0 and self.limiter.flying < self.at_once:
                number += 1
                call = self.limiter.start(now)
                self.starts.append(now)
                heapq.heappush(events, (now + self._half(), number, "arrives", call, None))
                continue
            moment = now + wait if wait > 0 else math.inf
            if not events or events[0][0] > moment:
                now = moment
                continue
            now, _, what, call, verdict = heapq.heappop(events)
            number += 1
            if what == "other":
                self.server.arrive(now)
                heapq.heappush(events, (now + self.others, number, "other", 0, None))
            elif what == "arrives":
                verdict = self.server.arrive(now)
                heapq.heappush(events, (now + self._half(), number, "answered", call, verdict))
            elif verdict is not None:
                if not verdict[0]:
                    self.ours_refused.append(now)
                self.limiter.finish(call, now, self.server.says(verdict, now))

    def _half(self) -> float:
        return self.chance.uniform(0, self.slowest / 2)


def _client(
    seed: int,
    server: _Server,
    *,
    reserve: int = 0,
    at_once: int = 8,
    slowest: float = 0.3,
    others: float = 0.0,
) -> _Client:
    chance = random.Random(seed)  # noqa: S311 - repeatable chance is the point
    limiter = Limiter(server.limit, WINDOW, reserve)
    return _Client(limiter, server, chance, at_once=at_once, slowest=slowest, others=others)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32),
    st.builds(_Server, st.integers(1, 30), st.sampled_from(KINDS), st.sampled_from(WORDS)),
    st.integers(1, 12),
    st.floats(0.01, 40.0, allow_nan=False),
    st.floats(0, 200, allow_nan=False),
)
def test_alone_it_is_never_refused_whatever_the_server_does(
    seed: int, server: _Server, at_once: int, slowest: float, begin: float
) -> None:
    client = _client(seed, server, at_once=at_once, slowest=slowest)
    client.run(begin + 300, begin)
    assert client.server.refused == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("words", WORDS)
def test_alone_it_uses_the_whole_of_every_window(kind: str, words: str) -> None:
    client = _client(7, _Server(100, kind, words))
    client.run(1_800)
    # The first hundred go at once, and the clock of the test ends before the last window is over.
    assert len(client.starts) >= 0.99 * 100 * 30


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from(KINDS),
    st.sampled_from(WORDS[:2]),
    st.booleans(),
    st.floats(1.0, 6.0, allow_nan=False),
)
def test_where_others_call_too_it_is_refused_a_few_times_and_learns(
    seed: int, kind: str, words: str, refused_count: bool, every: float
) -> None:
    client = _client(seed, _Server(100, kind, words, refused_count), others=every)
    client.run(1_200)
    # Others may always be faster. In a fixed window that is seen once; in a sliding one, in which places come
    # back one by one, the call that asks whether one is back is now and then too late, but it is alone.
    later = [moment for moment in client.ours_refused if moment > 180]
    assert len(later) <= (0.1 * len(client.starts) if kind == "sliding" else 10)
    assert all(second - first > 0.3 for first, second in itertools.pairwise(later))
    assert len(client.starts) > 800


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(KINDS), st.sampled_from(WORDS), st.integers(1, 60))
def test_a_reserve_is_left_to_others(seed: int, kind: str, words: str, reserve: int) -> None:
    every = WINDOW / reserve
    client = _client(seed, _Server(100, kind, words), reserve=reserve, others=every * 1.01)
    client.run(600)
    assert client.server.refused == 0
    starts = client.starts
    assert all(
        later - earlier >= WINDOW
        for earlier, later in zip(starts, starts[client.limiter.limit_now :], strict=False)
    )


@pytest.mark.parametrize("words", WORDS)
def test_after_a_refusal_nothing_is_sent_before_the_reset(words: str) -> None:
    limiter = Limiter(100, WINDOW)
    calls = [limiter.start(0.0) for _ in range(3)]
    server = _Server(0, "first call", words)
    limiter.finish(calls[0], 1.0, server.says(server.arrive(0.5), 1.0))
    for call in calls[1:]:
        limiter.finish(call, 1.2, Seen(limit=100, remaining=50, reset_in=59))
    assert limiter.wait(1.2) > 58
    assert limiter.free(30.0) == 0
    assert limiter.free(62.0) == 1


def test_others_who_stop_calling_are_forgotten_in_time() -> None:
    limiter = Limiter(100, WINDOW)
    limiter.finish(limiter.start(0.0), 0.1, Seen(limit=100, remaining=9, reset_in=59.9))
    assert limiter.free(0.2) == 9 - MARGIN
    assert limiter.free(60.5) == 1
    later = 2 * SHARED * WINDOW
    limiter.finish(limiter.start(later), later, Seen(limit=100, remaining=99, reset_in=60))
    assert limiter.free(later) == 99


@given(st.integers(1, 100), st.integers(0, 99), st.integers(1, 200))
def test_there_is_always_a_place_in_a_window(limit: int, reserve: int, served: int) -> None:
    limiter = Limiter(limit, WINDOW, reserve)
    limiter.finish(limiter.start(0.0), 0.0, Seen(limit=served))
    assert 1 <= limiter.limit_now <= max(1, min(limit, served))
    assert limiter.free(2 * WINDOW) >= 1
