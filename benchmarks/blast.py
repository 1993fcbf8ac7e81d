"""The load where wrk is not installed: whole requests from a pool, as fast as they are answered.

    BENCH_POOL=requests.bin python -m benchmarks.blast PORT CONNECTIONS SECONDS

Costs about three times wrk's share of the machine, so figures come out lower.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import uvloop


def read_pool(path: Path) -> list[bytes]:
    """The requests of a pool file: each its size in decimal, a line feed, its bytes."""
    requests, data, at = [], path.read_bytes(), 0
    while at < len(data):
        end = data.index(b"\n", at)
        size = int(data[at:end])
        requests.append(data[end + 1 : end + 1 + size])
        at = end + 1 + size
    return requests


class Tally:
    """What came back: latencies in seconds, and how many answers were no 200."""

    def __init__(self) -> None:
        self.latencies = array("d")
        self.refused = 0
        self.broken = 0


class Client(asyncio.Protocol):
    """One connection: sends, waits for the answer, sends the next. Answers declare their length."""

    def __init__(self, pool: Iterator[bytes], tally: Tally) -> None:
        self._pool = pool
        self._tally = tally
        self._sent = 0.0
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's own class, which need not be one of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        """An answer, or a part of one."""
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length: ")[2].split(b"\r", 1)[0]):
            return
        self._read = b""
        self._tally.latencies.append(time.perf_counter() - self._sent)
        if not head.startswith(b"HTTP/1.1 200"):
            self._tally.refused += 1
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """The server hung up, or we have finished."""
        if exc is not None:
            self._tally.broken += 1

    def _next(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(next(self._pool))


async def blast(port: int, connections: int, seconds: float, pool: list[bytes]) -> Tally:
    """Load the server for some seconds."""
    loop, tally, endless = asyncio.get_running_loop(), Tally(), itertools.cycle(pool)
    transports = [
        (await loop.create_connection(lambda: Client(endless, tally), "127.0.0.1", port))[0]
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    for transport in transports:
        transport.abort()
    return tally


def main() -> None:
    """Run, and print one line of JSON."""
    port, connections, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    tally = uvloop.run(blast(port, connections, seconds, read_pool(Path(os.environ["BENCH_POOL"]))))
    ordered = sorted(tally.latencies)
    result = {
        "requests": len(ordered),
        "seconds": seconds,
        "p50_ms": round(1e3 * ordered[len(ordered) // 2], 2),
        "p99_ms": round(1e3 * ordered[len(ordered) * 99 // 100], 2),
        "refused": tally.refused,
        "broken": tally.broken,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
