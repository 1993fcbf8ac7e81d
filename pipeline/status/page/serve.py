"""The process of the status page. It keeps nothing: all that it shows, it asks for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Sequence
from pathlib import Path

from pipeline.config import Settings
from pipeline.listening import bound_socket
from pipeline.metrics import READY
from pipeline.observe import observe_app, served
from pipeline.status.gather import Gatherer
from pipeline.status.page.app import StatusPage

log = logging.getLogger(__name__)


def serve(settings: Settings, config_path: Path, urls: Sequence[str], host: str, port: int) -> None:
    """Serve the page until SIGTERM or SIGINT.

    Args:
        settings: the program's.
        config_path: of their file.
        urls: of processes that are not found by themselves.
        host: where the page listens.
        port: likewise.

    Raises:
        PipelineError: the address cannot be bound.
    """
    sock = bound_socket(host, port)
    stopping = asyncio.Event()
    READY.labels("status").set_function(lambda: float(not stopping.is_set()))
    observe = observe_app("status", lambda: "stopping" if stopping.is_set() else None)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        with contextlib.closing(sock), Gatherer(settings, urls) as gatherer:
            page = StatusPage(settings, config_path, gatherer.gather, observe)
            async with served(page.app, sock):
                log.info("the status page listens on http://%s:%d", *sock.getsockname()[:2])
                await stopping.wait()

    asyncio.run(run())
