"""Whether the list that RocksDB keeps of a store's files is whole.

RocksDB takes a list that was cut off for one that a crash left unfinished, and opens the store as it was
earlier: with newer log entries upon older tables, and a hole in between that nothing shows. A crash of the
process leaves no half of an entry, as each is written at once.
"""

from __future__ import annotations

import struct
from pathlib import Path

#: Entries are in blocks; each part of one has a checksum, its length and its type.
_BLOCK, _PART = 32_768, struct.Struct("<IHB")
_NONE, _FULL, _LAST = 0, 1, 4


def is_whole(store: Path) -> bool:
    """Whether the newest list of a store ends with an entry; so does a store without any list."""
    try:
        data = (store / (store / "CURRENT").read_text(encoding="utf-8").strip()).read_bytes()
    except (OSError, ValueError):
        return True  # RocksDB itself says what is missing
    place, open_entry = 0, False
    while place < len(data):
        left = _BLOCK - place % _BLOCK
        if left < _PART.size:
            place += left
            continue
        if place + _PART.size > len(data):
            return not any(data[place:])
        _, length, kind = _PART.unpack_from(data, place)
        place += _PART.size + length
        if kind == _NONE and not length:
            continue
        if place > len(data):
            return False
        open_entry = kind not in (_FULL, _LAST)
    return not open_entry
