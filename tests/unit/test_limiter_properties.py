"""What holds of the limiter always: for servers, latencies, crashes and changes of any kind.

`tests.limited.Client` checks at each step that `free` and `wait` agree, that nothing waits for ever, and that
nothing is sent earlier than a 429 told.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.limiter.journal import _CALL_MASK, Journal
from pipeline.limiter.limiter import Limiter
from pipeline.limiter.state import Observation
from tests.limited import KINDS, WINDOW, WORDS, Client, Server

_seeds = st.integers(0, 2**32)
_at_once = st.integers(1, 12)
_latencies = st.tuples(st.floats(0.0, 1.0), st.floats(1.0, 40.0))
_bursts = st.lists(
    st.tuples(st.floats(0, 250), st.floats(0, 90)).map(lambda burst: (burst[0], sum(burst))), max_size=3
).map(tuple)


def _servers(most: int = 30, words: tuple[str, ...] = WORDS) -> st.SearchStrategy[Server]:
    return st.builds(
        Server,
        st.integers(1, most),
        st.sampled_from(KINDS),
        st.sampled_from(words),
        st.booleans(),
        st.sampled_from((-40.0, -2.0, 0.0, 0.7, 4.0, 40.0)),
    )


@settings(max_examples=300, deadline=None)
@given(_seeds, _servers(), _at_once, _latencies, st.floats(0.0, 200.0))
def test_alone_it_is_never_refused(
    seed: int, server: Server, at_once: int, latency: tuple[float, float], begin: float
) -> None:
    client = Client(Limiter(server.limit, WINDOW, seed % 5), server, seed, at_once, latency)
    client.run(begin + 300, begin)
    assert server.refused == 0
    # Slow calls hold their places longer, but each window has some.
    assert len(client.starts) >= 3


@settings(max_examples=200, deadline=None)
@given(_seeds, _servers(100), _at_once, st.floats(0.5, 200.0), _bursts)
def test_beside_others_and_through_bursts_it_never_hangs_and_each_429_is_heeded(
    seed: int, server: Server, at_once: int, others: float, bursts: tuple[tuple[float, float], ...]
) -> None:
    server.bursts = bursts
    limiter = Limiter(server.limit, WINDOW, seed % 50)
    client = Client(limiter, server, seed, at_once, others=others, others_until=300.0)
    client.run(420.0)
    _finish(client, 420.0)
    calm = max([300.0, *(end for _, end in server.bursts)])
    # However it was treated, it begins again once the rest is quiet.
    client.run(calm + 400.0, 420.0)
    assert client.starts[-1] > calm


@settings(max_examples=200, deadline=None)
@given(
    _seeds,
    _servers(words=WORDS[:-1]),
    _at_once,
    st.lists(st.tuples(st.floats(1.0, 100.0), st.integers(1, 40)), min_size=1, max_size=3),
)
def test_a_limit_that_changes_is_followed_with_the_next_answer(
    seed: int, server: Server, at_once: int, changes: list[tuple[float, int]]
) -> None:
    limiter = Limiter(40, WINDOW)
    limiter.finish(limiter.start(-90.0), -90.0, Observation(limit=server.limit))
    client = Client(limiter, server, seed, at_once)
    now, drops = 0.0, 0
    for span, limit in changes:
        client.run(now + span, now)
        _finish(client, now + span)
        now, drops = now + span, drops + (limit < server.limit)
        server.limit = limit
    client.run(now + 200, now)
    # Those in flight when it fell, and those that ask before the window that was too full is over.
    assert len(client.refused) <= drops * (at_once + 3)


@settings(max_examples=200, deadline=None)
@given(
    _seeds,
    _servers(),
    _at_once,
    st.lists(st.tuples(st.floats(0.1, 50), st.booleans()), min_size=1, max_size=5),
)
def test_restarts_and_moves_forget_no_call(
    seed: int, server: Server, at_once: int, lives: list[tuple[float, bool]]
) -> None:
    now, calls = 0.0, list[tuple[float, float | None]]()
    for number, (span, moved) in enumerate(lives):
        limiter = Limiter(server.limit, WINDOW)
        if moved:
            limiter.assume_used(now)
        else:
            limiter.restore(calls, now)
            assert limiter.used(now) >= sum(now - (end or now) < WINDOW for _, end in calls)
        client = Client(limiter, server, seed + number, at_once)
        client.run(now + span, now)
        now += span
        # Those cut off end with the process.
        calls += [(start, now if end is None else end) for start, end in client.calls.values()]
    assert server.refused == 0


@given(st.integers(1, 100), st.integers(0, 99), st.integers(1, 200))
def test_there_is_always_a_place_in_a_window(limit: int, reserve: int, served: int) -> None:
    limiter = Limiter(limit, WINDOW, reserve)
    limiter.finish(limiter.start(0.0), 0.0, Observation(limit=served))
    assert limiter.limit_now == max(1, min(limit, served) - reserve)
    assert limiter.free(2 * WINDOW) >= 1


@given(st.integers(0, 12), st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_the_journal_forgets_nothing_when_its_numbers_begin_anew(before: int, lives: list[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path, made = Path(directory) / "acme.calls", 0
        for life, calls in enumerate(lives):
            journal = Journal(path, window=WINDOW, longest=30)
            assert len(journal.calls(1_000.0)) == made
            if life == 0:
                journal._next = _CALL_MASK - before
            for number in range(calls):
                call = journal.started(1_000.0)
                if number % 2:
                    journal.answered(call, 1_000.0)
            made += calls
            journal.close()
        assert len(Journal(path, window=WINDOW, longest=30).calls(1_000.0)) == made


def _finish(client: Client, now: float) -> None:
    """The answers of what is in flight never come."""
    for call in [call for call, (_, end) in client.calls.items() if end is None]:
        client.limiter.finish(call, now)
        client.calls[call] = (client.calls[call][0], now)
    assert client.limiter.wait(now) < math.inf
