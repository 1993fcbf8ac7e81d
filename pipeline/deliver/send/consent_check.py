"""Contacts that go by import: whose consent is read first, and what is left out of their rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from pipeline.connectif.client import ConnectifClient
from pipeline.deliver.partition.partition_state import PartitionState
from pipeline.deliver.schedule.import_jobs import ImportBatch
from pipeline.deliver.schedule.scheduler import Scheduler
from pipeline.deliver.send.admission import Permit
from pipeline.deliver.send.contact_sync import ConsentDecision, ContactSync
from pipeline.deliver.state.commands import Command, Unchanged
from pipeline.deliver.state.ending import Ending
from pipeline.deliver.state.entry import Waiting
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from pipeline.records import RecordKind


class Asking:
    """One account's.

    Args:
        account: its name.
        partition_state: its records.
        scheduler: its imports.
        client: its API.
        contacts: what is sent of people.
    """

    def __init__(
        self,
        account: str,
        partition_state: PartitionState,
        scheduler: Scheduler,
        client: ConnectifClient,
        contacts: ContactSync,
    ) -> None:
        self._account = account
        self._partition_state = partition_state
        self._scheduler = scheduler
        self._imports = scheduler.imports
        self._client = client
        self._contacts = contacts
        #: People whose row depends on Connectif's consent: what it leaves out, and why.
        self._decided: dict[str, ConsentDecision] = {}

    def diff(self, key: Key, waiting: Waiting) -> Command | None:
        """The command for a row; None if consent must be read from Connectif first."""
        command = self._partition_state.diff(
            self._account, key, waiting, self._partition_state.last_sent(self._account, key)
        )
        if key.kind is not RecordKind.CONTACT:
            return command
        self._decided.pop(key.id, None)
        if not self._contacts.asks(key, waiting, command):
            return command
        said = self._contacts.known(key, waiting)
        if said is None:
            return None
        decision = self._contacts.decide(key, waiting, said)
        if decision.note or decision.withdrawn_ms is not None:
            self._decided[key.id] = decision
        return Unchanged(decision.note) if decision.tells_nothing(said) else decision.command

    def unsubscribing_since(self, key: Key) -> int | None:
        """When the first call began that sent an unsubscription of the row's contact, epoch ms."""
        return self._contacts.unsubscribing.began(key.id) if key.kind is RecordKind.CONTACT else None

    def noted(self, key: Key, ending: Ending) -> Ending:
        """The ending of a row, with what was left out of it."""
        decision = self._decided.pop(key.id, None) if key.kind is RecordKind.CONTACT else None
        return ending if decision is None else decision.on(ending)

    def set_aside(self, kind: RecordKind, batch: ImportBatch, people: Sequence[str]) -> bool:
        """Hold people until their consent was read; returns whether the caller must do so, by `ask`.

        A few people go singly: then each one's consent is read.
        """
        if not people:
            return False
        if not self._imports.asking and not self._worth(len(people) + self._behind()):
            self._scheduler.singly(kind, people)
            return False
        self._scheduler.batch(kind, replace(batch, ids=list(people), asks=True))
        ask, self._imports.asking = not self._imports.asking, True
        return ask

    def defers(self, key: Key) -> bool:
        """Whether a contact of a backfill waits for an export, which the others behind it need as well."""
        if self._partition_state.index(self._account)[key.kind].lane(key.id) is not Lane.BACKFILL:
            return False
        return self._imports.asking or self._worth(self._behind())

    def _behind(self) -> int:
        return self._partition_state.index(self._account)[RecordKind.CONTACT].waiting_in(Lane.BACKFILL)

    def _worth(self, people: int) -> bool:
        return self._contacts.withdrawals.worth(people, asyncio.get_running_loop().time())

    async def ask(self, permit: Permit) -> None:
        """Read who has withdrawn; whatever the result, the people held for it are released."""
        try:
            await self._contacts.withdrawals.ask(self._client, permit, self._contacts.now_ms())
        finally:
            self.over()

    def over(self) -> None:
        """No export is running any more."""
        self._imports.asking = False
