"""One of a kind at a time, over all machines: the only member of a consumer group.

Kafka drops a member that was killed after `SESSION_SECONDS`, so nothing is locked for ever, and nothing is to
be cleaned up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaException

from pipeline.errors import BrokerError, PipelineError
from pipeline.kafka.errors import LastComplaint, client_log, in_words, unusable
from pipeline.kafka.groups import GroupMember, Groups

#: After so many seconds without a sign of life a member counts as gone.
SESSION_SECONDS = 10
#: Seconds that joining, and each question of who is in the group, may take.
JOIN_SECONDS, ASK_SECONDS = 30.0, 5.0
_LOOK = 0.1
_LONGEST_ID = 200


class AtWork(PipelineError):  # noqa: N818 - a state
    """Another process does it."""

    def __init__(self, what: str, member: GroupMember) -> None:
        super().__init__(
            f"another {what} is at work: {member.client_id}, from {member.host}",
            hint=f"wait for its end; one that was killed counts as ended after {SESSION_SECONDS} seconds",
        )


class Exclusive:
    """Holds what a group stands for; a context manager. Blocks.

    Args:
        config: librdkafka settings, from `kafka.settings.client_config`.
        group: full name of the group; its members do nothing but this.
        topic: full name of a topic that exists; nothing of it is read.
        who: the operator, for others to see.
        what: that is done, as others are told.

    Entering raises:
        AtWork: another one is in the group.
        BrokerError: Kafka does not answer, or refuses.
    """

    def __init__(self, config: Mapping[str, Any], group: str, topic: str, *, who: str, what: str) -> None:
        self._config, self._group, self._topic, self._what = dict(config), group, topic, what
        self._who = f"{who} (process {os.getpid()})"[:_LONGEST_ID]
        self._servers = str(config.get("bootstrap.servers", ""))
        self._groups = Groups(config)
        self._complaint = LastComplaint()
        self._consumer: Consumer | None = None
        self._assigned = False
        self._held_as = ""

    def __enter__(self) -> Self:
        # Whoever has it is asked first: joining would disturb them.
        self._refuse_others("")
        try:
            self._consumer = self._join()
            self._held_as = self._member_id()
            self._refuse_others(self._held_as)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def check(self) -> None:
        """Make sure that it is still held: a process that stood still for too long may have lost it.

        Raises:
            BrokerError: it has, or Kafka does not say.
        """
        self._poll()
        # One that began at the same moment may be there, too: it finds us, and leaves.
        if self._held_as not in {member.member_id for member in self._members()}:
            raise BrokerError(
                "this process stood still for too long, and counts as gone; nothing was sent since",
                hint="repeat the command",
            )

    def _join(self) -> Consumer:
        settings = {
            "group.id": self._group,
            "session.timeout.ms": SESSION_SECONDS * 1_000,
            "heartbeat.interval.ms": 2_000,
            # Between two looks the operator may be asked; a process that was killed beats no more.
            "max.poll.interval.ms": 86_400_000,
            "enable.auto.commit": False,
            "log_level": 2,
            "error_cb": self._complaint.remember,
            **self._config,
            "client.id": self._who,
        }
        try:
            self._consumer = Consumer(settings, logger=client_log)
            self._consumer.subscribe([self._topic], on_assign=self._on_assign)
        except KafkaException as error:
            raise unusable(error) from error
        until = time.monotonic() + JOIN_SECONDS
        while not self._assigned:
            self._poll()
            if time.monotonic() > until:
                # Somebody has it and does not let others in, as they do not look.
                self._refuse_others(self._member_id())
                said = self._complaint.text or "no answer in time"
                raise BrokerError(
                    f"the group {self._group} cannot be joined: {said}", hint="repeat the command"
                )
        return self._consumer

    def _on_assign(self, consumer: Consumer, partitions: list[Any]) -> None:
        consumer.assign(partitions)
        consumer.pause(partitions)  # it is the membership that counts
        self._assigned = True

    def _poll(self) -> None:
        if self._consumer is None:
            raise RuntimeError("it is to be entered first")
        message = self._consumer.poll(_LOOK)
        if message is not None and message.error() is not None and message.error().fatal():
            raise in_words(f"the group {self._group} cannot be joined", message.error(), self._servers)

    def _member_id(self) -> str:
        return "" if self._consumer is None else str(self._consumer.memberid() or "")

    def _refuse_others(self, me: str) -> None:
        """Look who else is in the group.

        Raises:
            AtWork: somebody is.
            BrokerError: Kafka does not say.
        """
        other = next((member for member in self._members() if member.member_id != me), None)
        if other is not None:
            raise AtWork(self._what, other)

    def _members(self) -> list[GroupMember]:
        members = self._groups.members(self._group, ASK_SECONDS)
        if members is None:
            raise BrokerError(
                f"Kafka does not say whether another {self._what} is at work", hint="repeat the command"
            )
        return members

    def _leave(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
