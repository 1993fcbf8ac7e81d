"""Which partition a key is in: as Kafka's clients compute it, and this program's producer too."""

from __future__ import annotations

_SEED, _MULTIPLIER, _SHIFT = 0x9747B28C, 0x5BD1E995, 24
_WORD = 0xFFFFFFFF
_POSITIVE = 0x7FFFFFFF


def partition_of_key(key: bytes, partitions: int) -> int:
    """The partition of a message with this key, in a topic of so many; that of `murmur2_random`."""
    return (_murmur2(key) & _POSITIVE) % partitions


def _murmur2(data: bytes) -> int:
    """MurmurHash2 of 32 bits, with the seed that all clients of Kafka use."""
    length = len(data)
    whole = length - length % 4
    found = _SEED ^ length
    for start in range(0, whole, 4):
        part = int.from_bytes(data[start : start + 4], "little") * _MULTIPLIER & _WORD
        part = (part ^ part >> _SHIFT) * _MULTIPLIER & _WORD
        found = (found * _MULTIPLIER & _WORD) ^ part
    if whole < length:
        found = (found ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _WORD
    found = (found ^ found >> 13) * _MULTIPLIER & _WORD
    return found ^ found >> 15
