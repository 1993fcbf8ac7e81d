"""A real Apache Kafka of one's own, with nothing installed but Python: for tests, the demo, one machine."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import time
import uuid
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import IO, Literal, Self

from pipeline import private
from pipeline.errors import BrokerError
from pipeline.kafka.address import address_file, answers, lock_file
from pipeline.kafka.admin import Cluster
from pipeline.local.artefacts import class_path
from pipeline.local.java import find_java
from pipeline.local.node import BrokerAddress, JavaRuntime, Node
from pipeline.local.ports import HOST, free_port, is_free

LEAST_FREE_BYTES = 300_000_000
#: For one that comes back: it has its files, and what waits for it may be all that fills the disk.
LEAST_FREE_BYTES_AGAIN = 50_000_000


class EmbeddedKafka:
    """One broker, or three that form a quorum, on 127.0.0.1.

    Its data, ports and identity lie in `<data_dir>/kafka`, so that it comes back as it was, at the same
    address, after a stop or a kill -9. While it runs, that directory's file `bootstrap` holds its address.

    Args:
        data_dir: as in the settings.
        brokers: 1 or 3; None: as the directory was made, else 1.
        port: of the first broker, the others follow; 0: free ones, kept from start to start.
        java: which Java is preferred.
        flush_each_message: whether each message is on the disk before it is confirmed.
        heap: Java's heap, for each broker.
        reserved: ports that are others', whether they listen there yet or not.
        say: called with what takes long.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        brokers: int | None = None,
        port: int = 0,
        java: Literal["bundled", "system"] = "bundled",
        flush_each_message: bool = False,
        heap: str = "512m",
        reserved: Collection[int] = (),
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        if brokers not in (None, 1, 3):
            raise BrokerError(f"{brokers} brokers: the embedded Kafka has 1 or 3", field="brokers")
        self._directory = (data_dir / "kafka").absolute()
        self._address = address_file(data_dir)
        self._brokers = brokers
        self._port = port
        self._java = java
        self._flush_each_message = flush_each_message
        self._heap = heap
        self._reserved = frozenset(reserved)
        self._say = say
        self._lock: IO[str] | None = None
        self._nodes: dict[int, Node] = {}

    @property
    def bootstrap(self) -> str:
        """The bootstrap servers; empty before the first start."""
        return ",".join(node.place.address for node in self._nodes.values())

    @property
    def pids(self) -> dict[int, int]:
        """The process ids of the brokers that run, by broker id (1, 2, 3)."""
        return {broker: pid for broker, node in self._nodes.items() if (pid := node.pid) is not None}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, timeout: float = 90.0) -> str:
        """Start every broker that does not run and wait, `timeout` seconds, until all of them answer.

        Returns:
            The bootstrap servers.

        Raises:
            BrokerError: a port is taken, the directory is in use or cannot be written, the disk is full,
                there is no Java, Kafka cannot be fetched, or a broker stopped: with the end of its log.
        """
        with contextlib.ExitStack() as undo:
            undo.callback(self._abandon)
            try:
                if not self._nodes:
                    self._prepare()
                for node in self._nodes.values():
                    node.start()
                self._await_answer(time.monotonic() + timeout)
                self._address.write_text(self.bootstrap + "\n", encoding="utf-8")
            except OSError as error:
                raise BrokerError(
                    f"{error.filename or self._directory} cannot be used: {error.strerror}",
                    hint="correct it, or choose another data_dir",
                ) from error
            undo.pop_all()
        return self.bootstrap

    def stop(self) -> None:
        """Stop every broker cleanly; those still there after their time are killed, which harms no data.

        A lone broker is given 30 s. Of three, the last ones may have lost the quorum they ask for leave, and
        would wait for minutes: all have 10 s together.
        """
        self._address.unlink(missing_ok=True)
        for node in self._nodes.values():
            node.terminate()
        until = time.monotonic() + (30 if len(self._nodes) == 1 else 10)
        for node in self._nodes.values():
            node.end(max(0.0, until - time.monotonic()))
        self._release()

    def kill(self, broker: int | None = None) -> None:
        """Kill -9 one broker, or all."""
        for number, node in self._nodes.items():
            if broker in (None, number):
                node.end(0)

    def restart(self, broker: int, timeout: float = 60.0) -> None:
        """Start one broker again, stopping it first if it runs, and wait until all that run answer.

        Raises:
            BrokerError: as in `start`.
        """
        node = self._nodes[broker]
        node.terminate()
        node.end(timeout)
        node.start()
        self._await_answer(time.monotonic() + timeout, set(self.pids))

    def cut_logs(self) -> None:
        """Keep what the brokers print from filling the disk."""
        for node in self._nodes.values():
            node.cut_log()

    def last_words(self) -> str:
        """How the brokers that do not run ended."""
        ended = [str(node.failure()) for node in self._nodes.values() if node.pid is None]
        return "\n".join(ended) or "Kafka's broker stopped"

    def check(self) -> None:
        """Check that every broker still runs.

        Raises:
            BrokerError: one stopped by itself, with the last lines of its log.
        """
        for node in self._nodes.values():
            if node.pid is None:
                raise node.failure()

    def _prepare(self) -> None:
        """All that can go wrong before a broker runs, in the order of what it costs to find out."""
        self._directory.mkdir(mode=private.PRIVATE, parents=True, exist_ok=True)
        self._directory.chmod(private.PRIVATE)
        self._take_lock()
        self._address.unlink(missing_ok=True)  # whoever was killed has left it, and we may get another
        free = shutil.disk_usage(self._directory).free
        known = (self._directory / "cluster.json").exists()
        if free < (LEAST_FREE_BYTES if not known else LEAST_FREE_BYTES_AGAIN):
            raise BrokerError(
                f"{self._directory} has {free // 1_000_000} MB of free disk, too little for a broker",
                hint="make room, or choose another data_dir",
            )
        cluster_id, places = self._plan()
        runtime = JavaRuntime(find_java(self._java), class_path(self._say), self._heap)
        nodes = [
            Node(
                place,
                places,
                self._directory / f"broker-{place.id}",
                runtime,
                flush_each_message=self._flush_each_message,
            )
            for place in places
        ]
        with ThreadPoolExecutor(len(nodes)) as pool:
            list(pool.map(lambda node: node.format(cluster_id), nodes))
        self._nodes = {node.place.id: node for node in nodes}

    def _take_lock(self) -> None:
        try:
            self._lock = private.hold(lock_file(self._directory.parent), "the embedded broker", "stop it")
        except private.InUse as error:
            raise BrokerError(
                f"an embedded broker runs in {self._directory} already: {error.holder}",
                hint="stop it, or choose another data_dir",
            ) from error

    def _abandon(self) -> None:
        """Nothing is left running by a start that failed."""
        self.kill()
        self._release()

    def _release(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None
        self._nodes = {}

    def _plan(self) -> tuple[str, list[BrokerAddress]]:
        """The cluster's identity and addresses: those of the last time where there was one."""
        file = self._directory / "cluster.json"
        old = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
        known = [BrokerAddress(**place) for place in old["brokers"]] if old else []
        count = self._brokers or len(known) or 1
        if known and count != len(known):
            raise BrokerError(
                f"{self._directory} holds a cluster of {len(known)} broker(s), not {count}",
                hint="leave --brokers out, or choose another data_dir",
            )
        cluster_id = old["id"] if old else _new_cluster_id()
        places = self._places(known, count)
        content = json.dumps({"id": cluster_id, "brokers": [asdict(place) for place in places]})
        partial = file.with_suffix(".partial")
        partial.write_text(content, encoding="utf-8")
        partial.replace(file)
        return cluster_id, places

    def _places(self, known: list[BrokerAddress], count: int) -> list[BrokerAddress]:
        """Ports asked for must be free; those of the last time are kept if they are."""
        asked = [self._port + index if self._port else 0 for index in range(count)]
        for port in asked:
            if port and not is_free(port):
                raise BrokerError(
                    f"port {port} on {HOST} is taken", hint="choose another --port, or 0 for any free one"
                )
        taken = self._reserved | set(asked)
        places = []
        for index in range(count):
            old = known[index] if known else BrokerAddress(index + 1, 0, 0)
            port = asked[index] or _keep_or_choose(old.port, taken)
            controller_port = _keep_or_choose(old.controller_port, taken | {port})
            taken = taken | {port, controller_port}
            places.append(BrokerAddress(index + 1, port, controller_port))
        return places

    def _await_answer(self, until: float, brokers: set[int] | None = None) -> None:
        """Until the named brokers take connections and the cluster counts them; None: all, for all data."""
        awaited = [node for broker, node in self._nodes.items() if brokers is None or broker in brokers]
        cluster: Cluster | None = None
        while True:
            for node in awaited:
                if node.pid is None:
                    raise node.failure("did not start")
            if cluster or all(answers(node.place.address) for node in awaited):
                cluster = cluster or Cluster({"bootstrap.servers": self.bootstrap}, timeout=2)
                if cluster.serves({node.place.id for node in awaited}, every_partition=brokers is None):
                    return
            if time.monotonic() > until:
                raise awaited[0].failure("does not answer")
            time.sleep(0.05)


def _new_cluster_id() -> str:
    """As Kafka makes them: never with a dash in front, which its own tool takes for an option."""
    while (made := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return made


def _keep_or_choose(port: int, taken: frozenset[int]) -> int:
    return port if port and port not in taken and is_free(port) else free_port(taken)
