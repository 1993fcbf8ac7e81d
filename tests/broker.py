"""The broker the tests run on, and settings for it that no other test shares."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tomli_w import dumps

from pipeline import config
from pipeline.config import Settings
from pipeline.kafka import topic_check
from pipeline.kafka.address import answers
from pipeline.kafka.admin import Cluster
from pipeline.local.artefacts import KAFKA_VERSION
from pipeline.local.broker import EmbeddedKafka
from pipeline.local.ports import HOST, free_port

DOCKER_ANSWER_SECONDS = 2


@dataclass(frozen=True, slots=True)
class RunningKafka:
    """A broker for the whole session; `embedded` where it is ours to stop and kill."""

    bootstrap: str
    embedded: EmbeddedKafka | None = None


@contextlib.contextmanager
def running_kafka(directory: Path) -> Iterator[RunningKafka]:
    """A configured cluster (`PIPELINE_TEST_BOOTSTRAP`), else a container where Docker is, else our own.

    `PIPELINE_TEST_BROKER=embedded` leaves Docker out.
    """
    with contextlib.ExitStack() as stack:
        if configured := os.environ.get("PIPELINE_TEST_BOOTSTRAP"):
            yield RunningKafka(configured)
        elif os.environ.get("PIPELINE_TEST_BROKER") != "embedded" and (bootstrap := _docker(stack)):
            yield RunningKafka(bootstrap)
        else:
            embedded = stack.enter_context(EmbeddedKafka(directory))
            yield RunningKafka(embedded.bootstrap, embedded)


def _docker(stack: contextlib.ExitStack) -> str | None:
    """The address of a broker in a container; None without a daemon, or without its image."""
    if not _docker_listens():
        return None
    from docker.errors import DockerException  # noqa: PLC0415 - only where Docker is

    try:
        return stack.enter_context(_container())
    except DockerException:
        return None


def _docker_listens() -> bool:
    """Whether a daemon takes connections; Docker's own client leaks its socket where none does."""
    daemon = urlsplit(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    if daemon.scheme != "unix":
        return answers(daemon.netloc, DOCKER_ANSWER_SECONDS)
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(DOCKER_ANSWER_SECONDS)
        return probe.connect_ex(daemon.path) == 0


@contextlib.contextmanager
def _container() -> Iterator[str]:
    """Apache's own image on a host port chosen beforehand, since the broker must name it to clients."""
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - only where Docker is
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415

    port = free_port()
    environment = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{port},CONTROLLER://localhost:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{HOST}:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }
    container = DockerContainer(f"apache/kafka:{KAFKA_VERSION}").with_bind_ports(port, port)
    for name, value in environment.items():
        container = container.with_env(name, value)
    container = container.waiting_for(LogMessageWaitStrategy("Kafka Server started"))
    with container:
        yield f"{HOST}:{port}"


class KafkaSettings:
    """Builds settings on the session's broker, under a topic prefix of this test alone.

    Call it for the settings; `write` makes the file that processes under test read. Both take a tree as
    `pipeline.toml` has it, laid over the test's own.
    """

    def __init__(self, bootstrap: str, directory: Path) -> None:
        self.prefix = f"t{secrets.token_hex(4)}-"
        self.directory = directory
        self.cluster = Cluster({"bootstrap.servers": bootstrap})
        replicas = min(3, len(self.cluster.facts([]).brokers))
        self._base: dict[str, Any] = {
            "data_dir": str(directory / "data"),
            "kafka": {
                "bootstrap": bootstrap,
                "topic_prefix": self.prefix,
                "replication": replicas,
                "min_insync": min(2, replicas),
                "shop_partitions": 2,
                "account_partitions": 2,
            },
        }

    def tree(self, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The settings as a tree."""
        return _merged(self._base, extra or {})

    def __call__(self, extra: Mapping[str, Any] | None = None, *, create: bool = True) -> Settings:
        """The settings; their topics exist afterwards, unless `create` is False."""
        settings = config.parse(self.tree(extra), {})
        if create:
            topic_check.ensure(settings)
        return settings

    def write(self, extra: Mapping[str, Any] | None = None, name: str = "pipeline.toml") -> Path:
        """The settings as a file in the test's directory."""
        path = self.directory / name
        path.write_text(dumps(self.tree(extra)), encoding="utf-8")
        return path

    def remove_topics(self) -> None:
        """Delete every topic of this test, whoever made it."""
        self.cluster.delete([name for name in self.cluster.names() if name.startswith(self.prefix)])


def _merged(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in extra.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = _merged(below, value)
        else:
            result[key] = value
    return result


__all__ = ["KafkaSettings", "RunningKafka", "running_kafka"]
