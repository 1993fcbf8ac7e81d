"""Headers as text: the same whether a name was seen before or not, and nobody fills the memory with names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.gateway import headers
from pipeline.gateway.headers import MOST_BYTES, MOST_NAMES, decoded

NAMES = st.one_of(st.sampled_from([b"content-type", b"x-a"]), st.binary(max_size=80))


@given(st.lists(st.tuples(NAMES, st.binary(max_size=20)), max_size=30))
def test_they_are_the_same_the_first_time_and_later(given_: list[tuple[bytes, bytes]]) -> None:
    expected = {name.decode("latin-1"): value.decode("latin-1") for name, value in given_}
    assert decoded(given_) == expected == decoded(given_)


def test_names_without_end_are_not_remembered() -> None:
    for first in range(0, 3 * MOST_NAMES, 200):
        decoded([(b"x-%d" % number, b"") for number in range(first, first + 200)])
        assert len(headers._names) <= MOST_NAMES
    decoded([(b"x" * (MOST_BYTES + 1), b"")])
    assert all(len(name) <= MOST_BYTES for name in headers._names)
