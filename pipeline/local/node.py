"""One broker of the embedded Kafka: its settings, its directory, its process and its log."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import private
from pipeline.errors import BrokerError
from pipeline.local.child import Child
from pipeline.local.logfile import LogFile
from pipeline.local.ports import HOST

#: What a broker's log says, what is wrong, and what to do.
_CAUSES = (
    ("Address already in use", "a port was taken", "start again, or choose another --port"),
    ("No space left on device", "the disk is full", "make room, then start again"),
    ("Cannot allocate memory|could not reserve|OutOfMemoryError", "memory ran out", "close other programs"),
    ("Failed to acquire lock", "another Kafka uses the directory", "stop it, or use another data_dir"),
    ("Permission denied|AccessDenied", "the directory cannot be written", "correct its owner or rights"),
)

_LOG4J = """\
rootLogger.level = WARN
rootLogger.appenderRef.file.ref = file
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = INFO
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = ${sys:pipeline.log}
appender.file.filePattern = ${sys:pipeline.log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
"""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker is: its id and its two ports."""

    id: int
    port: int
    controller_port: int

    @property
    def address(self) -> str:
        """What clients connect to."""
        return f"{HOST}:{self.port}"


@dataclass(frozen=True, slots=True)
class JavaRuntime:
    """What runs a broker: Java, Kafka's jars, and the heap of each."""

    java: Path
    jars: Sequence[Path]
    heap: str = "512m"

    def command(self, main: str, *args: str, options: Sequence[str] = ()) -> list[str]:
        """The command that runs a main class of Kafka."""
        # On two cores the second compiler and the parallel collector cost more than they save: against
        # Kafka's own flags half the memory, half the start, two thirds of the processor time per message.
        small = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", f"-Xmx{self.heap}", "-Xms64m")
        common = ("-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData", "-Djava.awt.headless=true")
        path = ("-cp", ":".join(str(jar) for jar in self.jars))
        return [str(self.java), *small, *common, *options, *path, main, *args]


class Node:
    """A broker and controller in one process.

    Args:
        place: its id and ports.
        places: those of the whole quorum, its own among them.
        directory: its own; made when needed.
        runtime: what runs it.
        flush_each_message: whether a message is on the disk before it is confirmed.
    """

    def __init__(
        self,
        place: BrokerAddress,
        places: Sequence[BrokerAddress],
        directory: Path,
        runtime: JavaRuntime,
        *,
        flush_each_message: bool = False,
    ) -> None:
        self.place = place
        self._directory = directory
        self._runtime = runtime
        self._settings = directory / "server.properties"
        self._logs = (directory / "server.log", directory / "console.log")
        self._log_starts = (0, 0)
        self._child: Child | None = None
        self._scratch = directory / "tmp"
        for one in (directory, self._scratch):
            one.mkdir(mode=private.PRIVATE, parents=True, exist_ok=True)
        properties = _properties(place, places, directory / "log", flush_each_message=flush_each_message)
        self._settings.write_text(properties, encoding="utf-8")
        (directory / "log4j2.properties").write_text(_LOG4J, encoding="utf-8")

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child and self._child.poll() is None else None

    def format(self, cluster_id: str) -> None:
        """Make the log directory, unless it was made before.

        Raises:
            BrokerError: Kafka's own tool refuses.
        """
        if (self._directory / "log" / "meta.properties").exists():
            return
        argv = self._runtime.command(
            "kafka.tools.StorageTool",
            *("format", "--ignore-formatted", "-t", cluster_id, "-c", str(self._settings)),
        )
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
        if done.returncode:
            raise self._failure("cannot be formatted", (done.stdout + done.stderr).splitlines())

    def start(self) -> None:
        """Start the process, if it does not run; it answers some seconds later."""
        if self.pid is not None:
            return
        self._log_starts = tuple(log.stat().st_size if log.exists() else 0 for log in self._logs)  # type: ignore[assignment]
        argv = self._runtime.command(
            "kafka.Kafka",
            str(self._settings),
            options=(
                f"-Dlog4j2.configurationFile={self._directory / 'log4j2.properties'}",
                f"-Dpipeline.log={self._logs[0]}",
                # Its native libraries are unpacked there; a broker that is killed leaves them behind.
                f"-Djava.io.tmpdir={self._scratch}",
            ),
        )
        for left in self._scratch.iterdir():
            left.unlink(missing_ok=True)
        self._child = Child(argv, self._logs[1])

    def cut_log(self) -> None:
        """Cut what it prints, where that has grown long; its own log is rolled over by itself."""
        if LogFile(self._logs[1]).cut():
            self._log_starts = (self._log_starts[0], 0)

    def terminate(self) -> None:
        """Ask it to stop."""
        if self._child:
            self._child.send(signal.SIGTERM)

    def end(self, deadline: float) -> None:
        """Wait for it to stop, and kill it after `deadline` seconds."""
        if self._child:
            self._child.wait(deadline)
            self._child.kill()

    def failure(self, what: str = "stopped") -> BrokerError:
        """Why it does not run, from its own log."""
        lines: list[str] = []
        for log, start in zip(self._logs, self._log_starts, strict=True):
            if log.exists():
                with log.open("rb") as file:
                    # The log was rolled over: it is all new.
                    file.seek(start if log.stat().st_size >= start else 0)
                    lines += file.read()[-200_000:].decode(errors="replace").splitlines()
        return self._failure(what, lines)

    def _failure(self, what: str, lines: list[str]) -> BrokerError:
        text = "\n".join(lines)
        cause, hint = next(
            ((cause, hint) for pattern, cause, hint in _CAUSES if re.search(pattern, text, re.IGNORECASE)),
            ("", f"the whole log: {self._logs[0]}"),
        )
        telling = [line for line in lines if re.search(r"\b(ERROR|FATAL|Exception|Caused by)\b", line)]
        quoted = "".join(f"\n    {line[:300]}" for line in (telling or lines)[-6:])
        because = f": {cause}" if cause else ""
        return BrokerError(f"Kafka's broker {self.place.id} {what}{because}{quoted}", hint=hint)


def _properties(
    place: BrokerAddress, places: Sequence[BrokerAddress], log_dir: Path, *, flush_each_message: bool
) -> str:
    """The broker's settings: a small machine's, and no topic but those that `pipeline topics` makes."""
    replicas = min(3, len(places))
    insync = 2 if replicas > 1 else 1
    settings = {
        "process.roles": "broker,controller",
        "node.id": place.id,
        "listeners": f"PLAINTEXT://{place.address},CONTROLLER://{HOST}:{place.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{place.address}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.quorum.voters": ",".join(f"{p.id}@{HOST}:{p.controller_port}" for p in places),
        "log.dirs": log_dir,
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": insync,
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": insync,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": insync,
        "share.coordinator.state.topic.num.partitions": 1,
        # A group of one machine is complete at once.
        "group.initial.rebalance.delay.ms": 0,
        # How long a killed broker's partitions wait for another leader. Alone, its own return waits for it.
        "broker.session.timeout.ms": 5_000 if len(places) > 1 else 3_000,
        "broker.heartbeat.interval.ms": 500,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 2,
        "num.recovery.threads.per.data.dir": 2,
        "log.segment.bytes": 256 * 1024 * 1024,
        "log.index.size.max.bytes": 2 * 1024 * 1024,
        "log.cleaner.threads": 1,
        # What is to be compacted for an erasure waits for this; a look costs a millisecond.
        "log.cleaner.backoff.ms": 2_000,
        # Half of the default heap would be this buffer.
        "log.cleaner.dedupe.buffer.size": 32 * 1024 * 1024,
    }
    if flush_each_message:
        settings["log.flush.interval.messages"] = 1
    return "".join(f"{name}={value}\n" for name, value in settings.items())
