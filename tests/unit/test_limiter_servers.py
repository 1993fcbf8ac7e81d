"""How well the limiter uses a limit, alone and beside others, whatever the server's windows and words.

Everything here repeats exactly: bounds on chance are for these seeds.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from pipeline.limiter.limiter import MARGIN, SHARED, Limiter
from pipeline.limiter.state import Observation
from tests.limited import KINDS, WINDOW, WORDS, Client, Server

WINDOWS = 20
#: Headers that tell when the window ends, if only roughly.
TOLD = WORDS[:4]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("words", WORDS)
def test_alone_it_uses_the_whole_of_every_window(kind: str, words: str) -> None:
    client = Client(Limiter(100, WINDOW), Server(100, kind, words))
    client.run(WINDOWS * WINDOW)
    assert client.server.refused == 0
    assert len(client.starts) >= 0.99 * 100 * WINDOWS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("skew", [-30.0, -5.0, 2.0, 5.0, 30.0])
def test_a_clock_unlike_ours_costs_nothing_alone(kind: str, skew: float) -> None:
    client = Client(Limiter(100, WINDOW), Server(100, kind, "epoch", skew=skew))
    client.run(WINDOWS * WINDOW)
    assert client.server.refused == 0
    assert len(client.starts) >= 0.99 * 100 * WINDOWS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("words", TOLD)
def test_alone_it_uses_all_but_the_reserve(kind: str, words: str) -> None:
    client = Client(Limiter(100, WINDOW, 20), Server(100, kind, words))
    client.run(WINDOWS * WINDOW)
    assert len(client.starts) >= 0.99 * 80 * WINDOWS
    assert min(client.lefts) >= 20


@pytest.mark.parametrize("others", [10, 40, 70])
@pytest.mark.parametrize("words", WORDS[:-1])
@pytest.mark.parametrize("kind", KINDS[:2])
def test_beside_others_in_fixed_windows_it_is_refused_only_until_it_knows(
    kind: str, words: str, others: int
) -> None:
    client = Client(Limiter(100, WINDOW), Server(100, kind, words), others=others)
    client.run(WINDOWS * WINDOW)
    # What is in flight when others are first noticed, and one call in twenty windows.
    assert len(client.refused) <= client.at_once + 1
    assert len(client.starts) >= 0.95 * (100 - others) * WINDOWS


@pytest.mark.parametrize("others", [10, 40, 70])
@pytest.mark.parametrize("words", WORDS[:-1])
@pytest.mark.parametrize("refused_count", [False, True])
def test_beside_others_in_a_sliding_window_it_is_seldom_refused(
    words: str, others: int, refused_count: bool
) -> None:
    client = Client(Limiter(100, WINDOW), Server(100, "sliding", words, refused_count), others=others)
    client.run(WINDOWS * WINDOW)
    # Others whose refused calls count take more than their share, and every call that asks may be too late.
    share, least = (0.06, 0.85) if refused_count else (0.01, 0.95)
    assert len(client.refused) <= client.at_once + share * len(client.starts)
    assert len(client.starts) - len(client.refused) >= least * (100 - others) * WINDOWS


@pytest.mark.parametrize("others", [5, 40])
@pytest.mark.parametrize("words", TOLD)
def test_beside_others_in_a_sliding_window_a_slot_of_ours_that_comes_back_is_used(
    words: str, others: int
) -> None:
    """Calls spread over the window, as live orders come: none of them stands still for a whole window."""
    client = Client(Limiter(100, WINDOW), Server(100, "sliding", words), gap=0.6, others=others)
    client.run(WINDOWS * WINDOW)
    assert len(client.starts) - len(client.refused) >= 0.95 * (100 - others) * WINDOWS
    assert max(later - earlier for earlier, later in pairwise(client.starts)) < WINDOW / 2


def test_others_are_noticed_by_the_calls_of_the_servers_own_window() -> None:
    """Places of the last window still count for us when the server's next one begins."""
    refused = 0
    for seed in range(3):
        client = Client(Limiter(100, WINDOW), Server(100, "aligned", "epoch"), seed, others=70)
        client.run(3 * SHARED * WINDOW)
        refused += len(client.refused)
    assert refused <= 12


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_without_headers_refuses_what_is_in_flight_once_a_window(kind: str) -> None:
    client = Client(Limiter(100, WINDOW), Server(100, kind, "nothing"), others=40)
    client.run(WINDOWS * WINDOW)
    assert len(client.refused) <= (client.at_once + 1) * WINDOWS


@pytest.mark.parametrize("others", [10, 40, 60])
@pytest.mark.parametrize("words", TOLD)
@pytest.mark.parametrize("kind", KINDS)
def test_the_servers_word_is_not_used_up_below_the_reserve(kind: str, words: str, others: int) -> None:
    client = Client(Limiter(100, WINDOW, 20), Server(100, kind, words), others=others)
    client.run(WINDOWS * WINDOW)
    assert not client.refused
    # But by what others call while ours are under way, and by the call that asks after a reset.
    assert sum(left < 20 for left in client.lefts) <= 4 * WINDOWS


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_burst_of_refusals_is_over_a_window_after_its_end(kind: str, words: str) -> None:
    server = Server(100, kind, words, bursts=((95.0, 130.0),))
    client = Client(Limiter(100, WINDOW), server)
    client.run(600.0)
    assert any(130 < start < 130 + WINDOW + 5 for start in client.starts)


@pytest.mark.parametrize("words", WORDS)
def test_after_a_refusal_nothing_is_sent_before_the_reset(words: str) -> None:
    limiter = Limiter(100, WINDOW)
    calls = [limiter.start(0.0) for _ in range(3)]
    server = Server(0, "first call", words)
    limiter.finish(calls[0], 1.0, server.says(server.arrive(0.5), 1.0))
    for call in calls[1:]:
        limiter.finish(call, 1.2, Observation(limit=100, remaining=50, reset_in=59))
    assert limiter.wait(1.2) > 57
    assert limiter.free(30.0) == 0
    assert limiter.free(63.0) == 1


def test_others_who_stop_calling_are_forgotten_in_time() -> None:
    limiter = Limiter(100, WINDOW)
    limiter.finish(limiter.start(0.0), 0.1, Observation(limit=100, remaining=9, reset_in=59.9))
    assert limiter.free(0.2) == 9 - MARGIN
    assert limiter.free(61.5) == 1
    later = 2 * SHARED * WINDOW
    limiter.finish(limiter.start(later), later, Observation(limit=100, remaining=99, reset_in=60))
    assert limiter.free(later) == 99
