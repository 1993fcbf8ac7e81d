"""`pipeline gateway --processes N`: several processes on one port, one socket, kept running by this one.

All accept from the same socket, which this process holds open: what waits to be accepted is taken by
whichever is free, also while one is killed or starts again (docs/adr/0024).
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from pipeline import reload
from pipeline.config import Settings
from pipeline.config_needs import GATEWAY as SECRETS
from pipeline.errors import PipelineError, SettingsError
from pipeline.gateway.run import require_usable
from pipeline.listening import BACKLOG, address, bound_socket, handed_on
from pipeline.local.gateways import GATEWAY, admin_ports, asked_at, names, options
from pipeline.local.supervisor import Command, Supervisor
from pipeline.settings_changes import changes

log = logging.getLogger(__name__)

#: Seconds for a process to take traffic again.
READY_SECONDS = 60.0
_LOOK_SECONDS = 0.5
PROGRAM = (sys.executable, "-m", "pipeline")


def serve(
    path: Path, settings: Settings, shops: tuple[str, int], admin: tuple[str, int], processes: int
) -> None:
    """Run them until SIGTERM or SIGINT.

    Args:
        path: of the settings file.
        settings: as they are now.
        shops: host and port at which all answer shops.
        admin: those at which the first answers operators; the others do at the ports after it.
        processes: how many.

    Raises:
        PipelineError: the settings or an address cannot be used, or none of them can run.
    """
    require_usable(settings)
    with bound_socket(*shops) as sock:
        sock.listen(BACKLOG)
        host, port = shops[0], sock.getsockname()[1]
        owns = [(admin[0], own) for own in admin_ports(admin[1], processes, {port})]
        for own in owns:
            bound_socket(*own, "--admin-port").close()  # else another program would answer in its place
        log.info("listening on http://%s:%d with %d processes", host, port, processes)
        log.info("figures, and why one is not ready, at %s", ", ".join(address(*own) for own in owns))
        asyncio.run(_Gateways(path, settings, (host, port), sock, owns).run())


class _Gateways:
    """The processes, as one."""

    def __init__(
        self,
        path: Path,
        settings: Settings,
        place: tuple[str, int],
        sock: socket.socket,
        owns: list[tuple[str, int]],
    ) -> None:
        self._path = path
        self._settings = settings
        self._place = place
        self._sock = sock
        self._owns = owns
        self._supervisor = Supervisor(self._commands(), None)
        self._asked = asyncio.Event()

    def _commands(self) -> list[Command]:
        host, port = self._place
        variables: Mapping[str, str] = handed_on({address(host, port): self._sock.fileno()})
        limits = self._settings.gateway
        made = []
        for number, (name, own) in enumerate(zip(names(len(self._owns)), self._owns, strict=True), 1):
            argv = [*PROGRAM, GATEWAY, "--config", str(self._path), "--host", host, "--port", str(port)]
            argv += options(number, len(self._owns), own)
            command = Command(
                name,
                tuple(argv),
                asked_at(*own),
                variables,
                stop_seconds=limits.drain_timeout + limits.confirm_timeout + 10,
                descriptors=(self._sock.fileno(),),
            )
            made.append(command)
        return made

    async def run(self) -> None:
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._asked.set)
        await self._supervisor.start()
        reloading = asyncio.create_task(self._reloads())
        ends = {asyncio.create_task(stopping.wait()), asyncio.create_task(self._none_runs()), reloading}
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in ends:
                task.cancel()
            self._sock.close()  # once the processes close theirs, connections are refused and go elsewhere
            await self._supervisor.stop(at_once=True)

    async def _none_runs(self) -> None:
        """Ends with an error once starting any of them again would change nothing."""
        while len(self._supervisor.failed) < len(self._owns):  # noqa: ASYNC110 - what processes are is polled
            await asyncio.sleep(_LOOK_SECONDS)
        raise self._supervisor.complaint(GATEWAY)

    async def _reloads(self) -> None:
        """Take other settings over whenever that is asked for; never returns."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self._reload()

    async def _reload(self) -> None:
        """One process after the other begins again, so that another one answers meanwhile."""
        try:
            new = await asyncio.to_thread(reload.checked, self._settings, self._path, os.environ, SECRETS)
        except SettingsError as error:
            reload.say_refused(error)
            self._supervisor.send(signal.SIGHUP)  # they refuse it, too, and their metrics say so
            return
        found, ended = changes(self._settings, new), self._supervisor.failed
        reload.say(found)
        if not found:
            self._supervisor.send(signal.SIGHUP)
        for command in self._commands():
            if found or command.name in ended:
                await self._supervisor.replace(command)
                failed = await self._not_ready(command.name)
                if failed is not None:
                    said = "after the reload, the processes behind this one go on as before: %s"
                    log.error(said, failed, extra={"event": "settings.reload_failed"})
                    return
        self._settings = new

    async def _not_ready(self, name: str) -> PipelineError | None:
        try:
            await self._supervisor.ready_again(name, READY_SECONDS)
        except PipelineError as error:
            return error
        return None
