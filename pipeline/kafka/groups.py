"""Who is in a consumer group."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.kafka.errors import client_log, code_of
from pipeline.kafka.messages import TopicPartition

log = logging.getLogger(__name__)

#: Seconds between two questions.
LOOK = 0.5
#: Seconds that the client goes on waiting after us: it aborts the process where an answer comes to a question
#: whose time it has seen run out itself (librdkafka's issue 4605).
_CLIENT_WAITS_ON = 60.0
#: A broker that has just begun does not know yet which of them keeps the group.
_NOT_YET = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member of a group.

    Attributes:
        member_id: what the group calls it.
        host: where it connects from, as the brokers see it.
        instance: its instance id; empty where it has none.
        client_id: what it says of itself.
        partitions: those that it is assigned; none while the group is being rebalanced.
    """

    member_id: str
    host: str
    instance: str = ""
    client_id: str = ""
    partitions: frozenset[TopicPartition] = frozenset()


class Groups:
    """Asks about groups.

    Args:
        config: librdkafka settings, from `kafka.settings.client_config`.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = dict(config)
        self._admin: AdminClient | None = None
        self._making = threading.Lock()

    def member(self, group: str, instance: str, seconds: float) -> GroupMember | None:
        """Who holds an instance id; None also where Kafka does not say, which is logged.

        Blocks, for `seconds` at most.
        """
        found = self.members(group, seconds) or ()
        return next((member for member in found if member.instance == instance), None)

    def members(self, group: str, seconds: float) -> list[GroupMember] | None:
        """Who is in a group; None where Kafka does not say, which is logged.

        Blocks, for `seconds` at most.
        """
        until = time.monotonic() + seconds
        while True:
            client = self._client()
            try:
                asked = client.describe_consumer_groups([group], request_timeout=seconds + _CLIENT_WAITS_ON)
                return [_member(found) for found in asked[group].result(timeout=seconds).members]
            except (KafkaException, FutureTimeoutError) as error:
                code = code_of(error)
                if code is None:
                    self._give_up(client)
                if code == KafkaError.GROUP_ID_NOT_FOUND:
                    return []
                if code not in _NOT_YET or time.monotonic() + LOOK > until:
                    why = "no answer in time" if code is None else KafkaError(code).str()
                    log.warning("Kafka does not say who is in the group %s: %s", group, why)
                    return None
            time.sleep(LOOK)

    def _client(self) -> AdminClient:
        """One for all threads: each has connections and threads of its own."""
        with self._making:
            if self._admin is None:
                self._admin = AdminClient(self._config, logger=client_log)
            return self._admin

    def _give_up(self, client: AdminClient) -> None:
        """Ask by another client from now on; what this one still waits for ends with it."""
        with self._making:
            if self._admin is client:
                self._admin = None


def _member(found: Any) -> GroupMember:
    return GroupMember(
        found.member_id,
        str(found.host).lstrip("/"),
        found.group_instance_id or "",
        found.client_id or "",
        frozenset(
            TopicPartition(place.topic, place.partition) for place in found.assignment.topic_partitions
        ),
    )
