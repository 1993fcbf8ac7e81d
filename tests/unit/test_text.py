"""Times as a person says them."""

from __future__ import annotations

import pytest

from pipeline.text import span


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "not known yet"),
        (-1, "0.0 s"),
        (2.54, "2.5 s"),
        (45, "45 s"),
        (720, "12 min"),
        (12_060, "3 h 21 min"),
        (86_400, "1 d"),
        (101_520, "1 d 4 h"),
    ],
)
def test_a_time_is_said_in_days_hours_and_minutes_and_in_seconds_where_it_is_short(
    seconds: float | None, words: str
) -> None:
    assert span(seconds) == words
