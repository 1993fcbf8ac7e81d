"""Runs the pipeline's processes on one machine: starts them, starts them again, stops them in order.

Crash-only: a process that meets something unexpected ends itself, and all that is done about it is done here.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import httpx

from pipeline import private
from pipeline.errors import BrokerError, NameTakenError, PipelineError, SettingsError
from pipeline.local.child import CANNOT_RUN, Child
from pipeline.local.logfile import LogFile, NoLogFile

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
READY_LOOK_SECONDS = 1.0
#: Seconds between two checks of the length of its log.
LOG_LOOK_SECONDS = 2.0
#: Exit codes after which starting again would change nothing.
_HOPELESS = {
    SettingsError.exit_code: "its settings or options are refused",
    NameTakenError.exit_code: "another worker of this name runs",
    CANNOT_RUN: "it cannot be run",
}
_ENDINGS = {
    0: "though nothing stopped it",
    1: "it could not go on",
    BrokerError.exit_code: "Kafka cannot be reached, or would lose data",
    70: "it met something it did not expect",
    -signal.SIGKILL: "killed, by a person or because memory ran out",
    -signal.SIGTERM: "stopped by another program",
}


@dataclass(frozen=True, slots=True)
class Command:
    """A process to keep running.

    Attributes:
        name: unique; its log is `<name>.log`.
        argv: the command.
        url: of its HTTP side, where `/readyz` is asked.
        env: laid over our own environment.
        stop_seconds: how long it may take to stop after SIGTERM.
        descriptors: that each of its processes is given, such as those of sockets that stay open between two.
    """

    name: str
    argv: tuple[str, ...]
    url: str
    env: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: float = 30.0
    descriptors: tuple[int, ...] = ()


class ProcessPhase(enum.StrEnum):
    """The state of a process."""

    STARTING = "starting"
    READY = "ready"
    NOT_READY = "not ready"  # it was, and says itself that it is not now
    WAITING = "waiting"  # it ended unexpectedly and is started again soon
    FAILED = "failed"  # starting it again would change nothing
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """A process as a display shows it; `detail` is why it is not ready."""

    name: str
    phase: ProcessPhase
    url: str
    pid: int | None = None
    restarts: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds: the wait before a first and a repeated restart, and what ends the doubling."""

    first: float = 0.5
    most: float = 15.0
    settled: float = 30.0

    def wait(self, failures: int) -> float:
        """How long to wait after this many ends in a row."""
        return float(min(self.most, self.first * 2 ** min(failures - 1, 20)))


class Supervisor:
    """Keeps commands running from `start` to `stop`.

    Args:
        commands: in the order of starting; they are stopped in the reverse order.
        logs: the directory of their logs, made when needed; None: they write to our own output.
        pace: of restarts.
    """

    def __init__(self, commands: Sequence[Command], logs: Path | None, pace: Pace | None = None) -> None:
        self._client = httpx.AsyncClient(timeout=2, trust_env=False)
        self._pace = pace or Pace()
        self._logs = logs
        self._keepers = [self._keeper(command) for command in commands]

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def statuses(self) -> list[ProcessStatus]:
        """How each process is, in the order of starting."""
        return [keeper.status for keeper in self._keepers]

    def status(self, name: str) -> ProcessStatus:
        """How one process is."""
        return next(status for status in self.statuses if status.name == name)

    def take(self, commands: Sequence[Command]) -> None:
        """Run these instead, from the start on."""
        self._keepers = [self._keeper(command) for command in commands]

    async def start(self) -> None:
        """Start every command, without waiting until it is ready.

        Raises:
            PipelineError: the directory of the logs cannot be written.
        """
        if self._logs is not None:
            private.directory(self._logs)
        for keeper in self._keepers:
            keeper.start()

    async def ready_again(self, name: str, within: float) -> None:
        """Wait, at most `within` seconds, until one command is ready.

        Raises:
            PipelineError: it is not, or cannot be started: with the end of its log.
        """
        until = time.monotonic() + within
        while (phase := self.status(name).phase) is not ProcessPhase.READY:
            if phase is ProcessPhase.FAILED or time.monotonic() > until:
                raise self.complaint(name)
            await asyncio.sleep(LOOK_SECONDS)

    async def ready(self, within: float = 60.0) -> None:
        """Wait, at most `within` seconds, until all are ready.

        Raises:
            PipelineError: one is not, or cannot be started: with the end of its log.
        """
        until = time.monotonic() + within
        while waiting := [
            keeper for keeper in self._keepers if keeper.status.phase is not ProcessPhase.READY
        ]:
            self.check()
            if time.monotonic() > until:
                raise waiting[0].complaint()
            await asyncio.sleep(LOOK_SECONDS)

    async def replace(self, command: Command) -> None:
        """Stop the process of the command's name, if there is one, and start it with this command."""
        keeper = self._keeper(command)
        for place, before in enumerate(self._keepers):
            if before.status.name == command.name:
                await before.stop()
                self._keepers[place] = keeper
                break
        else:
            self._keepers.append(keeper)
        keeper.start()

    async def remove(self, name: str) -> None:
        """Stop a process for good."""
        for keeper in [keeper for keeper in self._keepers if keeper.status.name == name]:
            await keeper.stop()
            self._keepers.remove(keeper)

    def check(self) -> None:
        """Check whether every command is still worth starting.

        Raises:
            PipelineError: one is not: with the end of its log.
        """
        for name in self.failed:
            raise self.complaint(name)

    @property
    def failed(self) -> list[str]:
        """The names of the commands that are not started again."""
        return [status.name for status in self.statuses if status.phase is ProcessPhase.FAILED]

    def complaint(self, name: str) -> PipelineError:
        """Why a command is not ready, with the end of its log."""
        return next(keeper for keeper in self._keepers if keeper.status.name == name).complaint()

    def _keeper(self, command: Command) -> _ProcessSupervisor:
        return _ProcessSupervisor(command, self._logs, self._pace, self._client)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to every process that runs."""
        for keeper in self._keepers:
            keeper.send(number)

    async def stop(self, *, at_once: bool = False) -> None:
        """SIGTERM to each in turn, last started first, or at once; one that outstays its time is killed."""
        if at_once:
            await asyncio.gather(*(keeper.stop() for keeper in self._keepers))
        for keeper in reversed(self._keepers):
            await keeper.stop()
        await self._client.aclose()


class _ProcessSupervisor:
    """Keeps one command running."""

    def __init__(self, command: Command, logs: Path | None, pace: Pace, client: httpx.AsyncClient) -> None:
        self.status = ProcessStatus(command.name, ProcessPhase.STOPPED, command.url)
        self._client = client
        self._command = command
        self._log = NoLogFile() if logs is None else LogFile(logs / f"{command.name}.log")
        self._pace = pace
        self._child: Child | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep(), name=f"keep {self._command.name}")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._child:
            await asyncio.to_thread(self._child.stop, self._command.stop_seconds)
        self._say(ProcessPhase.STOPPED, pid=None)

    def send(self, number: signal.Signals) -> None:
        if self._child is not None:
            self._child.send(number)

    def complaint(self) -> PipelineError:
        detail = self.status.detail or str(self.status.phase)
        return PipelineError(
            f"{self._command.name} is not ready: {detail}" + _quoted(self._log.lines()[-8:]),
            hint=f"its log: {self._log.path}" if self._log.path else "what it said stands above",
        )

    async def _keep(self) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            try:
                code = await self._run_once()
            except OSError as error:
                self._give_up(f"it cannot be run: {error}")
                return
            if code in _HOPELESS:
                self._give_up(_HOPELESS[code])
                return
            failures = 1 if time.monotonic() - began > self._pace.settled else failures + 1
            wait = self._pace.wait(failures)
            detail = f"ended ({_ending(code)}), again in {wait:g} s"
            self._say(ProcessPhase.WAITING, detail, pid=None, restarts=self.status.restarts + 1)
            log.warning(
                "%s %s%s",
                self._command.name,
                detail,
                _quoted(self._log.last_words()),
                extra={"event": "child.ended", "child": self._command.name, "exit_code": code},
            )
            await asyncio.sleep(wait)

    def _give_up(self, why: str) -> None:
        self._say(ProcessPhase.FAILED, why, pid=None)
        log.error(
            "%s stopped for good: %s; what else runs goes on, what it would do waits%s",
            self._command.name,
            why,
            _quoted(self._log.last_words()),
            extra={"event": "child.failed", "child": self._command.name},
        )

    async def _run_once(self) -> int:
        """Run the command to its end, keeping the status; returns its exit code."""
        child = self._child = self._spawn()
        self._say(ProcessPhase.STARTING, pid=child.pid)
        looked = measured = 0.0
        while (code := child.poll()) is None:
            patience = READY_LOOK_SECONDS if self.status.phase is ProcessPhase.READY else LOOK_SECONDS
            if time.monotonic() - looked >= patience:
                await self._look()
                looked = time.monotonic()
            if time.monotonic() - measured >= LOG_LOOK_SECONDS:
                await asyncio.to_thread(self._log.cut)
                measured = time.monotonic()
            await asyncio.sleep(LOOK_SECONDS)
        child.kill()  # what it may have left in its session
        return code

    def _spawn(self) -> Child:
        self._log.cut()
        self._log.begin()
        env = {**os.environ, "PYTHONUNBUFFERED": "1", **self._command.env}
        child = Child(self._command.argv, self._log.path, env, self._command.descriptors)
        if child.log_lost:
            log.warning(
                "%s runs without a log: %s cannot be written: %s",
                self._command.name,
                self._log.path,
                child.log_lost,
                extra={"event": "child.log_lost", "child": self._command.name},
            )
        return child

    async def _look(self) -> None:
        not_yet = (
            ProcessPhase.STARTING if self.status.phase is ProcessPhase.STARTING else ProcessPhase.NOT_READY
        )
        try:
            answer = await self._client.get(f"{self._command.url}/readyz")
        except httpx.HTTPError as error:
            self._say(
                not_yet, "" if not_yet is ProcessPhase.STARTING else f"no answer: {type(error).__name__}"
            )
            return
        if answer.is_success:
            self._say(ProcessPhase.READY)
        else:
            self._say(not_yet, answer.text.strip()[:200])

    def _say(self, phase: ProcessPhase, detail: str = "", **changes: Any) -> None:
        self.status = replace(self.status, phase=phase, detail=detail, **changes)


def _ending(code: int) -> str:
    ending = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"{ending}: {_ENDINGS[code]}" if code in _ENDINGS else ending


def _quoted(lines: Sequence[str]) -> str:
    return "".join(f"\n    {line}" for line in lines)
