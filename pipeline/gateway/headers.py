"""A request's headers as text. Shops send the same names again and again: each is decoded once."""

from __future__ import annotations

from collections.abc import Sequence

#: So many names are remembered, of so many bytes each: whoever sends others does not fill the memory.
MOST_NAMES, MOST_BYTES = 1_000, 64

_names: dict[bytes, str] = {}


def decoded(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """By name; of several of one name the last."""
    try:
        return {_names[name]: value.decode("latin-1") for name, value in headers}
    except KeyError:
        _remember(headers)
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


def _remember(headers: Sequence[tuple[bytes, bytes]]) -> None:
    if len(_names) + len(headers) > MOST_NAMES:
        _names.clear()
    for name, _ in headers[:MOST_NAMES]:
        if len(name) <= MOST_BYTES:
            _names[name] = name.decode("latin-1")
