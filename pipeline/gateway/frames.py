"""How a message lies in a spool file: framed, numbered and checked, so that damage is found."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from pipeline.gateway.checksums import Checksums
from pipeline.gateway.message import Message

#: No UTF-8 text holds these bytes, so a search for the next frame finds few false ones.
_MAGIC = b"\xf5\xfeSP"
#: Magic, CRC-32 of all that follows it, number, length of the payload.
_HEAD = struct.Struct(">4sIQI")
_CHECKED_FROM = 8
_LENGTH = struct.Struct(">I")


class Frame(NamedTuple):
    """A whole frame: its number, its payload, and its position in the data."""

    number: int
    payload: bytes
    begin: int
    end: int


def encode(number: int, message: Message) -> tuple[bytes, bytes]:
    """The frame of a message, in two pieces: the body is not copied."""
    topic, key, body, headers = message
    about = orjson.dumps(
        [topic, key.decode("latin-1"), [[name, value.decode("latin-1")] for name, value in headers]]
    )
    about = _LENGTH.pack(len(about)) + about
    size = len(about) + len(body)
    checked = _HEAD.pack(_MAGIC, 0, number, size)[_CHECKED_FROM:]
    checksum = zlib.crc32(body, zlib.crc32(about, zlib.crc32(checked)))
    return _HEAD.pack(_MAGIC, checksum, number, size) + about, body


def decode(payload: bytes) -> Message:
    """The message of a frame's payload."""
    (length,) = _LENGTH.unpack_from(payload)
    begin = _LENGTH.size
    topic, key, headers = orjson.loads(payload[begin : begin + length])
    return Message(
        topic,
        key.encode("latin-1"),
        payload[begin + length :],
        [(name, value.encode("latin-1")) for name, value in headers],
    )


def frames(data: bytes) -> Iterator[Frame]:
    """Every whole frame in the data, in order; what is between is damaged, or was not written whole.

    In time that grows with the data, whatever lies between: an event's body may be full of what looks like
    the head of a frame.
    """
    sums = Checksums(data)
    place = data.find(_MAGIC)
    while place >= 0:
        frame = _frame_at(data, place, sums)
        if frame is not None:
            yield frame
        place = data.find(_MAGIC, place + 1 if frame is None else frame.end)


def _frame_at(data: bytes, place: int, sums: Checksums) -> Frame | None:
    begin = place + _HEAD.size
    if begin > len(data):
        return None
    _, checksum, number, length = _HEAD.unpack_from(data, place)
    end = begin + length
    if end > len(data) or sums.of(place + _CHECKED_FROM, end) != checksum:
        return None
    return Frame(number, data[begin:end], place, end)
