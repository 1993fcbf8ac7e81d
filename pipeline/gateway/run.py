"""The gateway's process: composed, served, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import time

import uvicorn
import uvloop

from pipeline import topics
from pipeline.config import Settings
from pipeline.errors import SettingsError
from pipeline.gateway.app import Gateway
from pipeline.gateway.intake import Intake
from pipeline.gateway.produce import KafkaLink
from pipeline.gateway.protocol import LimitedProtocol, limited_protocol
from pipeline.gateway.spool import Spool
from pipeline.gateway.spool_file import SpoolFile
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
    needed = settings.gateway.max_body_bytes + topics.MESSAGE_OVERHEAD
    if needed > settings.kafka.max_message_bytes:
        raise SettingsError(
            "Kafka would not take the largest body the gateway takes",
            field="kafka.max_message_bytes",
            hint=f"set it to {needed} or more, or lower gateway.max_body_bytes",
        )
    sock = bound_socket(host, port)
    file = SpoolFile(settings.data_dir / SPOOL)
    # Requests make no cycles; what the process started with need not be looked through again and again.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    uvloop.run(_serve(settings, sock, file))


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

    server = _server(settings, Gateway(settings, ADAPTERS, intake, observe_app(complaint)))
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    sweeping = asyncio.create_task(_sweep(server))
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


def _server(settings: Settings, app: Gateway) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http=limited_protocol(settings.gateway),
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(settings.gateway.drain_timeout),
        backlog=4096,
    )
    server = uvicorn.Server(config)
    # We own the signals; uvicorn would raise them again after its end.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    return server


async def _sweep(server: uvicorn.Server) -> None:
    while True:
        await asyncio.sleep(1.0)
        for connection in list(server.server_state.connections):
            if isinstance(connection, LimitedProtocol):
                connection.sweep()
