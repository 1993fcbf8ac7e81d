"""How a message lies in a spool file: framed, numbered and checked, so that damage is found."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from pipeline.gateway.message import Message

#: No UTF-8 text holds these bytes, so a search for the next frame finds few false ones.
_MAGIC = b"\xf5\xfeSP"
#: Magic, CRC-32 of all that follows it, number, length of the payload.
_HEAD = struct.Struct(">4sIQI")
_CHECKED_FROM = 8
_LENGTH = struct.Struct(">I")
#: What is checked in vain, at most, as a multiple of the data: frames that were ours lie side by side.
MOST_IN_VAIN = 4


class Frame(NamedTuple):
    """A whole frame: its number, its payload, and where in the data it lies."""

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

    Where damaged data look like the beginnings of ever more frames, the rest of them is not searched.
    """
    view = memoryview(data)
    place, left = data.find(_MAGIC), MOST_IN_VAIN * len(data)
    while 0 <= place <= len(data) - _HEAD.size and left >= 0:
        _, checksum, number, length = _HEAD.unpack_from(data, place)
        begin = place + _HEAD.size
        end = begin + length
        following = place + 1
        if end <= len(data):
            checked = view[place + _CHECKED_FROM : end]
            if zlib.crc32(checked) == checksum:
                yield Frame(number, data[begin:end], place, end)
                following = end
            else:
                left -= length
        place = data.find(_MAGIC, following)
