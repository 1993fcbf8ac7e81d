"""The gateway's process: composed, served, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import resource
import signal
import socket
import time
from typing import Any

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pipeline import process
from pipeline.config import Settings
from pipeline.config_checks import require_stores, shared_secrets
from pipeline.config_stages import GatewaySettings
from pipeline.errors import SettingsError
from pipeline.events import Kind
from pipeline.gateway.accepting import Acceptor
from pipeline.gateway.app import Gateway
from pipeline.gateway.callbacks import Callbacks
from pipeline.gateway.certificate import watch_of
from pipeline.gateway.fast_path import fast_path_protocol
from pipeline.gateway.intakes import Intakes
from pipeline.gateway.last_events import LastEvents
from pipeline.gateway.member import ALONE, Member
from pipeline.gateway.produce import producer_of
from pipeline.gateway.protocol import LimitedProtocol
from pipeline.gateway.spool import Spool
from pipeline.gateway.webhooks import Webhooks
from pipeline.kafka import topics
from pipeline.listening import bound_socket
from pipeline.metrics import GATEWAY_CONNECTIONS, GATEWAY_CONNECTIONS_MAX, READY
from pipeline.observe import observed
from pipeline.otel import tracer_of
from pipeline.shops.registry import PLATFORMS

log = logging.getLogger(__name__)

SPOOL_BEFORE = "gateway/spool.sqlite"
#: Open files that are not connections: Kafka's, the spool's, the program's own.
OTHER_FILES = 128


def require_usable(settings: Settings) -> None:
    """Check what the settings alone do not.

    Raises:
        SettingsError: there is no store, or Kafka would not take what the gateway takes.
    """
    require_stores(settings)
    needed = settings.gateway.max_body_bytes + topics.MESSAGE_OVERHEAD
    if needed > settings.kafka.max_message_bytes:
        raise SettingsError(
            "Kafka would not take the largest body the gateway takes",
            field="kafka.max_message_bytes",
            hint=f"set it to {needed} or more, or lower gateway.max_body_bytes",
        )


def serve(settings: Settings, shops: tuple[str, int], admin: tuple[str, int], member: Member = ALONE) -> None:
    """Run until SIGTERM or SIGINT; returns once everything answered 2xx is in Kafka or in the spool.

    Args:
        settings: the program's.
        shops: host and port at which they are answered.
        admin: those at which operators are, with its figures; shops do not reach it.
        member: which process it is, where several share the port.

    Raises:
        PipelineError: the settings, the address or the spool cannot be used.
    """
    require_usable(settings)
    settings = member.settings(settings)
    most = raise_descriptor_limit()
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(bound_socket(*shops))
        own = stack.enter_context(bound_socket(*admin, "--admin-port"))
        log.info("at most %d connections at once, as the limit on open files allows", most)
        before = settings.data_dir / SPOOL_BEFORE
        if before.exists():
            log.warning(
                "%s is an earlier version's: let that drain it where it holds events, then delete it", before
            )
        for warning in shared_secrets(settings):
            log.warning("%s", warning, extra={"event": "settings.shared"})
        process.started()
        uvloop.run(_serve(settings, sock, own, most, member))


async def _serve(
    settings: Settings, sock: socket.socket, own: socket.socket, most: int, member: Member
) -> None:
    loop = asyncio.get_running_loop()
    named = [kind.topic for kind in Kind]
    if any(store.callbacks for store in settings.stores.values()):
        named.append(topics.SYNC_CONSENTS_TOPIC)
    served = tuple(topics.full_name(settings, name) for name in named)
    intake = Intakes(
        Spool(
            settings.data_dir / member.spool,
            settings.gateway.spool_max_bytes,
            served,
            shared=len(settings.stores) > 1,
            left_behind=member.left_behind(settings.data_dir),
        ),
        lambda: producer_of(settings),
        served,
        confirm_timeout=settings.gateway.confirm_timeout,
        clock=time.monotonic,
    )
    stopping = asyncio.Event()

    def complaint() -> str | None:
        return "stopping" if stopping.is_set() else intake.complaint()

    webhooks = Webhooks(settings, PLATFORMS, intake, tracer=tracer_of(settings, "gateway"))
    last_events = LastEvents(settings.data_dir / member.last_events, webhooks.routes)
    last_events.restore()
    server = http_server(
        settings.gateway,
        Gateway(webhooks, complaint, Callbacks(settings, intake, webhooks)),
        fast_path_protocol(settings.gateway, webhooks, most),
    )
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    log.info("listening on http://%s:%d", *sock.getsockname()[:2])
    log.info("figures, and why it is not ready, on http://%s:%d", *own.getsockname()[:2])
    shared = None if member.of == 1 else _acceptor(server, sock)
    serving = asyncio.create_task(server.serve(sockets=[sock] if shared is None else []))
    works = [enforce_timeouts(server), last_events.keep()]
    certificate = watch_of(settings.gateway.public_url)
    if certificate is not None:
        works.append(certificate.keep())
    beside = [asyncio.create_task(work) for work in works]
    waiting = asyncio.create_task(stopping.wait())
    GATEWAY_CONNECTIONS.set_function(lambda: len(server.server_state.connections))
    GATEWAY_CONNECTIONS_MAX.set(most)
    READY.labels("gateway").set_function(lambda: float(complaint() is None))
    ends: set[asyncio.Future[Any]] = {waiting, intake.ended, serving}
    async with observed("gateway", complaint, own):
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.set()
            if shared is not None:
                shared.close()
            server.should_exit = True
            await serving
            for task in beside:
                task.cancel()
            await intake.close()
            last_events.write()


def _acceptor(server: uvicorn.Server, sock: socket.socket) -> Acceptor:
    """Takes a share of the connections of a socket that others accept from, too."""
    made: Any = server.config.http
    state = server.server_state

    def protocol() -> asyncio.Protocol:
        connection: asyncio.Protocol = made(config=server.config, server_state=state, app_state={})
        return connection

    return Acceptor(sock, protocol, lambda: len(state.connections))


def raise_descriptor_limit() -> int:
    """Allow as many open files as the system lets us; how many connections that leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # macOS has a limit below its own hard one
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    if soft == resource.RLIM_INFINITY:
        soft = LimitedProtocol.max_connections
    return max(soft - OTHER_FILES, soft // 2)


def http_server(settings: GatewaySettings, app: Gateway, protocol: type[HttpToolsProtocol]) -> uvicorn.Server:
    """The server as the gateway runs it, beside `enforce_timeouts`."""
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


async def enforce_timeouts(server: uvicorn.Server) -> None:
    """Hold every connection to its time-outs, for as long as the server runs."""
    while True:
        await asyncio.sleep(1.0)
        for connection in list(server.server_state.connections):
            if isinstance(connection, LimitedProtocol):
                connection.enforce_timeouts()
