"""The gateway's process: composed, served, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pipeline import private, topics
from pipeline.config import GatewaySettings, Settings, require_stores
from pipeline.errors import SettingsError
from pipeline.gateway.app import Gateway
from pipeline.gateway.hot import hot_protocol
from pipeline.gateway.intake import Intake
from pipeline.gateway.produce import KafkaLink
from pipeline.gateway.protocol import LimitedProtocol
from pipeline.gateway.spool import Spool
from pipeline.gateway.spool_file import SpoolFile
from pipeline.gateway.webhooks import Webhooks
from pipeline.metrics import READY
from pipeline.observe import bound_socket, observe_app
from pipeline.shops.registry import ADAPTERS

log = logging.getLogger(__name__)

SPOOL = "gateway/spool.sqlite"


def serve(settings: Settings, host: str, port: int) -> None:
    """Run until SIGTERM or SIGINT; returns once everything answered 2xx is in Kafka or in the spool.

    Raises:
        PipelineError: the settings, the address or the spool cannot be used.
    """
    require_stores(settings)
    needed = settings.gateway.max_body_bytes + topics.MESSAGE_OVERHEAD
    if needed > settings.kafka.max_message_bytes:
        raise SettingsError(
            "Kafka would not take the largest body the gateway takes",
            field="kafka.max_message_bytes",
            hint=f"set it to {needed} or more, or lower gateway.max_body_bytes",
        )
    with bound_socket(host, port) as sock, _held(settings.data_dir / SPOOL):
        file = SpoolFile(settings.data_dir / SPOOL)
        # Requests make no cycles; what the process started with need not be looked through again and again.
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        uvloop.run(_serve(settings, sock, file))


@contextlib.contextmanager
def _held(spool: Path) -> Iterator[None]:
    """The spool is one gateway's; another is told whose."""
    directory = private.directory(spool.parent)
    lock = private.hold(directory / "lock", "the spool", "each gateway needs a data_dir of its own")
    try:
        yield
    finally:
        if lock is not None:
            lock.close()


async def _serve(settings: Settings, sock: socket.socket, file: SpoolFile) -> None:
    loop = asyncio.get_running_loop()
    spool = Spool(file, settings.gateway.spool_max_bytes)
    intake = Intake(
        spool,
        lambda: KafkaLink(settings),
        confirm_timeout=settings.gateway.confirm_timeout,
        clock=time.monotonic,
    )
    stopping = asyncio.Event()

    def complaint() -> str | None:
        return "stopping" if stopping.is_set() else intake.complaint()

    webhooks = Webhooks(settings, ADAPTERS, intake)
    server = http_server(
        settings.gateway,
        Gateway(webhooks, observe_app(complaint)),
        hot_protocol(settings.gateway, webhooks),
    )
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    sweeping = asyncio.create_task(sweep(server))
    waiting = asyncio.create_task(stopping.wait())
    READY.labels("gateway").set(1)
    log.info("listening on http://%s:%d", *sock.getsockname()[:2])
    try:
        await asyncio.wait({waiting, intake.task, serving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        READY.labels("gateway").set(0)
        stopping.set()
        server.should_exit = True
        await serving
        sweeping.cancel()
        await intake.close()


def http_server(settings: GatewaySettings, app: Gateway, protocol: type[HttpToolsProtocol]) -> uvicorn.Server:
    """The server as the gateway runs it, beside `sweep`."""
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=math.ceil(settings.drain_timeout),
        backlog=4096,
    )
    server = uvicorn.Server(config)
    # We own the signals; uvicorn would raise them again after its end.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    return server


async def sweep(server: uvicorn.Server) -> None:
    """Hold every connection to its time-outs, for as long as the server runs."""
    while True:
        await asyncio.sleep(1.0)
        for connection in list(server.server_state.connections):
            if isinstance(connection, LimitedProtocol):
                connection.sweep()
