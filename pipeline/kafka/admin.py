"""What a Kafka cluster says about itself, and the few changes this program makes to it.

Thin by intent: which facts are good and which changes are safe is decided in `kafka.topic_check`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ClusterMetadata,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewTopic,
    ResourceType,
    TopicMetadata,
)

from pipeline.errors import BrokerError
from pipeline.kafka.errors import LastComplaint, client_log, code_of, in_words, unusable

OFFSETS_TOPIC = "__consumer_offsets"


@dataclass(frozen=True, slots=True)
class ExistingTopic:
    """A topic as it is; `replication` is that of its least replicated partition."""

    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Facts:
    """The brokers that are up with their settings, and those of the named topics that exist.

    `brokers` maps a broker's id to its settings, or to None where we may not read them.
    `offsets_replication` is None until the first consumer group exists.
    """

    brokers: Mapping[int, Mapping[str, str] | None]
    topics: Mapping[str, ExistingTopic] = field(default_factory=dict)
    offsets_replication: int | None = None


@dataclass(frozen=True, slots=True)
class PartitionState:
    """A partition as a broker tells of it; `leader` is -1 where it has none."""

    topic: str
    number: int
    leader: int
    replicas: tuple[int, ...]
    in_step: tuple[int, ...]

    @property
    def name(self) -> str:
        """For a person."""
        return f"{self.topic}-{self.number}"


class Cluster:
    """An admin connection.

    Args:
        config: librdkafka settings, from `kafka.settings.client_config`.
        timeout: seconds an answer may take.

    Every method raises BrokerError when the cluster does not answer or refuses.
    """

    def __init__(self, config: Mapping[str, str | int | float | bool], timeout: float = 15.0) -> None:
        self._servers = str(config["bootstrap.servers"])
        self._timeout = timeout
        self._complaint = LastComplaint()
        try:
            self._admin = AdminClient(
                {**config, "error_cb": self._complaint.remember, "log.connection.close": False},
                logger=client_log,
            )
        except KafkaException as error:
            raise unusable(error) from error

    def facts(self, names: Iterable[str]) -> Facts:
        """Read what is there."""
        metadata = self._metadata()
        present = [name for name in names if _exists(metadata.topics.get(name))]
        brokers = [ConfigResource(ResourceType.BROKER, str(broker)) for broker in metadata.brokers]
        topics = [ConfigResource(ResourceType.TOPIC, name) for name in present]
        # Each broker answers for itself alone, in a call of its own; one call is enough for all topics.
        calls = [*([broker] for broker in brokers), *([topics] if topics else [])]
        configs: dict[ConfigResource, Future[dict[str, ConfigEntry]]] = {}
        for resources in calls:
            configs |= self._admin.describe_configs(resources, request_timeout=self._timeout)
        offsets = metadata.topics.get(OFFSETS_TOPIC)
        return Facts(
            brokers={int(broker.name): self._config_or_none(configs[broker]) for broker in brokers},
            topics={
                topic.name: ExistingTopic(
                    partitions=len(metadata.topics[topic.name].partitions),
                    replication=_replication(metadata.topics[topic.name]),
                    config=self._config(configs[topic]),
                )
                for topic in topics
            },
            offsets_replication=_replication(offsets) if offsets and _exists(offsets) else None,
        )

    def create(self, topics: list[NewTopic]) -> None:
        """Create topics; one that another process creates at the same moment is no error."""
        if not topics:
            return
        futures = self._admin.create_topics(
            topics, request_timeout=self._timeout, operation_timeout=self._timeout
        )
        for name, future in futures.items():
            self._result(future, f"topic {name} cannot be created", KafkaError.TOPIC_ALREADY_EXISTS)

    def overrides(self, topics: Iterable[str]) -> dict[str, dict[str, str]]:
        """The settings that topics have of their own, not from the brokers."""
        asked = [ConfigResource(ResourceType.TOPIC, name) for name in topics]
        found = self._admin.describe_configs(asked, request_timeout=self._timeout) if asked else {}
        own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        return {
            topic.name: {
                name: entry.value
                for name, entry in (self._result(future, "the settings cannot be read") or {}).items()
                if entry.source == own and entry.value is not None
            }
            for topic, future in found.items()
        }

    def alter(self, changes: Mapping[str, Mapping[str, str | None]]) -> None:
        """Set the given settings of topics, leaving all others; None gives one back to the brokers."""
        resources = [
            ConfigResource(
                ResourceType.TOPIC,
                topic,
                incremental_configs=[
                    ConfigEntry(
                        name,
                        value,
                        incremental_operation=AlterConfigOpType.DELETE
                        if value is None
                        else AlterConfigOpType.SET,
                    )
                    for name, value in config.items()
                ],
            )
            for topic, config in changes.items()
        ]
        if not resources:
            return
        futures = self._admin.incremental_alter_configs(resources, request_timeout=self._timeout)
        for resource, future in futures.items():
            self._result(future, f"topic {resource.name} cannot be altered")

    def delete(self, names: list[str]) -> None:
        """Delete topics; one that is not there is no error."""
        if not names:
            return
        for name, future in self._admin.delete_topics(names, request_timeout=self._timeout).items():
            self._result(
                future,
                f"topic {name} cannot be deleted",
                KafkaError.UNKNOWN_TOPIC_OR_PART,  # as wanted
            )

    def names(self) -> list[str]:
        """The names of all topics."""
        return sorted(self._metadata().topics)

    def partitions(self, names: Iterable[str]) -> list[PartitionState]:
        """Those of the named topics that exist."""
        found = self._metadata().topics
        topics = [found[name] for name in names if _exists(found.get(name))]
        return [
            PartitionState(topic.topic, number, part.leader, tuple(part.replicas), tuple(part.isrs))
            for topic in topics
            for number, part in topic.partitions.items()
        ]

    def await_leaders(self, names: Iterable[str], deadline: float = 30.0) -> None:
        """Wait until every partition of the named topics can be written to; `deadline` in seconds."""
        wanted, until = set(names), time.monotonic() + deadline
        while True:
            topics = self._metadata().topics
            wanted = {name for name in wanted if not _is_led(topics.get(name))}
            if not wanted:
                return
            if time.monotonic() > until:
                raise BrokerError(f"no leader for {', '.join(sorted(wanted))} after {deadline:g} s")
            time.sleep(0.05)

    def serves(self, brokers: set[int], *, every_partition: bool) -> bool:
        """Whether it counts these brokers as alive, and, where asked, has a leader for all it holds."""
        try:
            found = self._admin.list_topics(timeout=self._timeout)
        except KafkaException:
            return False
        led = all(part.leader >= 0 for topic in found.topics.values() for part in topic.partitions.values())
        return brokers <= found.brokers.keys() and (led or not every_partition)

    def _metadata(self) -> ClusterMetadata:
        try:
            return self._admin.list_topics(timeout=self._timeout)
        except KafkaException as error:
            raise self._broken("Kafka does not answer", error) from error

    def _config_or_none(self, future: Future[dict[str, ConfigEntry]]) -> dict[str, str] | None:
        """A broker's settings; managed clusters often do not let clients read them."""
        try:
            return self._config(future)
        except BrokerError as error:
            if code_of(error.__cause__) == KafkaError.CLUSTER_AUTHORIZATION_FAILED:
                return None
            raise

    def _config(self, future: Future[dict[str, ConfigEntry]]) -> dict[str, str]:
        entries: dict[str, ConfigEntry] = self._result(future, "the settings cannot be read") or {}
        return {name: entry.value for name, entry in entries.items() if entry.value is not None}

    def _result(
        self, future: Future[dict[str, ConfigEntry]], what: str, harmless: int | None = None
    ) -> dict[str, ConfigEntry] | None:
        try:
            return future.result(self._timeout + 5)
        except KafkaException as error:
            if code_of(error) == harmless:
                return None
            raise self._broken(what, error) from error
        except TimeoutError as error:
            raise BrokerError(f"{what}: no answer from {self._servers}") from error

    def _broken(self, what: str, error: KafkaException) -> BrokerError:
        """If nothing answers, the connection's last error (a failed handshake) says most."""
        self._admin.poll(0)  # hands over the complaints
        return in_words(what, error.args[0], self._servers, self._complaint.text)


def _exists(topic: TopicMetadata | None) -> bool:
    return topic is not None and topic.error is None


def _is_led(topic: TopicMetadata | None) -> bool:
    if topic is None or topic.error is not None or not topic.partitions:
        return False
    return all(partition.leader >= 0 for partition in topic.partitions.values())


def _replication(topic: TopicMetadata) -> int:
    return min((len(partition.replicas) for partition in topic.partitions.values()), default=0)
