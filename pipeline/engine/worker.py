"""Runs a worker as a process: signals, the HTTP side, and the exit code."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

import uvloop
from prometheus_client import REGISTRY

from pipeline import process
from pipeline.config import Settings
from pipeline.engine.engine import Engine, end_process
from pipeline.engine.lag import LagCollector
from pipeline.engine.usable import UsableCollector
from pipeline.errors import PipelineError, SettingsError
from pipeline.exposition import Room
from pipeline.listening import bound_socket
from pipeline.metrics import READY
from pipeline.observe import Pages, observed

log = logging.getLogger(__name__)

#: Seconds a clean stop may take before the process ends as it is; a supervisor's own limit is longer.
STOP_TIMEOUT = 30.0
CLOSE_TIMEOUT = 3.0


@dataclass(frozen=True, slots=True)
class Stage:
    """What makes a worker this stage's worker.

    Attributes:
        app_id: one of pipeline.kafka.topics' app ids.
        room: whose series its processes export.
        build: declares tables, agents and background work on the engine.
        round_size: the most records in one round.
        buffer: records an agent may have waiting.
        backlog_share: of the time in which one partition's backlog is worked on; 1: all of it.
    """

    app_id: str
    room: Room
    build: Callable[[Engine], None]
    round_size: int = 500
    buffer: int = 4_000
    backlog_share: float = 1.0


def run(stage: Stage, settings: Settings, *, worker: str, host: str, port: int) -> int:
    """Run a worker until SIGTERM or SIGINT; returns the exit code.

    An unexpected exception, in the stage or in the engine, ends the process at once with code 70.

    Raises:
        SettingsError: the worker's name is none.
        PipelineError: it cannot start: port taken, no broker, worker name in use.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", worker):
        raise SettingsError(
            "the worker's name is that of a directory and in Kafka",
            field="--worker",
            hint="make it of letters, digits, '-', '_' and '.'",
        )
    sock = bound_socket(host, port)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(_run(stage, settings, worker, sock))
        # All is confirmed and closed; a thread of a client that waits for an absent broker must not hold us.
        last = threading.Timer(CLOSE_TIMEOUT, os._exit, (code,))
        last.daemon = True
        last.start()
    return code


async def _run(stage: Stage, settings: Settings, worker: str, sock: socket.socket) -> int:
    stop = asyncio.Event()
    _on_signals(stop)
    asyncio.get_running_loop().set_exception_handler(_unhandled)
    engine = Engine(
        stage.app_id,
        settings,
        worker=worker,
        round_size=stage.round_size,
        buffer=stage.buffer,
        backlog_share=stage.backlog_share,
        listens=sock.getsockname()[:2],
    )
    stage.build(engine)
    REGISTRY.register(LagCollector(engine.behind))
    REGISTRY.register(UsableCollector(stage.app_id, engine.held))
    ready = READY.labels(stage.app_id)
    ready.set_function(lambda: float(engine.complaint is None))
    pages = Pages(engine.pages, settings.http_token, engine.actions)
    async with observed(stage.room, lambda: engine.complaint, sock, pages):
        log.info("%s: worker %s listens on port %d", stage.app_id, worker, sock.getsockname()[1])
        starting = asyncio.create_task(engine.start(), name="start")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            _check(starting)
            process.started()
            log.info("%s: worker %s is ready", stage.app_id, worker, extra={"event": "worker.ready"})
            await stopping
        log.info("%s: worker %s stops", stage.app_id, worker, extra={"event": "worker.stops"})
        ending = asyncio.create_task(engine.stop(), name="end")
        await asyncio.wait([ending], timeout=STOP_TIMEOUT)
        if not ending.done():
            end_process(TimeoutError(f"the work in hand was not finished within {STOP_TIMEOUT:.0f} s"))
        ending.result()
    return 0


def _check(starting: asyncio.Task[None]) -> None:
    """End the process where the start failed: Faust's threads would keep a half-started one alive."""
    error = starting.exception()
    if isinstance(error, PipelineError):
        log.error("%s", error, extra={"event": "process.refused", "exit_code": error.exit_code})
        logging.shutdown()
        os._exit(error.exit_code)
    if error is not None:
        end_process(error)


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def _unhandled(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """A task or callback failed with nothing awaiting it: end the process."""
    error = context.get("exception")
    if isinstance(error, Exception):
        end_process(error)
    loop.default_exception_handler(context)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Uvloop's."""
    return uvloop.new_event_loop()
