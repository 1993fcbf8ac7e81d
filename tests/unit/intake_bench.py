"""An intake on a bench: Kafka is a list, the spool is real, and time is a number."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.gateway.intake import Intake
from pipeline.gateway.message import Message, Stored
from pipeline.gateway.spool import Spool
from pipeline.kafka.producer import Refused, Report
from tests.unit.queued_link import QueuedLink

TIMEOUT = 2.0
TOPIC = "shop.orders"


@dataclass
class FakeKafka:
    """A log; `up` whether it takes messages, `confirms` whether it says so, `refuses` a full queue.

    `stuck` is the key whose partition has no leader; `never` is what it refuses for good.
    """

    up: bool = True
    confirms: bool = True
    refuses: bool = False
    error: str | None = None
    stuck: bytes | None = None
    never: bytes | None = None
    locally: bool = False
    log: list[bytes] = field(default_factory=list)
    links: list[FakeLink] = field(default_factory=list)

    def connect(self) -> FakeLink:
        self.links.append(FakeLink(self))
        return self.links[-1]


class FakeLink(QueuedLink):
    """As librdkafka: a queue that is sent in order while the broker is up, reported from `poll`."""

    def __init__(self, kafka: FakeKafka) -> None:
        super().__init__()
        self.kafka = kafka
        self._unconfirmed: list[Report] = []
        self.closed = False

    def refuse(self, message: Message) -> None:
        if self.kafka.refuses:
            raise Refused("the queue is full")
        if message.body == self.kafka.never and self.kafka.locally:
            raise Refused("too large", for_good=True)

    def poll(self) -> None:
        if not self.kafka.up:
            return
        sent = [one for one in self.queue if one[0].key != self.kafka.stuck]
        self.queue = [one for one in self.queue if one[0].key == self.kafka.stuck]
        if self.kafka.error is None:
            good = [one for one in sent if one[0].body != self.kafka.never]
            self.kafka.log += [message.body for message, _ in good]
            self._unconfirmed += [report for _, report in good]
            for _, report in [one for one in sent if one[0].body == self.kafka.never]:
                report("for good", None)
        for report in self._unconfirmed if self.kafka.confirms else []:
            report(None, None)
        if self.kafka.confirms:
            self._unconfirmed.clear()
        if self.kafka.error is not None:
            for _, report in sent:
                report(self.kafka.error, None)

    def purge(self) -> None:
        self.queue.clear()
        self._unconfirmed.clear()

    def refuses(self, error: object) -> bool:
        return error == "for good"

    def probe(self, topic: str) -> str | None:  # noqa: ARG002 - the contract
        return None if self.kafka.up else "no broker answers"

    def close(self) -> None:
        self.closed = True


class Bench:
    """An intake with its dependencies."""

    def __init__(self, path: Path, kafka: FakeKafka, max_bytes: int = 1_000_000) -> None:
        self.path = path
        self.kafka = kafka
        self.now = 0.0
        self.closed = False
        self.files = Spool(path, max_bytes, [TOPIC])
        self.spool = self.files.lanes[TOPIC]
        self.intake = Intake(self.spool, kafka.connect, confirm_timeout=TIMEOUT, clock=lambda: self.now)

    def submit(self, number: int) -> asyncio.Future[Stored]:
        return self.intake.submit(Message(TOPIC, b"%d" % (number % 2), b"%d" % number, []))

    async def until_direct(self) -> None:
        """Until events go to Kafka; time passes meanwhile."""
        async with asyncio.timeout(20):
            while not self.intake.direct:
                self.now += 1
                await asyncio.sleep(0.001)

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            await self.intake.close()
            await self.files.close()


def numbers(kafka: FakeKafka) -> list[int]:
    return [int(body) for body in kafka.log]
