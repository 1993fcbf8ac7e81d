"""One worker for each name in a consumer group, wherever it runs.

Kafka lets whoever joins last take the place of a member with the same instance id. That is what brings a
worker back at once after kill -9; two that run under one name would take each other's place for ever. So a
worker asks before it joins who holds its name, and joins only where that is its own former life, or is gone.
"""

from __future__ import annotations

import functools
import logging
import os
import socket
import sys
import time
from collections.abc import Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.engine.logs import LIBRDKAFKA
from pipeline.errors import NameTakenError, PipelineError

log = logging.getLogger(__name__)

#: Seconds: one question, the time between two, and what the coordinator may take beyond the session.
ASK, LOOK, GRACE = 10.0, 0.5, 3.0
#: Seconds a question may take once the place is lost: nothing else runs meanwhile.
ASK_AT_THE_END = 3.0


class MembershipLost(PipelineError):  # noqa: N818 - a fact, not a failure of ours
    """The group goes on without this worker: what it still has in hand is another one's now."""


@dataclass(frozen=True, slots=True)
class Member:
    """Who holds a name: its member id, and what its process calls itself (`client_id`)."""

    member_id: str
    client_id: str
    host: str


class Place:
    """A worker's place in its group.

    Args:
        config: librdkafka settings.
        group: its name.
        instance: the worker's `group.instance.id`.
        file: where the member id of its last life is kept.
        session: seconds after which the group gives up a silent member.
    """

    def __init__(
        self, config: Mapping[str, Any], *, group: str, instance: str, file: Path, session: float
    ) -> None:
        self._config = dict(config)
        self._group = group
        self._instance = instance
        self._file = file
        self._session = session

    def joined(self, member_id: str) -> None:
        """Remember under which id we are a member."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(member_id, encoding="utf-8")
        fresh.replace(self._file)

    def wait_until_free(self) -> None:
        """Return once the name is ours to take. Blocks, for as long as a session where its holder is silent.

        Raises:
            NameTakenError: another worker runs under it.
        """
        until, said = time.monotonic() + self._session + GRACE, False
        while (holder := self._holder(ASK)) is not None and holder.member_id != self._former():
            runs = is_running(holder.client_id)
            if runs is False:
                return
            if runs or time.monotonic() > until:
                raise self._taken(holder)
            if not said:
                said = True
                log.warning(
                    "the name %s is another process's (%s at %s): waiting for %.0f s whether it is gone",
                    self._instance,
                    holder.client_id,
                    holder.host,
                    self._session + GRACE,
                )
            time.sleep(LOOK)

    def lost(self, member_id: str) -> PipelineError:
        """Why the group knows us no more under this id. Blocks."""
        holder = self._holder(ASK_AT_THE_END)
        if holder is not None and holder.member_id != member_id:
            return self._taken(holder)
        return MembershipLost(
            "the group gave this worker up: it stood still for longer than kafka.session_timeout",
            hint="it starts again by itself; if that repeats, the machine is overloaded",
        )

    def _taken(self, holder: Member) -> NameTakenError:
        return NameTakenError(
            f"another worker runs under the name {self._instance} ({holder.client_id} at {holder.host})",
            hint="give each worker of a stage its own --worker name",
        )

    def _former(self) -> str:
        try:
            return self._file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def _holder(self, seconds: float) -> Member | None:
        """Who holds the name; None also where Kafka does not say."""
        try:
            admin = AdminClient(self._config, logger=LIBRDKAFKA)
            asked = admin.describe_consumer_groups([self._group], request_timeout=seconds)
            members = asked[self._group].result(timeout=seconds + 1).members
        except (KafkaException, FutureTimeoutError) as error:
            if error.args and getattr(error.args[0], "code", lambda: None)() == KafkaError.GROUP_ID_NOT_FOUND:
                return None
            log.warning("cannot see who is in the group %s: %s", self._group, error)
            return None
        for member in members:
            if member.group_instance_id == self._instance:
                return Member(member.member_id, member.client_id, member.host)
        return None


@functools.cache
def client_id() -> str:
    """What this process calls itself: by it another one on this machine sees whether it still runs."""
    return f"pipeline@{socket.gethostname()}:{os.getpid()}:{_started(os.getpid()) or ''}"


def is_running(client: str) -> bool | None:
    """Whether the process that calls itself so runs; None where that cannot be seen from here."""
    name, _, rest = client.rpartition("@")
    host, _, process = rest.partition(":")
    number, _, started = process.partition(":")
    if name != "pipeline" or host != socket.gethostname() or not number.isdecimal() or not started:
        return None
    now = _started(int(number))
    return now == started and int(number) != os.getpid()


def _started(pid: int) -> str | None:
    """When a process of this machine started, as the kernel counts; None where there is none."""
    if sys.platform != "linux":
        return None
    try:
        return (
            Path(f"/proc/{pid}/stat")
            .read_text(encoding="utf-8", errors="replace")
            .rpartition(")")[2]
            .split()[19]
        )
    except (OSError, IndexError):
        return None
