"""Message keys, and which partition a key is in.

The key of a message that is one of a history (an event, a record, a receipt, a dead letter) is the key of
what it is about, and behind it a part of its own. So each message can be removed alone: compaction, switched
on for an erasure, keeps the newest message of each key, and each of these is the only one of its key
(docs/adr/0016-erasure.md). The partition follows from the first part alone, which keeps what is about one
thing in order. Messages written by version 0.2 and before have no part of their own.
"""

from __future__ import annotations

import functools
import itertools
import os
import struct
from base64 import urlsafe_b64encode

_SEED, _MULTIPLIER, _SHIFT = 0x9747B28C, 0x5BD1E995, 24
_WORD = 0xFFFFFFFF
_POSITIVE = 0x7FFFFFFF

#: Before the part of its own: no id or address that a shop shows to anybody has this character.
_SEPARATOR = 0x1F
#: Separator, eight characters of the process, seven of the message.
_OWN_BYTES = 16
_PER_PROCESS = 16**7


def unique_key(key: bytes) -> bytes:
    """A key that no other message has.

    Args:
        key: of what the message is about, or one that was made of it before.
    """
    return entity_key(key) + next(_own.parts)


def entity_key(key: bytes) -> bytes:
    """The key of what a message is about: its key without the part of its own, where it has one."""
    if len(key) >= _OWN_BYTES and key[-_OWN_BYTES] == _SEPARATOR:
        return key[:-_OWN_BYTES]
    return key


def is_key_of(key: bytes | None, entity: bytes) -> bool:
    """Whether a message with this key is about what has the other."""
    return key is not None and entity in (key, entity_key(key))


class _Own:
    """The parts of their own of this process."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Another beginning: what this process sends begins with it, and 268 million times."""
        self.parts = itertools.chain.from_iterable(iter(self._of_one_beginning, None))

    @staticmethod
    def _of_one_beginning() -> map[bytes]:
        beginning = b"\x1f" + urlsafe_b64encode(os.urandom(6))
        return map((beginning + b"%07x").__mod__, range(_PER_PROCESS))


_own = _Own()
os.register_at_fork(after_in_child=_own.begin)


def partition_of_key(key: bytes, partitions: int) -> int:
    """The partition of what has this key, in a topic of so many; that of `murmur2_random`."""
    return (_murmur2(key) & _POSITIVE) % partitions


@functools.cache
def _words(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}I")


def _murmur2(data: bytes) -> int:
    """MurmurHash2 of 32 bits, with the seed that all clients of Kafka use."""
    length = len(data)
    count = length >> 2
    found = _SEED ^ length
    for word in _words(count).unpack_from(data):
        part = word * _MULTIPLIER & _WORD
        found = (found * _MULTIPLIER ^ (part ^ part >> _SHIFT) * _MULTIPLIER) & _WORD
    if length & 3:
        found = (found ^ int.from_bytes(data[count << 2 :], "little")) * _MULTIPLIER & _WORD
    found = (found ^ found >> 13) * _MULTIPLIER & _WORD
    return found ^ found >> 15
