"""One worker for each name in a consumer group, wherever it runs.

With Kafka, the last to join replaces a member with the same instance id. So a worker is back at once after
kill -9; but two that run under one name would replace each other for ever. So before it joins a worker asks
who has its name, and joins only if that is an earlier process of its own, or is gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config import Settings
from pipeline.engine.lock import hold
from pipeline.errors import NameTakenError, PipelineError
from pipeline.kafka.groups import GroupMember, Groups
from pipeline.kafka.topics import full_name

log = logging.getLogger(__name__)

#: Seconds: one question, the time between two, and what the coordinator may take beyond the session.
ASK, LOOK, GRACE = 10.0, 0.5, 3.0
#: Seconds a request may take once the membership is lost: nothing else runs meanwhile.
ASK_AT_THE_END = 3.0


class MembershipLost(PipelineError):  # noqa: N818 - a fact, not a defect
    """The group has dropped this worker: its partitions are another one's now."""


def instance_id(settings: Settings, app_id: str, worker: str) -> str:
    """The worker's name in its group."""
    return f"{full_name(settings, app_id)}-{worker}"


class GroupName:
    """A worker's name in its group. Two of one machine meet at a file, wherever they keep their data.

    Args:
        config: librdkafka settings.
        group: its name.
        instance: the worker's `group.instance.id`.
        worker: its name, for messages.
        directory: the worker's own.
        session: seconds after which the group gives up a silent member.

    Raises:
        NameTakenError: another worker of this machine runs under the name.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        group: str,
        instance: str,
        worker: str,
        directory: Path,
        session: float,
    ) -> None:
        self._groups = Groups(config)
        self._group = group
        self._instance = instance
        self._session = session
        #: Where the last process's member id is kept: with the data, and, as that may be lost, beside it.
        self._files = [directory / "member"]
        shared = _shared(f"{config['bootstrap.servers']} {instance}")
        if shared is not None:
            self._lock = hold(shared.with_suffix(".lock"), worker)
            self._files.append(shared)

    def joined(self, member_id: str) -> None:
        """Remember under which id we are a member."""
        for file in self._files:
            fresh = file.with_suffix(".new")
            try:
                fresh.write_text(member_id, encoding="utf-8")
                fresh.replace(file)
            except OSError as error:
                log.warning("%s cannot be written: a restart may wait for the session's end: %s", file, error)

    def wait_until_free(self) -> None:
        """Return once the name is free. Blocks, for up to a session if its holder is silent.

        Raises:
            NameTakenError: another worker runs under it.
        """
        until, said = time.monotonic() + self._session + GRACE, False
        former = self._former()
        while (holder := self._holder(ASK)) is not None and holder.member_id not in former:
            if time.monotonic() > until:
                raise self._taken(holder)
            if not said:
                said = True
                log.warning(
                    "the name %s is held by a process at %s: waiting up to %.0f s for its session to end",
                    self._instance,
                    holder.host,
                    self._session + GRACE,
                )
            time.sleep(LOOK)

    def lost(self, member_id: str) -> PipelineError:
        """Why the group has dropped this member id. Blocks."""
        holder = self._holder(ASK_AT_THE_END)
        if holder is not None and holder.member_id != member_id:
            return self._taken(holder)
        return MembershipLost(
            "the group gave this worker up: it stood still for longer than kafka.session_timeout",
            hint="it starts again by itself; if that repeats, the machine is overloaded",
        )

    def _taken(self, holder: GroupMember) -> NameTakenError:
        return NameTakenError(
            f"another worker runs under the name {self._instance}, at {holder.host}",
            hint="give each worker of a stage its own --worker name",
        )

    def _former(self) -> set[str]:
        found = set()
        for file in self._files:
            with contextlib.suppress(OSError):
                found.add(file.read_text(encoding="utf-8", errors="replace"))
        return found

    def _holder(self, seconds: float) -> GroupMember | None:
        return self._groups.member(self._group, self._instance, seconds)


def _shared(name: str) -> Path | None:
    """A file of this machine for a name in a cluster; None if it cannot be made."""
    base = Path(tempfile.gettempdir()) / f"pipeline-{os.getuid()}"
    try:
        base.mkdir(mode=0o700, exist_ok=True)
        mine = base.stat().st_uid == os.getuid() and not base.is_symlink()
    except OSError:
        return None
    return base / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.member" if mine else None
