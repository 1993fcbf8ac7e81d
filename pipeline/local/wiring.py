"""The whole pipeline on one machine: broker, topics and processes, in the order of who needs whom.

`pipeline up` runs it on settings of one's own, `pipeline demo` on its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pipeline.config import Settings, is_loopback
from pipeline.errors import BrokerError, PipelineError, SettingsError
from pipeline.kafka import topic_check
from pipeline.kafka.address import bootstrap
from pipeline.listening import BACKLOG, address, bound_socket, handed_on
from pipeline.local import addresses, gateways, scraping, snapshot
from pipeline.local.broker import EmbeddedKafka
from pipeline.local.ports import HOST, following
from pipeline.local.supervisor import Command, Pace, ProcessPhase, ProcessStatus, Supervisor
from pipeline.shops.registry import PLATFORMS
from pipeline.workers.address import bracketed

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.5
#: The processes, upstream last: they are stopped in the reverse order, so what came in
#: still finds the next stage. The archive goes on where it was, and the status page keeps nothing.
STAGES = {
    "deliver": ("worker", "deliver"),
    "sync": ("worker", "sync"),
    "translate": ("worker", "translate"),
    "erase": ("erase", "serve"),
    "gateway": ("gateway",),
    "archive": ("archive", "run"),
    "status": ("status", "serve"),
}
#: The process that is there where a store asks for it; the last to start.
DAILY = {"reconcile": ("worker", "reconcile")}
GATEWAY = "gateway"
#: In the order of their ports.
ALL_STAGES = (GATEWAY, "translate", "deliver", "sync", "reconcile", "erase", "archive", "status")


class Wiring:
    """Starts and stops everything; an async context manager.

    Args:
        settings: those of all processes, whenever they are started.
        sandbox: also run the simulated Connectif where the accounts' `base_url` says.
        host: where the gateway listens; the other processes listen on 127.0.0.1.
        port: the gateway's; the workers' follow it. 0: free ones.
        processes: of the gateway, on that port.
        pace: of restarts; None: the supervisor's own.
        scraped: a directory for what a Prometheus reads of these processes.
        say: called with what takes long.
        program: the `pipeline` command.

    Raises:
        SettingsError: a sandbox is wanted, and no account, or accounts in different places, would call it.

    Attributes:
        kafka: our embedded broker; None where `kafka.bootstrap` is set or a `pipeline kafka` runs.
        urls: of each process's HTTP side, by its name: gateway, translate, deliver, erase, status, sandbox;
            sync where a store's API is asked, archive where the settings have one. The gateway's is where
            operators are answered, of several processes each at one of its own.
        address: where the gateway takes webhooks.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        sandbox: bool = False,
        host: str = HOST,
        port: int = 0,
        processes: int = 1,
        pace: Pace | None = None,
        scraped: Path | None = None,
        say: Callable[[str], None] = lambda _: None,
        program: tuple[str, ...] = (sys.executable, "-m", "pipeline"),
    ) -> None:
        self._settings = settings
        self._scraped = scraped
        self._say = say
        self._kafka_restarts = 0
        self._kafka_phase = ProcessPhase.STOPPED
        self._kafka_detail = ""
        self._pace = pace or Pace()
        taken: set[int] = set()
        self.address = f"http://{bracketed(host)}:{_port(GATEWAY, port, taken)}"
        self.urls = {"sandbox": _sandbox_url(settings)} if sandbox else {}
        for name in _stages(settings):
            if name != GATEWAY:
                self.urls[name] = f"http://{HOST}:{_port(name, port, taken)}"
            else:
                ports = gateways.admin_ports(gateways.admin_port(port), processes, taken)
                named = zip(gateways.names(processes), ports, strict=True)
                self.urls |= {one: f"http://{HOST}:{own}" for one, own in named}
        places = [self.address, *self.urls.values()]
        self.kafka = None if _is_there(settings) else _broker(settings, places, say)
        self._program = program
        self._port = port
        self._gateways = gateways.names(processes)
        #: The gateway's, which is open from the start to the end: while the gateway starts again, shops wait.
        self._listening: socket.socket | None = None
        self._supervisor = Supervisor(self._commands({}), settings.data_dir / "logs", self._pace)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
            await self.ready()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def statuses(self) -> list[ProcessStatus]:
        """How each process is, the broker first, for a display."""
        statuses = self._supervisor.statuses
        if self.kafka is None:
            return statuses
        pid = next(iter(self.kafka.pids.values()), None)
        address = self.kafka.bootstrap
        return [
            ProcessStatus("kafka", self._kafka_phase, address, pid, self._kafka_restarts, self._kafka_detail),
            *statuses,
        ]

    def status(self, name: str) -> ProcessStatus:
        """How one process is."""
        return next(status for status in self.statuses if status.name == name)

    async def start(self) -> None:
        """Start the broker and wait for it, then start everything else.

        Raises:
            BrokerError: the broker cannot be started, or is not to be trusted.
            PipelineError: a port is taken, or the data directory cannot be written.
        """
        variables = snapshot.write(self._settings)
        self._listening = bound_socket(*_place(self.address))
        self._listening.listen(BACKLOG)
        for url in self.urls.values():  # else another program on the port would answer instead of the process
            bound_socket(*_place(url)).close()
        if self.kafka:
            self._kafka_phase = ProcessPhase.STARTING
            await _in_thread(self.kafka.start)
            self._kafka_phase = ProcessPhase.READY
        self._say("topics")
        await _in_thread(lambda: topic_check.ensure(self._settings))
        self._tell_addresses()
        self._say("processes")
        self._supervisor.take(self._commands(variables))
        await self._supervisor.start()

    def _tell_addresses(self) -> None:
        addresses.write(self._settings.data_dir, self.urls, webhooks=self.address)
        if self._scraped is not None:
            scraping.write(self._scraped, self.urls)

    def _commands(self, variables: Mapping[str, str]) -> list[Command]:
        path = snapshot.path_in(self._settings.data_dir)
        return [self._command(name, url, path, variables) for name, url in self.urls.items()]

    def _command(self, name: str, url: str, path: Path, variables: Mapping[str, str]) -> Command:
        """The command of a process: its settings file, and the variables that this names."""
        is_gateway = name in self._gateways
        host, port = _place(self.address if is_gateway else url)
        argv = [*self._program, *_words(name), "--config", str(path), "--host", host, "--port", str(port)]
        if is_gateway:
            number = self._gateways.index(name) + 1
            argv += gateways.options(number, len(self._gateways), _place(url))
        asked = gateways.asked_at(*_place(url))
        if not is_gateway or self._listening is None:
            return Command(name, tuple(argv), asked, variables)
        descriptor = self._listening.fileno()
        given = handed_on({address(host, port): descriptor})
        return Command(name, tuple(argv), asked, {**variables, **given}, descriptors=(descriptor,))

    async def reload(self, settings: Settings, within: float = 60.0) -> list[str]:
        """Take other settings over: one process after the other ends in order and begins again.

        The gateway comes last: no stage meets an event of a store that it does not know. Its socket is open
        all the time.

        Args:
            settings: that `pipeline.reload.checked` found can be taken over.
            within: seconds for each process to be ready.

        Returns:
            what is not as it should be afterwards, a line each.
        """
        self._settings = settings
        variables = snapshot.write(settings)
        stages = _stages(settings)
        for name in [name for name in self.urls if name in ALL_STAGES and name not in stages]:
            await self._supervisor.remove(name)
            del self.urls[name]
        taken = {port for url in self.urls.values() if (port := urlsplit(url).port)}
        for name in [name for name in stages if name not in self.urls]:
            self.urls[name] = f"http://{HOST}:{_port(name, self._port, taken)}"
        self._tell_addresses()
        commands = {command.name: command for command in self._commands(variables)}
        failed = []
        for name in sorted(commands.keys() - {"sandbox"}, key=self._order):
            await self._supervisor.replace(commands[name])
            try:
                await self._supervisor.ready_again(name, within)
            except PipelineError as error:
                failed.append(str(error))
        return failed

    def _order(self, name: str) -> int:
        """In which order processes begin again: as they start, the gateway's last."""
        return list(self.urls).index(name) + len(self.urls) * (name in self._gateways)

    async def ready(self, within: float = 90.0) -> None:
        """Wait until all processes take traffic, at most `within` seconds.

        Raises:
            PipelineError: one does not, with the end of its log.
        """
        await self._supervisor.ready(within)

    @property
    def failed(self) -> list[str]:
        """The names of the processes that ended for good."""
        return self._supervisor.failed

    @property
    def no_gateway(self) -> bool:
        """Whether none of the gateway's processes can run."""
        return set(self._gateways) <= set(self.failed)

    def complaint(self, name: str) -> PipelineError:
        """Why a process is not ready, with the end of its log."""
        return self._supervisor.complaint(name)

    async def stop(self) -> None:
        """Stop everything, upstream first, the broker last."""
        await self._supervisor.stop()
        addresses.remove(self._settings.data_dir)
        if self._listening is not None:
            self._listening.close()
        if self.kafka:
            await _in_thread(self.kafka.stop)
            self._kafka_phase = ProcessPhase.STOPPED

    async def watch(self) -> None:
        """Bring the broker back whenever it ends, however often; never returns.

        The other processes continue meanwhile: the gateway has its spool.
        """
        failures = 0
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self.kafka is None:
                continue
            if self.kafka.pids:
                await _in_thread(self.kafka.cut_logs)
                continue
            if not failures:
                log.warning("%s", self.kafka.last_words(), extra={"event": "broker.ended"})
            self._kafka_restarts += 1
            self._kafka_phase = ProcessPhase.STARTING
            try:
                await _in_thread(self.kafka.start)
            except BrokerError as error:
                failures += 1
                await self._broker_failed(error, self._pace.wait(failures))
            else:
                failures = 0
                self._kafka_phase, self._kafka_detail = ProcessPhase.READY, ""
                log.info("Kafka's broker is back", extra={"event": "broker.back"})

    async def _broker_failed(self, error: BrokerError, wait: float) -> None:
        """Say it, once for each reason, and wait."""
        said, self._kafka_phase, self._kafka_detail = self._kafka_detail, ProcessPhase.WAITING, error.message
        if said != error.message:
            log.error(
                "Kafka's broker cannot be started, and is tried again; the gateway keeps what comes: %s",
                error,
                extra={"event": "broker.failed"},
            )
        await asyncio.sleep(wait)

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """`watch` beside other work of the block.

        Raises:
            ExceptionGroup: of the errors of the block.
        """
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self.watch())
            try:
                yield
            finally:
                watching.cancel()


def _is_there(settings: Settings) -> bool:
    with contextlib.suppress(BrokerError):
        return bool(bootstrap(settings))
    return False


def _stages(settings: Settings) -> list[str]:
    """The processes that these settings need: without an API to ask or write to, sync has nothing to do."""
    asked = any(PLATFORMS[store.platform].asks(store) for store in settings.stores.values())
    daily = any(store.reconcile for store in settings.stores.values())
    needless = {"sync": not asked, "archive": settings.archive.url is None}
    stages = [name for name in STAGES if not needless.get(name)]
    return [*stages, *(DAILY if daily else ())]


def _port(name: str, first: int, taken: set[int]) -> int:
    """The port of a process; `first` is the gateway's."""
    return following(first, ALL_STAGES.index(name), taken)


def _sandbox_url(settings: Settings) -> str:
    urls = {account.base_url.rstrip("/") for account in settings.accounts.values()}
    local = sorted(url for url in urls if is_loopback(url))
    if len(local) != 1 or urlsplit(local[0]).port is None:
        found = f"they name {', '.join(local)}" if local else "none does"
        raise SettingsError(
            f"a sandbox needs accounts whose base_url is one address of this machine with its port; {found}",
            field="accounts",
            hint='set base_url = "http://127.0.0.1:9100" in each account that shall use the sandbox',
        )
    return local[0]


def _broker(settings: Settings, urls: Iterable[str], say: Callable[[str], None]) -> EmbeddedKafka:
    return EmbeddedKafka(
        settings.data_dir,
        java=settings.kafka.java,
        flush_each_message=settings.kafka.flush_each_message,
        # It comes back on the ports of the last time, and starts before the processes that listen on these.
        reserved={port for url in urls if (port := urlsplit(url).port)},
        say=say,
    )


def _words(name: str) -> tuple[str, ...]:
    """The words of a process's command."""
    return {**STAGES, **DAILY}.get(GATEWAY if gateways.is_gateway(name) else name, (name,))


def _place(url: str) -> tuple[str, int]:
    place = urlsplit(url)
    return place.hostname or HOST, place.port or 0


async def _in_thread(work: Callable[[], object]) -> None:
    """Run blocking work; a cancellation waits for its end, so that nothing is stopped while it starts."""
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
