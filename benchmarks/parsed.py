"""Processor time of a webhook in the gateway from its bytes to its answer: no socket, and no Kafka.

    python -m benchmarks.parsed [--sizes 2000 15000] [--rounds 15] [--connections 64]

The protocol, the checks, the intake and the message's key are those that run; the transport takes the
answers, and what stands for librdkafka confirms each message when it is asked next. One line a size: the
median and the least of the rounds, and what the signature's HMAC alone takes. To compare two versions, run
this in turn with `PYTHONPATH` of the one and of the other.
"""

from __future__ import annotations

import asyncio
import hmac
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop
from uvicorn.server import ServerState

from benchmarks.arguments import argument_parser
from benchmarks.ingest import SECRET, STORES, write_pool
from pipeline import config, process
from pipeline.config import Settings
from pipeline.gateway.app import Gateway
from pipeline.gateway.fast_path import fast_path_protocol
from pipeline.gateway.intakes import Intakes
from pipeline.gateway.produce import EventProducer
from pipeline.gateway.run import http_server
from pipeline.gateway.spool import Spool
from pipeline.gateway.webhooks import Webhooks
from pipeline.kafka.topics import full_name
from pipeline.shops.registry import PLATFORMS

TOPIC = "shop.orders"


class Taken(EventProducer):
    """The gateway's producer without librdkafka: a poll confirms all."""

    def __init__(self, partitions: int) -> None:
        self._partitions, self._by_store = partitions, {}
        self._produce = self._take
        self._reports: list[Callable[[Any, Any], None]] = []

    def _take(self, *_: object, on_delivery: Callable[[Any, Any], None], headers: object) -> None:  # noqa: ARG002
        self._reports.append(on_delivery)

    def refuses(self, error: Any) -> bool:  # noqa: ARG002
        return False

    def poll(self, seconds: float = 0.0) -> None:  # noqa: ARG002
        reports, self._reports = self._reports, []
        for report in reports:
            report(None, None)

    def purge(self) -> None:
        pass

    def probe(self, topic: str) -> str | None:  # noqa: ARG002
        return None

    def close(self) -> None:
        pass


class Answers:
    """A transport that counts what is written to it."""

    def __init__(self) -> None:
        self.written = 0

    def write(self, data: bytes) -> None:
        assert data.startswith(b"HTTP/1.1 200"), data
        self.written += 1

    def get_extra_info(self, name: str, default: object = None) -> object:
        return {"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)}.get(name, default)

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        raise AssertionError("a connection was closed")

    pause_reading = resume_reading = abort = close


def requests(size: int) -> list[bytes]:
    """The signed requests of `benchmarks.ingest`."""
    found, at = [], 0
    with tempfile.TemporaryDirectory() as directory:
        pool = Path(directory) / "pool"
        write_pool(pool, size)
        data = pool.read_bytes()
    while at < len(data):
        line = data.index(b"\n", at)
        end = line + 1 + int(data[at:line])
        found.append(data[line + 1 : end])
        at = end
    return found


async def measure(settings: Settings, sizes: list[int], rounds: int, connections: int) -> None:
    """A line for each size."""
    names = tuple(full_name(settings, f"shop.{kind}s") for kind in ("order", "customer", "product"))
    link = Taken(settings.kafka.shop_partitions)
    intake = Intakes(
        Spool(settings.data_dir / "spool", 1_000_000, names, shared=False),
        lambda: link,
        names,
        confirm_timeout=10,
        clock=time.monotonic,
    )
    while not all(one.direct for one in intake._all.values()):  # noqa: ASYNC110 - it is made to be polled
        await asyncio.sleep(0.01)
    webhooks = Webhooks(settings, PLATFORMS, intake)
    protocol = fast_path_protocol(settings.gateway, webhooks)
    server = http_server(settings.gateway, Gateway(webhooks, lambda: None), protocol)
    server.config.load()
    state, transports, opened = ServerState(), list[Answers](), list[Any]()
    for _ in range(connections):
        transports.append(Answers())
        made: Any = protocol(config=server.config, server_state=state, app_state={})
        made.connection_made(transports[-1])
        opened.append(made)
    for size in sizes:
        sent = requests(size)
        batches = [
            [sent[(first + number) % len(sent)] for number in range(connections)]
            for first in range(0, 20 * connections, connections)
        ]
        for _ in range(3):
            await _round(batches, opened, link)
        took = [await _round(batches, opened, link) for _ in range(rounds)]
        body = sent[0].partition(b"\r\n\r\n")[2]
        began = time.process_time()
        for _ in range(2_000):
            hmac.digest(SECRET.encode(), body, "sha256")
        alone = (time.process_time() - began) / 2_000
        print(
            f"{len(body)} bytes: median {1e6 * statistics.median(took):.1f} us, "
            f"least {1e6 * min(took):.1f} us; its HMAC {1e6 * alone:.1f} us"
        )
    await intake.close()


async def _round(batches: list[list[bytes]], opened: list[Any], link: Taken) -> float:
    """Seconds for each request."""
    before: int = sum(one.transport.written for one in opened)
    began = time.process_time()
    for batch in batches:
        for protocol, request in zip(opened, batch, strict=True):
            protocol.data_received(request)
        link.poll()
        await asyncio.sleep(0)  # the futures' callbacks
        await asyncio.sleep(0)
    took = time.process_time() - began
    answered: int = sum(one.transport.written for one in opened) - before
    assert answered == len(batches) * len(opened), answered
    return took / answered


def main() -> None:
    """Print the lines."""
    parser = argument_parser(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_000, 15_000])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        settings = config.parse({**STORES, "data_dir": directory}, {})
        process.started()
        uvloop.run(measure(settings, options.sizes, options.rounds, options.connections))


if __name__ == "__main__":
    main()
