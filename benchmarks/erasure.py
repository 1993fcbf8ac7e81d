"""What an erasure costs, and what keys of their own cost: `python -m benchmarks.erasure --events 1000000`.

The baseline is the bare copying of the same files, and for the hot path the producer with shared keys.
"""

from __future__ import annotations

import os
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.arguments import argument_parser
from pipeline import config
from pipeline.config import Settings
from pipeline.kafka import topic_check
from pipeline.kafka.keys import partition_of_key, unique_key
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.removal import remove
from pipeline.kafka.settings import client_config
from pipeline.local.broker import EmbeddedKafka

PARTITIONS = 4
#: A body: what bodies have in common, and what they have not.
COMMON, OWN = b'{"line_items": [], "note": ""}' * 66, 1_000
HEADERS = [(f"pipeline-{name}", b"something") for name in "abcdefghi"]
PERSONS = 10


def main() -> None:
    """Print everything."""
    parser = argument_parser(__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    events = parser.parse_args().events
    print(f"load before {os.getloadavg()[0]:.1f}")
    _hot_path()
    with tempfile.TemporaryDirectory() as directory, EmbeddedKafka(Path(directory)) as broker:
        own = {"bootstrap": broker.bootstrap, "shop_partitions": PARTITIONS}
        settings = config.parse({"data_dir": directory, "kafka": own}, {})
        topic_check.ensure(settings)
        [pid] = broker.pids.values()
        measured = _Measured(Path(directory), pid)
        few = min(events, 200_000)
        for _ in range(2):
            for name, with_own in (("shop.customers", False), ("shop.products", True)):
                measured.begin()
                _produce(settings, name, few, own_keys=with_own)
                measured.say(f"{few:,} events, {'keys of their own' if with_own else 'shared keys'}", few)
        for name in ("shop.customers", "shop.products"):
            print(f"  {name}: {measured.size(name) / few / 2:,.0f} bytes an event on disk")
        persons = _produce(settings, "shop.orders", events, own_keys=True)
        size = measured.size("shop.orders")
        print(f"{events:,} events are {size / 1e6:,.0f} MB, {size / events:,.0f} bytes an event")
        for _ in range(2):
            measured.begin()
            measured.copy("shop.orders")
            measured.say(f"bare copying, {size / 1e6:,.0f} MB", events)
        for time_ in ("first", "second"):
            measured.begin()
            some = {place: keys[:PERSONS] for place, keys in persons.items()}
            done = remove(settings, some, read_within=None, file_delay_ms=1_000)
            measured.say(f"{time_} erasure, {done.keys} events of a person, {done.seconds:.0f} s", events)
            persons = {place: keys[PERSONS:] for place, keys in persons.items()}
        measured.begin()
        time.sleep(20)
        measured.say("a broker at rest, 20 s", events)


class _Measured:
    """Time, processor time and bytes written, of this process and of the broker."""

    def __init__(self, directory: Path, pid: int) -> None:
        self._directory = directory
        self._broker = psutil.Process(pid)

    def begin(self) -> None:
        """From now on."""
        self._wall, self._own = time.perf_counter(), time.process_time()
        self._cpu, self._written = self._of_broker()

    def _of_broker(self) -> tuple[float, int]:
        return sum(self._broker.cpu_times()[:2]), self._broker.io_counters().write_chars

    def say(self, what: str, events: int) -> None:
        """What it took since."""
        wall, own = time.perf_counter() - self._wall, time.process_time() - self._own
        cpu, written = self._of_broker()
        cpu, written = cpu - self._cpu, written - self._written
        print(
            f"{what:60} {wall:7.1f} s  ours {own:6.2f} s  broker {cpu:6.1f} s, {cpu / events * 1e6:6.2f} "
            f"us an event, {written / 1e6:8,.0f} MB written"
        )

    def _files(self, topic: str) -> Iterator[Path]:
        return (self._directory / "kafka").glob(f"broker-*/log/{topic}-*/*.log")

    def size(self, topic: str) -> int:
        """The bytes of a topic's segments."""
        return sum(path.stat().st_size for path in self._files(topic))

    def copy(self, topic: str) -> None:
        """Read and write the topic's segments once."""
        with tempfile.TemporaryDirectory(dir=self._directory) as there:
            for number, path in enumerate(self._files(topic)):
                with path.open("rb") as read, (Path(there) / str(number)).open("wb") as write:
                    while part := read.read(1 << 20):
                        write.write(part)
                    os.fsync(write.fileno())


def _hot_path() -> None:
    key, body = b"shop-one|order|5678901234567", COMMON + os.urandom(OWN)
    cipher, nonce = AESGCM(AESGCM.generate_key(128)), os.urandom(12)
    for what, work in (
        ("the partition of a key", lambda: partition_of_key(key, 12)),
        ("a key of its own", lambda: unique_key(key)),
        ("AES-GCM of a body of 3 KB", lambda: cipher.encrypt(nonce, body, None)),
    ):
        began, count = resource.getrusage(resource.RUSAGE_SELF).ru_utime, 100_000
        for _ in range(count):
            work()
        spent = resource.getrusage(resource.RUSAGE_SELF).ru_utime - began
        print(f"{what:60} {spent / count * 1e6:6.2f} us")


def _produce(
    settings: Settings, topic: str, events: int, *, own_keys: bool
) -> dict[TopicPartition, list[bytes]]:
    """Send events; returns keys of a person's, by partition."""
    persons: dict[TopicPartition, list[bytes]] = {}
    pool = random.Random(1).randbytes(1 << 20).hex().encode()  # noqa: S311 - no secret

    def made() -> Iterator[Outgoing]:
        for number in range(events):
            about = b"shop-one|order|%d" % (5_000_000_000 + number // 3)
            key = unique_key(about) if own_keys else about
            partition = partition_of_key(about, PARTITIONS)
            if number % (events // 200) == 0:
                persons.setdefault(TopicPartition(topic, partition), []).append(key)
            at = number * 997 % (len(pool) - OWN)
            yield Outgoing(topic, COMMON + pool[at : at + OWN], key, partition, HEADERS)

    Producer(client_config(settings), max_message_bytes=settings.kafka.max_message_bytes).send_all(made())
    return persons


if __name__ == "__main__":
    main()
