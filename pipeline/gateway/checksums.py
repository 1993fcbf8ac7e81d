"""CRC-32 of any pieces of the same bytes, however many are asked for and however they overlap."""

from __future__ import annotations

import zlib
from itertools import pairwise

#: CRC-32's polynomial and the polynomial 1, the highest power in the lowest bit.
_POLYNOMIAL, _ONE = 0xEDB88320, 1 << 31
#: A piece from what was asked for before on costs so many bytes at most.
_STEP = 4_096


class Checksums:
    """Those of pieces of `data`.

    Pieces one behind the other are summed up byte by byte. What overlaps an earlier one is worked out from
    the checksums of all bytes before its begin and before its end, of which every 4,096th is kept.
    """

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._summed_to = 0
        #: The CRC-32 of the first 0, 4,096, 8,192, ... bytes, as far as it was needed.
        self._kept = [0]

    def of(self, begin: int, end: int) -> int:
        """The CRC-32 of the bytes from `begin` to before `end`."""
        if begin >= self._summed_to:
            self._summed_to = end
            return zlib.crc32(self._data[begin:end])
        return self._before(end) ^ _followed_by(self._before(begin), end - begin)

    def _before(self, end: int) -> int:
        """Of all bytes before a position."""
        steps, rest = divmod(end, _STEP)
        wanted = range((len(self._kept) - 1) * _STEP, steps * _STEP + 1, _STEP)
        for start, stop in pairwise(wanted):
            self._kept.append(zlib.crc32(self._data[start:stop], self._kept[-1]))
        return zlib.crc32(self._data[end - rest : end], self._kept[steps])


def _followed_by(checksum: int, zeros: int) -> int:
    """What so many bytes make of the checksum of what is before them: it times x to the power of 8 a byte."""
    power = 0
    while zeros and checksum:
        if zeros & 255:
            checksum = _times(checksum, _POWERS[power][zeros & 255])
        zeros, power = zeros >> 8, power + 1
    return checksum


def _times(one: int, other: int) -> int:
    """The product of two polynomials over two elements, modulo CRC-32's."""
    product = 0
    while one:
        if one & _ONE:
            product ^= other
        one = one << 1 & 0xFFFFFFFF
        other = other >> 1 ^ (_POLYNOMIAL if other & 1 else 0)
    return product


def _powers() -> list[list[int]]:
    """For each byte of a number of bytes, what each of its values multiplies a checksum by."""
    tables, base = [], _ONE >> 8
    for _ in range(8):
        table = [_ONE]
        for _ in range(255):
            table.append(_times(table[-1], base))
        tables.append(table)
        base = _times(table[-1], base)
    return tables


_POWERS = _powers()
