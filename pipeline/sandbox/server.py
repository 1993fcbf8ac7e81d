"""`pipeline sandbox`: the simulated Connectif and the simulated shops as a process of their own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Iterable, MutableMapping
from typing import Any

import uvicorn
from pydantic import ValidationError
from rich.table import Table
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pipeline import logs
from pipeline.config import Settings
from pipeline.console import Console
from pipeline.errors import SettingsError
from pipeline.listening import bound_socket
from pipeline.metrics import READY
from pipeline.observe import AsgiApp, Receive, Scope, Send
from pipeline.sandbox.connectif.http.app import ConnectifSandbox
from pipeline.sandbox.connectif.http.sending import ABORT
from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour
from pipeline.sandbox.shops.app import SimulatedShops

log = logging.getLogger(__name__)

_SUMMARY_SECONDS = 60.0
_SHUTDOWN_SECONDS = 5


class _CasedName(bytes):
    """A header's name that keeps its case: uvicorn lower-cases names by the name's own method."""

    __slots__ = ()

    def lower(self) -> _CasedName:
        return self


#: Names whose case the app decides; the others are lower-case anyway.
_CASED = {
    name: _CasedName(name)
    for family in (b"X-RateLimit-", b"RateLimit-")
    for name in (family + b"Limit", family + b"Remaining", family + b"Reset")
}


def keep_case(app: AsgiApp) -> AsgiApp:
    """The app under uvicorn, with the rate headers' names as it sends them."""

    async def cased(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_cased(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [(_CASED.get(name, name), value) for name, value in message["headers"]]
            await send(message)

        await app(scope, receive, send_cased)

    return cased


def beside(connectif: AsgiApp, shops: SimulatedShops) -> AsgiApp:
    """Both at one address: the shops have paths of their own."""

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        is_shops = scope["type"] == "http" and shops.is_mine(str(scope["path"]))
        await (shops if is_shops else connectif)(scope, receive, send)

    return both


class AbortableProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which gives the app a way to break the connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: self.transport.abort}  # type: ignore[dict-item] # not ASGI's own


def with_options(
    settings: Settings, *, speed: float | None, window: str | None, switches: Iterable[str]
) -> Settings:
    """The settings with what the command line says instead.

    Raises:
        SettingsError: a switch that is not `name=value`, or a value that cannot be.
    """
    named: dict[str, Any] = dict(settings.sandbox.switches)
    for text in switches:
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(f"--switch {text}: not name=value")
        named[name.strip().replace("-", "_")] = value.strip()
    changes: dict[str, Any] = {"switches": named}
    if speed is not None:
        changes["speed"] = speed
    if window is not None:
        changes["window"] = window
    try:
        sandbox = type(settings.sandbox).model_validate({**settings.sandbox.model_dump(), **changes})
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False, include_context=False)
        said = "; ".join(f"--{item['loc'][0]}: {item['msg']}" for item in wrong)
        raise SettingsError(said, hint="`pipeline sandbox -h` says what there is") from None
    return settings.model_copy(update={"sandbox": sandbox})


def print_switches() -> None:
    """Name every switch, its default and its meaning."""
    table = Table("switch", "default", "meaning", box=None)
    for name, field in ApiBehaviour.model_fields.items():
        table.add_row(name, str(field.default), field.description or "")
    Console().print(table)


def run(settings: Settings, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        SettingsError: there is no account, or a switch is wrong.
        PipelineError: the address is taken.
    """
    if not settings.accounts:
        raise SettingsError("there is no account to simulate", hint="add [accounts.<name>] to the settings")
    sandbox = ConnectifSandbox(settings)
    sock = bound_socket(host, port)
    port = sock.getsockname()[1]
    _say(
        f"sandbox: http://{host}:{port} simulates {len(sandbox.accounts)} account(s); "
        f"{sandbox.simulation.behaviour.window} window of {sandbox.simulation.window:g} s, "
        f"speed {sandbox.simulation.speed:g}",
        "sandbox.begins",
    )
    config = uvicorn.Config(
        keep_case(beside(sandbox, SimulatedShops())),
        http=AbortableProtocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        # The app dates its answers by its own clock.
        date_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    server = uvicorn.Server(config)
    # A stop asked for is a success, not a death by signal: uvicorn would raise the signal again at its end.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(server, sandbox, [sock]))


async def _serve(server: uvicorn.Server, sandbox: ConnectifSandbox, socks: list[Any]) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    summaries = asyncio.create_task(_summarise(sandbox))
    READY.labels("sandbox").set(1)
    try:
        await server.serve(sockets=socks)
    finally:
        READY.labels("sandbox").set(0)
        summaries.cancel()
    _say(summary(sandbox), "sandbox.summary")


async def _summarise(sandbox: ConnectifSandbox) -> None:
    while True:
        await asyncio.sleep(_SUMMARY_SECONDS)
        _say(summary(sandbox), "sandbox.summary")


def _say(line: str, event: str) -> None:
    """Print the addresses on standard output; if logs are JSON, as one of their lines."""
    if logs.format_from(os.environ) is logs.LogFormat.JSON:
        log.info("%s", line, extra={"event": event})
    else:
        print(line, flush=True)  # noqa: T201 - its output


def summary(sandbox: ConnectifSandbox) -> str:
    """One line of counts; nothing of what the elements hold."""
    accounts = sandbox.accounts.values()
    held = dict.fromkeys(("contacts", "products", "purchases", "coupons"), 0)
    for account in accounts:
        for name, storage in account.data.storages().items():
            held[name] += storage.held
    calls = sum(account.log.total for account in accounts)
    refused = sum(account.log.refused for account in accounts)
    again = sum(account.data.purchases.storage.recreated for account in accounts)
    counts = ", ".join(f"{count} {name}" for name, count in held.items())
    return (
        f"sandbox: {calls} calls, {refused} over the limit, {sandbox.connectif.unauthorised} without a key; "
        f"holds {counts}; {again} purchases created again"
    )
