"""Who is in a consumer group."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.kafka.errors import client_log, code_of

log = logging.getLogger(__name__)

#: Seconds between two questions.
LOOK = 0.5
#: A broker that has just begun does not know yet which of them keeps the group.
_NOT_YET = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member of a group: what the group calls it, and where it runs."""

    member_id: str
    host: str


class Groups:
    """Asks about groups.

    Args:
        config: librdkafka settings, from `kafka.settings.client_config`.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = dict(config)
        self._admin: AdminClient | None = None

    def member(self, group: str, instance: str, seconds: float) -> GroupMember | None:
        """Who holds an instance id; None also where Kafka does not say, which is logged.

        Blocks, for `seconds` at most.
        """
        until = time.monotonic() + seconds
        while True:
            try:
                if self._admin is None:
                    self._admin = AdminClient(self._config, logger=client_log)
                asked = self._admin.describe_consumer_groups([group], request_timeout=seconds)
                members = asked[group].result(timeout=seconds + 1).members
                break
            except (KafkaException, FutureTimeoutError) as error:
                code = code_of(error)
                if code == KafkaError.GROUP_ID_NOT_FOUND:
                    return None
                if code not in _NOT_YET or time.monotonic() + LOOK > until:
                    why = "no answer in time" if code is None else KafkaError(code).str()
                    log.warning("Kafka does not say who is in the group %s: %s", group, why)
                    return None
            time.sleep(LOOK)
        for member in members:
            if member.group_instance_id == instance:
                return GroupMember(member.member_id, member.host)
        return None
