"""The gateway on a real socket, without a broker: what keeps its messages is a list."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from pipeline import config
from pipeline.gateway.app import Gateway
from pipeline.gateway.fast_path import fast_path_protocol
from pipeline.gateway.message import Message, Overloaded, Stored
from pipeline.gateway.protocol import LimitedProtocol
from pipeline.gateway.run import http_server
from pipeline.gateway.webhooks import Webhooks
from pipeline.listening import bound_socket
from pipeline.shops.platform import AnyPlatform
from pipeline.shops.registry import PLATFORMS
from tests.processes import until
from tests.webhooks import STORES, http, order, shopify

PATH = "/webhooks/shopify/acme-es"
CAP = 100_000


@dataclass
class Keeper:
    """Keeps messages; `hold` leaves them unconfirmed."""

    kept: list[bytes] = field(default_factory=list)
    waiting: list[asyncio.Future[Stored]] = field(default_factory=list)
    hold: bool = False
    full: bool = False

    def submit(self, message: Message) -> asyncio.Future[Stored]:
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        self.kept.append(message.body)
        if self.full:
            future.set_exception(Overloaded("full"))
        elif self.hold:
            self.waiting.append(future)
        else:
            future.set_result(Stored.KAFKA)
        return future


@dataclass
class Served:
    """A gateway that listens."""

    port: int
    keeper: Keeper
    webhooks: Webhooks
    connections: set[object]

    async def ask(self, *pieces: bytes, answers: int = 1) -> list[bytes]:
        """Send the pieces on one connection, and read so many answers, whole."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        async with asyncio.timeout(20):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                if len(pieces) > 1:
                    await asyncio.sleep(0)
            found = [await read_answer(reader) for _ in range(answers)]
        writer.close()
        return found

    def enforce_timeouts(self, seconds: int) -> None:
        """Let the seconds pass for every connection."""
        for _ in range(seconds):
            for connection in list(self.connections):
                assert isinstance(connection, LimitedProtocol)
                connection.enforce_timeouts()


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: ")]
    body = await reader.readexactly(int(lengths[0].split()[1])) if lengths else b""
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"date:")]
    return b"\r\n".join(lines) + body


def status(answer: bytes) -> int:
    return int(answer.split()[1])


@contextlib.asynccontextmanager
async def served(
    platforms: dict[str, AnyPlatform] | None = None, most: int = 1_000_000
) -> AsyncIterator[Served]:
    tree = {**STORES, "gateway": {"max_body_bytes": CAP, "max_held_bytes": 5_000_000}}
    loaded, keeper = config.parse(tree, {}), Keeper()
    webhooks = Webhooks(loaded, {**PLATFORMS, **(platforms or {})}, keeper)
    app = Gateway(webhooks, lambda: None)
    server = http_server(loaded.gateway, app, fast_path_protocol(loaded.gateway, webhooks, most))
    sock = bound_socket("127.0.0.1", 0)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    await until(lambda: server.started)
    try:
        yield Served(sock.getsockname()[1], keeper, webhooks, server.server_state.connections)  # type: ignore[arg-type]
    finally:
        server.should_exit = True
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await task
    assert webhooks.held == 0


def signed(number: int = 1, padding: int = 0) -> bytes:
    body = order(number, padding)
    return http(PATH, shopify(body), body)
