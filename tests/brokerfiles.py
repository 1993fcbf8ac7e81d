"""A byte search over a broker's directory that looks into compressed batches, too."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import cramjam

#: Of a batch of records: base offset, length of what follows, leader epoch, format.
_HEAD = struct.Struct(">qiib")
#: The bytes of a batch before its records, and where its attributes are.
_RECORDS, _ATTRIBUTES = 61, 21
_FORMAT = 2
_SNAPPY_JAVA = b"\x82SNAPPY\x00"
_LOGS = (".log", ".deleted", ".cleaned", ".swap")


def _snappy(data: bytes) -> bytes:
    if not data.startswith(_SNAPPY_JAVA):
        return bytes(cramjam.snappy.decompress_raw(data))
    found, at = [], 16
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        found.append(bytes(cramjam.snappy.decompress_raw(data[at + 4 : at + 4 + length])))
        at += 4 + length
    return b"".join(found)


#: By the low bits of a batch's attributes.
_CODECS: Mapping[int, Callable[[bytes], bytes]] = {
    1: lambda data: bytes(cramjam.gzip.decompress(data)),
    2: _snappy,
    3: lambda data: bytes(cramjam.lz4.decompress(data)),
    4: lambda data: bytes(cramjam.zstd.decompress(data)),
}


def compressed_records(log: bytes) -> Iterator[bytes]:
    """The records of each compressed batch of a segment, without the compression."""
    at = 0
    while at + _RECORDS <= len(log):
        _, length, _, form = _HEAD.unpack_from(log, at)
        end = at + 12 + length
        if form != _FORMAT or length <= 0 or end > len(log):
            return  # what a broker has allocated and not written
        (attributes,) = struct.unpack_from(">h", log, at + _ATTRIBUTES)
        codec = _CODECS.get(attributes & 7)
        if codec is not None:
            yield codec(log[at + _RECORDS : end])
        at = end


def lookup(directory: Path, values: Collection[bytes]) -> dict[bytes, list[str]]:
    """The files that hold any of some values, by the value; those of none are left out.

    Args:
        directory: a broker's, with everything in it.
        values: as bytes.
    """
    found: dict[bytes, list[str]] = {}
    for path in sorted(directory.rglob("*")):
        try:
            raw = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:  # a broker deletes its files while they are looked into
            continue
        # Of a file's name the topic is known, and nothing else may be in it.
        texts = [raw, str(path.relative_to(directory)).encode()]
        if path.name.endswith(_LOGS):
            texts += compressed_records(raw)
        for value in values:
            if any(value in text for text in texts):
                found.setdefault(value, []).append(str(path.relative_to(directory)))
    return found
