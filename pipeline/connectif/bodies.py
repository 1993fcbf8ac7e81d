"""Bodies with a bound: of the bytes that come, and of what they become once they are unpacked."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable

import httpx

#: The most an answer of the API has: a purchase of a thousand lines has half of it.
ANSWER_MAX_BYTES = 4_000_000
#: How zlib reads each encoding; `deflate` is sent with a head of its own, or without one.
_WINDOWS = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}


class TooLargeError(httpx.DecodingError):
    """A body has more bytes than an answer may have."""


async def gather(parts: AsyncIterable[bytes], most: int) -> bytes:
    """All parts of a body.

    Raises:
        TooLargeError: they have more than `most` bytes.
    """
    size, kept = 0, []
    async for part in parts:
        size += len(part)
        if size > most:
            raise TooLargeError(f"an answer of more than {most:,} bytes")
        kept.append(part)
    return kept[0] if len(kept) == 1 else b"".join(kept)


def unpack(content: bytes, encoding: str, most: int) -> bytes:
    """A body without its content encoding.

    Args:
        content: the body as it came.
        encoding: the header; empty where there was none.
        most: bytes it may have once unpacked.

    Raises:
        TooLargeError: it would have more.
        httpx.DecodingError: it cannot be unpacked, or not by what was offered.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not content:
        return content
    for window in _WINDOWS.get(encoding, ()):
        unpacker = zlib.decompressobj(window)
        try:
            unpacked = unpacker.decompress(content, most + 1)
        except zlib.error:
            continue
        if len(unpacked) > most:
            raise TooLargeError(f"an answer of more than {most:,} bytes, unpacked")
        if unpacker.eof:
            return unpacked
    raise httpx.DecodingError("an answer that cannot be unpacked")
