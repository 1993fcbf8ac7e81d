"""Messages leave Kafka's logs, and nothing else does: on a broker of one's own, whose files are searched."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tomli_w import dumps

from pipeline import config
from pipeline.config import Settings
from pipeline.gateway.produce import producer_of
from pipeline.kafka import topic_check
from pipeline.kafka.admin import Cluster
from pipeline.kafka.earlier_keys import SharedKeys
from pipeline.kafka.keys import entity_key, partition_of_key, unique_key
from pipeline.kafka.messages import LibrdkafkaMessage, TopicPartition
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.removal import RemovalProgress, finish, remove
from pipeline.kafka.settings import client_config
from pipeline.kafka.tombstones import is_being_removed_from
from pipeline.kafka.topics import Topic, table
from pipeline.kafka.unread import NotRead
from pipeline.local.broker import EmbeddedKafka
from tests.brokerfiles import lookup
from tests.processes import wait_until

pytestmark = pytest.mark.kafka

PERSON = b"maria.planted@example.org"
BODY = b"Calle del Olvido 17"
NEEDLES = (PERSON, BODY)
HEADERS = [("pipeline-store", b"acme-es")]


class Kept(NamedTuple):
    """What must stay of a message."""

    place: TopicPartition
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class Bench:
    """A broker, and topics of a prefix of their own."""

    def __init__(self, directory: Path, kafka: EmbeddedKafka) -> None:
        self.directory = directory
        self.kafka = kafka

    def settings(self, prefix: str, *, embedded: bool = False) -> Settings:
        """Settings whose topics exist; `embedded`: the broker is not named, as in `pipeline up`."""
        tree = {
            "data_dir": str(self.directory),
            "kafka": {"topic_prefix": prefix, "shop_partitions": 2, "account_partitions": 2}
            | ({} if embedded else {"bootstrap": self.kafka.bootstrap}),
        }
        (self.directory / f"{prefix}.toml").write_text(dumps(tree), encoding="utf-8")
        settings = config.parse(tree, {})
        topic_check.ensure(settings)
        return settings

    def lookup(self, *values: bytes) -> dict[bytes, list[str]]:
        """Where values lie in the broker's files."""
        return lookup(self.directory / "kafka", values)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    directory = tmp_path_factory.mktemp("removal")
    with EmbeddedKafka(directory) as kafka:
        yield Bench(directory, kafka)


def _send(settings: Settings, messages: list[Outgoing]) -> None:
    producer = Producer(client_config(settings), max_message_bytes=settings.kafka.max_message_bytes)
    producer.send_all(messages)


def _all(settings: Settings, *topics: str) -> list[Kept]:
    """What readers of topics see."""
    with RangeReader(client_config(settings)) as reader:
        found = [
            Kept(batch.place, message.offset, message.key, message.value, list(message.headers))
            for batch in reader.read(reader.ranges(*topics))
            for message in map(LibrdkafkaMessage.of, batch.raw)
        ]
    return sorted(found, key=lambda one: (one.place, one.offset))


def _is_persons(message: Kept) -> bool:
    return any(needle in (message.key or b"") + (message.value or b"") for needle in NEEDLES)


def _planted(topic: Topic, count: int = 300) -> list[Outgoing]:
    """Messages of many, and of one person now and then, on a topic."""
    is_table = "compact" in topic.config["cleanup.policy"]
    made = []
    for number in range(count):
        persons = number % 50 == 7
        about = b"acme-es|contact|%s" % PERSON if persons else b"acme-es|order|%d" % (number // 3)
        value = b'{"street": "%s", "n": %d}' % (BODY if persons else b"Elsewhere 1", number)
        # On one of the topics they are of version 0.2.
        key = about if is_table or topic.name.endswith("shop.customers") else unique_key(about)
        made.append(Outgoing(topic.name, value, key, partition_of_key(about, topic.partitions), HEADERS))
    return made


def _keys(messages: list[Kept]) -> dict[TopicPartition, set[bytes]]:
    found: dict[TopicPartition, set[bytes]] = {}
    for message in messages:
        if _is_persons(message):
            found.setdefault(message.place, set()).add(message.key or b"")
    return found


def _configs(settings: Settings) -> dict[str, dict[str, str]]:
    return Cluster(client_config(settings)).overrides(topic.name for topic in table(settings))


def _newest(messages: list[Kept]) -> dict[tuple[TopicPartition, bytes | None], bytes | None]:
    return {(message.place, message.key): message.value for message in messages}


@pytest.mark.slow
def test_a_person_leaves_every_topic_and_everybody_else_stays_byte_for_byte(bench: Bench) -> None:
    settings = bench.settings("all-", embedded=True)
    topics = table(settings)
    _send(settings, [message for topic in topics for message in _planted(topic)])
    configs = _configs(settings)
    histories = [topic.name for topic in topics if "compact" not in topic.config["cleanup.policy"]]
    before = _all(settings, *(topic.name for topic in topics))
    assert set(bench.lookup(*NEEDLES)) == set(NEEDLES)
    keys = _keys(before)
    assert {place.topic for place in keys} == {topic.name for topic in topics}

    told: list[RemovalProgress] = []
    done = remove(settings, keys, read_within=None, file_delay_ms=100, progress=told.append)

    assert done.keys == sum(map(len, keys.values()))
    assert told[-1].done == told[-1].partitions >= done.partitions
    wait_until(lambda: not bench.lookup(*NEEDLES), 20)
    after = _all(settings, *(topic.name for topic in topics))
    stay = [message for message in before if not _is_persons(message)]
    assert [one for one in after if one.place.topic in histories] == [
        one for one in stay if one.place.topic in histories
    ]
    assert _newest(after) == _newest(stay)
    assert _configs(settings) == configs
    assert topic_check.verify(settings).problems == ()


@pytest.mark.slow
def test_what_is_repeated_finds_nothing_to_do_and_does_no_harm(bench: Bench) -> None:
    settings = bench.settings("again-")
    [orders, *_] = table(settings)
    _send(settings, _planted(orders))
    before = _all(settings, orders.name)
    keys = _keys(before)
    for _ in range(2):
        remove(settings, keys, read_within=None, file_delay_ms=100)
        assert _all(settings, orders.name) == [one for one in before if not _is_persons(one)]
    assert finish(settings).topics == []


_REMOVE = """
import sys
from pathlib import Path
from pipeline import config
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.removal import remove
settings = config.load(Path(sys.argv[1]))
keys = {}
for line in sys.stdin:
    topic, partition, key = line.split()
    keys.setdefault(TopicPartition(topic, int(partition)), set()).add(bytes.fromhex(key))
print("begins", flush=True)
remove(settings, keys, read_within=None, file_delay_ms=100, progress=lambda p: print(*p, flush=True))
"""


@pytest.mark.slow
def test_one_that_is_killed_is_brought_to_its_end_by_another_process(bench: Bench) -> None:
    settings = bench.settings("killed-")
    [orders, *_] = table(settings)
    _send(settings, _planted(orders))
    before, configs = _all(settings, orders.name), _configs(settings)
    keys = _keys(before)
    lines = "".join(
        f"{topic} {number} {key.hex()}\n" for (topic, number), all_ in keys.items() for key in all_
    )
    with subprocess.Popen(
        [sys.executable, "-c", _REMOVE, str(bench.directory / "killed-.toml")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(lines)
        process.stdin.close()
        for line in process.stdout:
            if line.split()[0].isdigit():  # it is past the tombstones, and the settings are switched
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = Cluster(client_config(settings)).facts([orders.name]).topics[orders.name]
    assert is_being_removed_from(found.config)
    # Meanwhile nothing else is in the way: a worker may start.
    assert topic_check.verify(settings).problems == ()

    assert finish(settings).topics == [orders.name]

    assert _configs(settings) == configs
    assert _all(settings, orders.name) == [one for one in before if not _is_persons(one)]
    wait_until(lambda: "killed-" not in str(bench.lookup(*NEEDLES)), 20)


@pytest.mark.slow
def test_events_of_version_0_2_that_share_keys_stay_on_the_embedded_broker(bench: Bench) -> None:
    settings = bench.settings("shared-", embedded=True)
    [orders, *_] = table(settings)
    _send(settings, [message._replace(key=entity_key(message.key or b"")) for message in _planted(orders)])
    before = _all(settings, orders.name)
    keys = _keys(before)
    for _ in range(2):
        remove(settings, keys, read_within=None, file_delay_ms=100)
        assert _all(settings, orders.name) == [one for one in before if not _is_persons(one)]


@pytest.mark.slow
def test_another_cluster_is_not_let_to_lose_them_unless_that_is_allowed(bench: Bench) -> None:
    settings = bench.settings("lose-")
    [orders, *_] = table(settings)
    _send(settings, [message._replace(key=entity_key(message.key or b"")) for message in _planted(orders)])
    before = _all(settings, orders.name)
    with pytest.raises(SharedKeys):
        remove(settings, _keys(before), read_within=None)
    assert _all(settings, orders.name) == before
    remove(settings, _keys(before), read_within=None, lose_earlier=True, file_delay_ms=100)
    newest = _newest([one for one in before if not _is_persons(one)])
    assert _newest(_all(settings, orders.name)) == newest


def test_nothing_is_removed_that_a_stage_has_not_read(bench: Bench) -> None:
    settings = bench.settings("unread-")
    [orders, *_] = table(settings)
    _send(settings, _planted(orders))
    before = _all(settings, orders.name)
    with pytest.raises(NotRead, match="pipeline-translate"):
        remove(settings, _keys(before), read_within=0.5)
    assert _all(settings, orders.name) == before


def test_each_event_of_the_gateway_has_a_key_of_its_own_in_its_entitys_partition(bench: Bench) -> None:
    settings = bench.settings("keys-")
    [orders, *_] = table(settings)
    producer, confirmed = producer_of(settings), list[object]()
    abouts = [b"acme-es|order|%d" % (number // 2) for number in range(40)]
    for about in abouts:
        producer.send(orders.name, b"{}", about, None, HEADERS, lambda error, _: confirmed.append(error))
    assert producer.flush(30) == 0
    assert confirmed == [None] * 40
    found = _all(settings, orders.name)
    assert len({one.key for one in found}) == 40
    assert sorted(entity_key(one.key or b"") for one in found) == sorted(abouts)
    for one in found:
        assert one.place.partition == partition_of_key(entity_key(one.key or b""), 2)
    producer.close()


@pytest.mark.slow
def test_followers_are_compacted_as_leaders_are(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path, brokers=3, heap="256m") as kafka:
        own = {"bootstrap": kafka.bootstrap, "replication": 3, "min_insync": 2, "shop_partitions": 2}
        settings = config.parse({"data_dir": str(tmp_path), "kafka": {**own, "account_partitions": 2}}, {})
        topic_check.ensure(settings)
        [orders, *_] = table(settings)
        _send(settings, _planted(orders))
        before = _all(settings, orders.name)
        remove(settings, _keys(before), read_within=None, file_delay_ms=100)
        wait_until(lambda: not lookup(tmp_path / "kafka", NEEDLES), 30)
        assert _all(settings, orders.name) == [one for one in before if not _is_persons(one)]
