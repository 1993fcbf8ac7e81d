"""Bytes made from seeds: JSON is changed where its values stand, all else byte by byte."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any

import orjson
from hypothesis import strategies as st

#: What a place of a body gets instead of what belongs there.
ODD: list[Any] = [
    None,
    "",
    "x",
    "\x00\u202e\U0001f600",
    "9" * 400,
    "1e999",
    "NaN",
    "-0",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59+14:00",
    "1-1-1",
    "<a " * 300,
    "x" * 300 + "@e.example",
    "@",
    "|",
    "a|b|c",
    0,
    -1,
    7,
    1.5,
    1e308,
    2**63,
    -(2**63),
    True,
    False,
    [],
    {},
    [None],
    [[]],
    [{"id": 1}],
    {"id": 1},
    {"": {"": {}}},
    "=1+1",
    "\r\n\t",
    "2024-03-31T02:30:00",
    "../..",
    "https://user:pass@[::1]:99999/%00?#",
    "\ud7ff",
    ["a"] * 50,
]
#: Pieces that mean something to one of the readers.
PIECES = [
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\n\n",
    b",",
    b";",
    b'"',
    b"'",
    b"{",
    b"[",
    b"]" * 3,
    b"[" * 300,
    b"<script>",
    b"-->",
    b"&#9999999999;",
    b"\\ud800",
    b"1e400",
    b"99999999999999999999",
    b"PAR1",
    b"PK\x03\x04",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"\r\n\r\n",
    b" HTTP/1.1\r\n",
    b"%00",
    b"%",
    b"=",
]


def mutated(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """A seed, changed in one to eight places; Hypothesis chooses, and makes a failing one smaller."""
    return st.builds(
        lambda seed, number, changes: change(seed, random.Random(number), changes),  # noqa: S311 - no secret
        st.sampled_from(list(seeds)),
        st.integers(0, 2**64 - 1),
        st.integers(0, 8),
    )


def change(seed: bytes, chance: random.Random, changes: int) -> bytes:
    """The seed with so many changes; what stands before its first empty line mostly stays."""
    head, mark, rest = seed.partition(b"\n\n")
    if mark and chance.random() < 0.8:
        return head + mark + _changed(rest, chance, changes)
    return _changed(seed, chance, changes)


def _changed(data: bytes, chance: random.Random, changes: int) -> bytes:
    if chance.random() < 0.85:
        try:
            tree = orjson.loads(data)
        except ValueError:
            tree = None
        if isinstance(tree, dict | list):
            for _ in range(changes):
                _change_tree(tree, chance)
            try:
                return orjson.dumps(tree)
            except TypeError:  # a number of more than 64 bits
                return data
    for _ in range(changes):
        data = _change_bytes(data, chance)
    return data


def _change_tree(tree: Any, chance: random.Random) -> None:
    """One value of a tree, in any depth, gets another value, is left out, doubled or made an element."""
    found = places(tree)
    if not found:
        return
    node, key = chance.choice(found)
    match chance.randrange(6):
        case 0:
            del node[key]
        case 1:
            node[key] = [node[key]]
        case 2:
            other, at = chance.choice(found)
            if isinstance(other, dict) and at in other and not isinstance(other[at], dict | list):
                node[key] = other[at]
        case 3 if isinstance(node, list):
            node.append(copy.deepcopy(node[key]))
        case 4 if isinstance(node[key], str):
            text = node[key]
            node[key] = chance.choice([text.upper(), text.title(), text + "é", text[:3]])
        case _:
            node[key] = copy.deepcopy(chance.choice(ODD))


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every object or list of a tree with each of its keys."""
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        for key, value in list(node.items()) if isinstance(node, dict) else list(enumerate(node)):
            found.append((node, key))
            if isinstance(value, dict | list):
                waiting.append(value)
    return found


def _change_bytes(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    match chance.randrange(6):
        case 0:
            return data[:at] + chance.randbytes(chance.randrange(1, 9)) + data[at:]
        case 1:
            return data[:at] + data[at + chance.randrange(1, 20) :]
        case 2:
            return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        case 3:
            end = min(len(data), at + chance.randrange(1, 200))
            return data[:at] + data[at:end] * 2 + data[end:]
        case 4:
            return data[:at]
        case _:
            return data[:at] + chance.choice(PIECES) + data[at:]
