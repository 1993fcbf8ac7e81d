"""JSON of about a given size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from pipeline.shops.base import MAX_RECORDS

#: As long a SKU as is read, of marks that are escaped in an address.
SKU = "/" * 200
PLACED = "2026-11-20T10:00:00Z"


def many(size: int, item: Callable[[int], object]) -> list[Any]:
    """So many different items that they make about `size` bytes of JSON."""
    count = max(2, size // (len(orjson.dumps(item(12_345))) + 1))
    return [item(number) for number in range(1, count + 1)]


def most(size: int, item: Callable[[int], dict[str, Any]]) -> list[dict[str, Any]]:
    """As `many`, of as many items as are read: what is left of the size stands in a text of each."""
    empty = many(size, item)[: MAX_RECORDS - 2]
    room = max(0, size // len(empty) - len(orjson.dumps(item(12_345))) - 10)
    return [one | {"text": "x" * room} for one in empty]


def long(size: int, piece: str) -> str:
    """A text of about `size` bytes."""
    return piece * (size // len(orjson.dumps(piece)[1:-1]) + 1)


def dumps(body: Any) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)


def raw(prefix: bytes, piece: bytes, suffix: bytes) -> Callable[[int], bytes]:
    return lambda size: prefix + piece * (size // len(piece)) + suffix
