"""The gateway as a process, shops that send to it, and what Kafka has in the end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol, Self

import httpx
import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from pipeline.config import Settings
from pipeline.events import Kind, RawEvent
from pipeline.kafka.topics import full_name
from pipeline.local.gateways import admin_port
from tests import local_http
from tests.integration.operating import PORTS, free_ports
from tests.processes import until
from tests.webhooks import STORES, http, order, shopify

PATH = "/webhooks/shopify/acme-es"
#: Settings under which Kafka's slowness on a busy machine does not look like a repetition by a restart.
PATIENT = {**STORES, "gateway": {"confirm_timeout": 8, "drain_timeout": 10}}


class GatewayProcess:
    """`pipeline gateway` with these options, on the same ports in all its lives.

    Attributes:
        url: where shops are answered.
        admin: where operators are.
    """

    def __init__(self, config_path: Path, *options: str) -> None:
        self._config_path = config_path
        self._options = options
        self.port = free_ports(PORTS)
        self.url = f"http://127.0.0.1:{self.port}"
        self.admin = f"http://127.0.0.1:{admin_port(self.port)}"
        self._process: subprocess.Popen[bytes] | None = None
        self._log = config_path.with_suffix(f".{self.port}.log")

    @property
    def log(self) -> str:
        """All it wrote, in all its lives."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    async def start(self) -> None:
        """Start it and wait until it takes traffic."""
        command = [sys.executable, "-m", "pipeline", "gateway", "--config", str(self._config_path)]
        command += self._options
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*command, "--port", str(self.port)], stdout=log, stderr=log)
        await until(self.is_ready)

    def is_ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return local_http.http.get(f"{self.url}/readyz").is_success
        return False

    def readiness(self) -> tuple[int, str]:
        """What /readyz says to operators."""
        answer = local_http.http.get(f"{self.admin}/readyz")
        return answer.status_code, answer.text

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a series over its other labels."""
        families = text_string_to_metric_families(local_http.http.get(f"{self.admin}/metrics").text)
        samples = [s for family in families for s in family.samples if s.name == name]
        return sum(s.value for s in samples if labels.items() <= s.labels.items())

    async def until_drained(self) -> None:
        """Until Kafka has confirmed everything that was in the spool."""
        await until(lambda: self.metric("pipeline_gateway_spool_events") == 0, 40)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal that does not end it."""
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, how: signal.Signals) -> int:
        """End it; the exit code."""
        assert self._process is not None
        self._process.send_signal(how)
        code = self._process.wait(30)
        self._process = None
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.end(signal.SIGKILL)


class OnPort(Protocol):
    """What listens on a port of this machine."""

    @property
    def port(self) -> int: ...


class Shops:
    """Many shops that send one event after the other, each for an order of its own; they keep no event.

    Attributes:
        promised: for each order, the numbers of the events that were answered 2xx.
        answers: how often each status came; 0 for none.
        refused: how many connections were.
    """

    def __init__(self, gateway: OnPort, count: int = 16, padding: int = 3_000) -> None:
        self._gateway = gateway
        self._padding = padding
        self._next = dict.fromkeys(range(1, count + 1), 0)
        self.promised: dict[int, list[int]] = {number: [] for number in self._next}
        self.answers: dict[int, int] = {}
        self.refused = 0

    @contextlib.asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """They send as fast as they are answered."""
        tasks = [asyncio.create_task(self._send(ident)) for ident in self._next]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def kept(self) -> int:
        """How many events were answered 2xx."""
        return sum(map(len, self.promised.values()))

    async def until_kept(self, more: int) -> None:
        """Until so many more are."""
        wanted = self.kept + more
        await until(lambda: self.kept >= wanted, 40)

    async def _send(self, ident: int) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._gateway.port)
            except OSError:
                self.refused += 1
                await asyncio.sleep(0.02)
                continue
            try:
                while await self._one(ident, reader, writer):
                    pass
            finally:
                writer.close()

    async def _one(self, ident: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self._next[ident] += 1
        number = self._next[ident]
        body = event_body(ident, number, self._padding)
        status = 0
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            writer.write(http(PATH, shopify(body, delivery=f"{ident}-{number}"), body))
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head.split()[1])
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
        self.answers[status] = self.answers.get(status, 0) + 1
        if status == 200:
            self.promised[ident].append(number)
        return status != 0


def event_body(ident: int, number: int, padding: int) -> bytes:
    """The number-th event of an order."""
    body: bytes = orjson.dumps({**orjson.loads(order(ident, padding)), "number": number})
    return body


def events(settings: Settings, kind: Kind = Kind.ORDER, seconds: float = 30) -> list[RawEvent]:
    """Everything a topic holds, each partition in its order."""
    client = {"bootstrap.servers": settings.kafka.bootstrap, "group.id": uuid.uuid4().hex}
    consumer = Consumer({**client, "enable.auto.commit": False, "isolation.level": "read_committed"})
    topic, found = full_name(settings, kind.topic), list[RawEvent]()
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        left = 0
        for partition in partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
            left += high - low
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
        until_when = time.monotonic() + seconds
        while len(found) < left and time.monotonic() < until_when:
            for message in consumer.consume(500, timeout=0.2):
                assert message.error() is None
                found.append(RawEvent.from_kafka(message.value(), message.headers()))
        assert len(found) == left
    finally:
        consumer.close()
    return found


def check_arrived(shops: Shops, arrived: list[RawEvent]) -> int:
    """Nothing promised is missing, and each order's events came first in their order; how many came again."""
    numbers: dict[int, list[int]] = {}
    for event in arrived:
        numbers.setdefault(int(event.entity), []).append(orjson.loads(event.body)["number"])
    for ident, promised in shops.promised.items():
        came = list(dict.fromkeys(numbers.get(ident, [])))
        assert set(promised) <= set(came), f"order {ident} lacks {set(promised) - set(came)}"
        assert came == sorted(came), f"order {ident} came as {came}"
    return len(arrived) - len({(event.entity, event.delivery) for event in arrived})
