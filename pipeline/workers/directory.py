"""Which worker of a stage holds a partition, and where it is asked: by its consumer group."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.config import Settings
from pipeline.kafka.groups import GroupMember, Groups
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import full_name
from pipeline.workers.address import url_of


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """A worker of a stage.

    Attributes:
        name: its name, as `--worker` gives it.
        url: of its HTTP side; empty where it does not say.
        partitions: what its group has assigned to it; topics by their full names.
    """

    name: str
    url: str
    partitions: frozenset[TopicPartition] = frozenset()


class WorkerDirectory:
    """Asks Kafka for the workers. Blocks: use it in a thread.

    Args:
        settings: where Kafka is.

    Raises:
        BrokerError: no broker is set or runs.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._groups = Groups(client_config(settings))

    def workers(self, app_id: str, seconds: float) -> list[WorkerPlace] | None:
        """The workers of a stage now; None where Kafka does not say within `seconds`."""
        group = full_name(self._settings, app_id)
        found = self._groups.members(group, seconds)
        return None if found is None else [_place(member, group) for member in found]

    def owner(self, app_id: str, topic: str, partition: int, seconds: float) -> WorkerPlace | None:
        """The worker that holds a partition; None where none does, or Kafka does not say.

        Args:
            app_id: the stage's.
            topic: without the prefix.
            partition: its number.
            seconds: that the question may take.
        """
        place = TopicPartition(full_name(self._settings, topic), partition)
        found = self.workers(app_id, seconds) or ()
        return next((worker for worker in found if place in worker.partitions), None)


def _place(member: GroupMember, group: str) -> WorkerPlace:
    name = member.instance.removeprefix(f"{group}-") or member.member_id
    return WorkerPlace(name, url_of(member.client_id, member.host) or "", member.partitions)
