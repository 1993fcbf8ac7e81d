"""The pages of a deliver worker: what it has of an account and of a record, for whoever asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import orjson

from pipeline.deliver.explain import messages
from pipeline.deliver.explain.explain_report import EXPLAIN
from pipeline.deliver.explain.explanation import ExplainedAccount, explain_delivery
from pipeline.deliver.explain.record_page import (
    ACCOUNT_PAGE,
    RECORD_PAGE,
    asked_record,
    remembered_record,
)
from pipeline.deliver.partition.table_rows import entry_of, last_sent_of
from pipeline.deliver.partition.tables import Tables
from pipeline.deliver.send.account_manager import AccountManager
from pipeline.engine.engine import Engine
from pipeline.engine.steps import Step
from pipeline.engine.table import NotAssigned
from pipeline.http_access import problem
from pipeline.observe import Page
from pipeline.records import RecordKind, partition_of, record_key


class DeliverPages:
    """Looks and changes nothing.

    Args:
        engine: the worker's.
        tables: the stage's.
        manager: its accounts.
    """

    def __init__(self, engine: Engine, tables: Tables, manager: AccountManager[Step]) -> None:
        self._engine = engine
        self._tables = tables
        self._manager = manager
        self._partitions = engine.settings.kafka.account_partitions

    def by_path(self) -> dict[str, Page]:
        """All of them."""
        return {EXPLAIN: self.explained, ACCOUNT_PAGE: self.explained, RECORD_PAGE: self.record_page}

    async def explained(self, query: Mapping[str, str]) -> tuple[int, bytes]:
        """The page that `pipeline deliver explain` reads."""
        account = query.get("account", "")
        if account not in self._engine.settings.accounts:
            known = sorted(self._engine.settings.accounts)
            return problem(404, "unknown_account", "the settings have no such account", accounts=known)
        found = dict(self._manager.accounts()).get(account)
        if found is None:
            return await self._not_open(account)
        said = explain_delivery(found)
        names = {"worker": self._engine.worker, "not_ready": self._engine.complaint or ""}
        return 200, orjson.dumps({**said, **names})

    async def record_page(self, query: Mapping[str, str]) -> tuple[int, bytes]:
        """The page that says what is pending of a record, and what was last sent of it."""
        asked = asked_record(query)
        if asked is None:
            return problem(400, "query", "it names an account, a kind and an id of a record")
        partition = partition_of(asked.account, self._partitions)
        raw_key = record_key(asked.account, asked.key.kind, asked.key.id)
        try:
            entry = entry_of(asked.key.kind, self._tables.pending.get(partition, raw_key), partition)
            sent = last_sent_of(asked.key.kind, self._tables.delivered.get(partition, raw_key), partition)
        except NotAssigned:
            return await self._engine.elsewhere(asked.key.kind.topic, partition)
        delivery = dict(self._manager.accounts()).get(asked.account)
        account = None if delivery is None else ExplainedAccount.of(delivery)
        now = asyncio.get_running_loop().time()
        said = remembered_record(asked, entry, sent, account, now=now, wall=time.time())
        return 200, orjson.dumps({"worker": self._engine.worker, **said})

    async def _not_open(self, account: str) -> tuple[int, bytes]:
        """An account that is another worker's, or that is not delivered to yet."""
        partition = partition_of(account, self._partitions)
        try:
            self._tables.pending.get(partition, b"")
        except NotAssigned:
            return await self._engine.elsewhere(RecordKind.PURCHASE.topic, partition)
        return problem(503, "not_open", messages.NOT_OPEN, worker=self._engine.worker)
