"""What the workers remember of a person, and Connectif: through the stages, which own both."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from pipeline.config import Settings
from pipeline.erase.found import Found
from pipeline.erase.requests import now_ms
from pipeline.errors import PipelineError
from pipeline.events import Kind, Lane
from pipeline.kafka.erase_requests import TOPIC
from pipeline.kafka.keys import partition_of_key, unique_key
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.reader import RangeReader, Stopped
from pipeline.kafka.replays import ERASES
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import DELIVER_APP, RECEIPTS, REPLAY, SYNC_APP, TRANSLATE_APP, full_name
from pipeline.kafka.unread import wait_until_read
from pipeline.records import (
    Contact,
    ContactRecord,
    Op,
    Origin,
    Outcome,
    PurchaseRecord,
    Receipt,
    Record,
    RecordKind,
    Source,
    partition_of,
    record_key,
)
from pipeline.shops.registry import PLATFORMS
from pipeline.workers.client import WorkerClient
from pipeline.workers.directory import WorkerDirectory

#: Seconds between two looks, and for which a stage may take to read what it was sent.
LOOK, READ_WITHIN = 0.5, 600.0
#: Seconds for which a worker's files may take to be rewritten, and Kafka to say who the workers are.
REWRITE_SECONDS, DIRECTORY_SECONDS = 900.0, 10.0
#: How often a contact is sent again whose deletion something newer took the place of.
MOST_ROUNDS = 5


class NotConfirmed(PipelineError):  # noqa: N818 - a fact
    """Something has not answered in time; what was done stays done, and it is tried again."""


@dataclass(slots=True)
class StateRemoval:
    """Has the stages forget a person. Blocks.

    Args:
        settings: the program's.
        name: the request's id.
        store: whose person it is.
        asked_ms: when it was asked for: what came before is erased.
        found: what is kept of them.
        say: called with what is waited for.
        within: seconds for which Connectif's answer is waited for.
        stop: called several times a second; True ends it.
    """

    settings: Settings
    name: str
    store: str
    asked_ms: int
    found: Found
    say: Callable[[str], object]
    within: float
    stop: Callable[[], bool]

    def run(self) -> dict[str, int]:
        """All of it; returns how much.

        Raises:
            NotConfirmed: Connectif has not confirmed it in time.
            NotRead: a stage has not read it in time.
            Stopped: `stop` said so.
        """
        contacts = self._known_accounts(self.found.contacts)
        purchases = self._known_accounts(self.found.purchases)
        self.say("waiting until the stages have read what came before")
        self._read_up({*self._shop_places(), *self._account_places(contacts | purchases)})
        self.say("taking the person out of what translate remembers")
        self._send(self._marks())
        self._read_up(self._replay_places())
        # First what waits of purchases: one that is sent would make the contact again.
        self.say("taking what waits out of what deliver has")
        self._confirm(RecordKind.PURCHASE, purchases)
        self.say("deleting the contact in Connectif")
        deleted = self._confirm(RecordKind.CONTACT, contacts)
        return {"entities": len(self.found.entities), "contacts in Connectif": deleted}

    # Messages.

    def _marks(self) -> Iterator[Outgoing]:
        topic, partitions = full_name(self.settings, REPLAY), self.settings.kafka.shop_partitions
        headers = [(ERASES, self.name.encode())]
        for entity in sorted(self.found.entities):
            key = f"{self.store}|{entity}".encode()
            yield Outgoing(topic, b"", unique_key(key), partition_of_key(key, partitions), headers)

    def _record(self, kind: RecordKind, account: str, name: str, sent_ms: int) -> Record:
        common = {
            "account": account,
            "store": self.store,
            "id": name,
            "version": self.asked_ms,
            "source": Source(topic=TOPIC, partition=0, offset=0),
            "origin": Origin.CUSTOMER,
            "op": Op.ERASE,
            # All of a store's people must not hold up today's orders.
            "lane": Lane.BACKFILL if self.found.everybody else Lane.LIVE,
            "received_ms": sent_ms,
        }
        if kind is RecordKind.PURCHASE:
            return PurchaseRecord(**common, body=None)
        body = Contact(email=name) if "@" in name else Contact(email="", external_id=name)
        return ContactRecord(**common, body=body)

    def _send(self, messages: Iterator[Outgoing]) -> None:
        most = self.settings.kafka.max_message_bytes
        producer = Producer(client_config(self.settings), max_message_bytes=most, linger_ms=5)
        try:
            producer.send_all(messages)
        finally:
            producer.close()

    def _confirm(self, kind: RecordKind, names: Collection[str]) -> int:
        """Send an erasure of each record, and wait for its receipt; how many Connectif had, or were sent.

        Raises:
            NotConfirmed: receipts are missing, or say that it was refused.
        """
        left, until, confirmed = set(names), time.monotonic() + self.within, 0
        for _ in range(MOST_ROUNDS):
            if not left:
                break
            sent_ms = now_ms()
            places = self._receipt_places(left)
            with RangeReader(client_config(self.settings)) as reader:
                starts = reader.offsets.ends(places)
                self._send(self._outgoing(kind, left, sent_ms))
                receipts = self._receipts(reader, starts, kind, sent_ms, left, until)
            refused = [receipt for receipt in receipts.values() if receipt.outcome is Outcome.DEAD]
            if refused:
                raise NotConfirmed(
                    f"Connectif refused to delete {len(refused)} contacts: {refused[0].reason}",
                    hint="`pipeline dead list` shows its answer",
                )
            ended = {name for name, said in receipts.items() if said.outcome is not Outcome.SUPERSEDED}
            confirmed += len(ended)
            left -= ended
        if left:
            raise NotConfirmed("newer events of the person came all the time", hint="it is tried again")
        self._read_up(self._receipt_places(names))
        return confirmed

    def _outgoing(self, kind: RecordKind, names: Collection[str], sent_ms: int) -> Iterator[Outgoing]:
        topic = full_name(self.settings, kind.topic)
        for text in sorted(names):
            account, _, name = text.partition("|")
            record = self._record(kind, account, name, sent_ms)
            key = unique_key(record_key(account, kind, name))
            value = record.model_dump_json(exclude_none=True).encode()
            if record.body is None:
                value = record.model_dump_json().encode()
            yield Outgoing(topic, value, key, self._partition(account))

    def _receipts(  # noqa: PLR0917 - of one question
        self,
        reader: RangeReader,
        starts: dict[TopicPartition, int],
        kind: RecordKind,
        sent_ms: int,
        wanted: Collection[str],
        until: float,
    ) -> dict[str, Receipt]:
        """The receipts of what was sent, by `account|id`."""
        found: dict[str, Receipt] = {}
        nexts = dict(starts)
        topic = full_name(self.settings, RECEIPTS)
        while len(found) < len(wanted):
            ranges = [one for one in reader.ranges(topic, start=nexts) if one.place in nexts]
            for batch in reader.read(ranges, on_lost=lambda _: None):
                nexts[batch.place] = batch.next
                for raw in batch.raw:
                    receipt = _receipt(raw.value(), kind, sent_ms)
                    name = "" if receipt is None else f"{receipt.account}|{receipt.id}"
                    if receipt is not None and name in wanted:
                        found[name] = receipt
            if self.stop():
                raise Stopped
            if time.monotonic() > until:
                missing = len(wanted) - len(found)
                raise NotConfirmed(
                    f"{missing} of {len(wanted)} {kind}s have no answer after {self.within:g} s",
                    hint="`pipeline deliver explain --account NAME` says what the account waits for",
                )
            if len(found) < len(wanted):
                time.sleep(LOOK)
        return found

    # Places.

    def _known_accounts(self, names: Collection[str]) -> set[str]:
        """Those of accounts that are in the settings; no worker calls the others."""
        return {name for name in names if name.partition("|")[0] in self.settings.accounts}

    def _partition(self, account: str) -> int:
        return partition_of(account, self.settings.kafka.account_partitions)

    def _receipt_places(self, names: Collection[str]) -> set[TopicPartition]:
        topic = full_name(self.settings, RECEIPTS)
        return {TopicPartition(topic, self._partition(name.partition("|")[0])) for name in names}

    def _account_places(self, names: Collection[str]) -> Iterator[TopicPartition]:
        topics = [full_name(self.settings, name) for name in (*(kind.topic for kind in RecordKind), RECEIPTS)]
        for place in self._receipt_places(names):
            yield from (TopicPartition(topic, place.partition) for topic in topics)

    def _shop_places(self) -> Iterator[TopicPartition]:
        for kind in Kind:
            topic = full_name(self.settings, kind.topic)
            yield from (TopicPartition(topic, number) for number in self._shop_partitions())

    def _shop_partitions(self) -> set[int]:
        partitions = self.settings.kafka.shop_partitions
        return {
            partition_of_key(f"{self.store}|{entity}".encode(), partitions) for entity in self.found.entities
        }

    def _replay_places(self) -> set[TopicPartition]:
        topic = full_name(self.settings, REPLAY)
        return {TopicPartition(topic, number) for number in self._shop_partitions()}

    def _read_up(self, places: Collection[TopicPartition]) -> None:
        if places:
            wait_until_read(self.settings, client_config(self.settings), places, READ_WITHIN, self.stop)


def _receipt(value: bytes | None, kind: RecordKind, sent_ms: int) -> Receipt | None:
    """A receipt of what an erasure sent at this moment."""
    if value is None or TOPIC.encode() not in value:
        return None
    try:
        receipt = Receipt.model_validate_json(value)
    except ValidationError:
        return None
    ours = receipt.source.topic == TOPIC and receipt.kind is kind and receipt.received_ms == sent_ms
    return receipt if ours else None


def rewrite_files(
    settings: Settings, partitions: dict[str, set[int]], say: Callable[[str], object]
) -> tuple[list[str], list[str]]:
    """Have all workers rewrite their files without what was deleted; who did, and what was not reached.

    Args:
        settings: the program's.
        partitions: of each stage, by its application id, those with rows of the person.
        say: called with who is asked.
    """
    directory, client = WorkerDirectory(settings), WorkerClient(settings)
    done: list[str] = []
    missed: list[str] = []
    try:
        for app_id, chosen in partitions.items():
            stage, left = app_id.removeprefix("pipeline-"), set(chosen)
            workers = directory.workers(app_id, DIRECTORY_SECONDS)
            if workers is None:
                missed.append(f"the disks of {stage}'s workers: Kafka does not say who they are")
                continue
            for worker in workers:
                say(f"{stage} worker {worker.name} rewrites its files")
                numbers = ",".join(map(str, sorted(chosen))) or "0"
                answer = client.act(worker.url, "/state/compact", {"partitions": numbers}, REWRITE_SECONDS)
                if answer.found is None:
                    missed.append(f"the disk of {stage} worker {worker.name}: {answer.why}")
                else:
                    done.append(f"{stage} {worker.name}")
                    left -= set(map(int, answer.found.get("partitions", ())))
            if left and workers:
                missed.append(f"{stage}'s partitions {', '.join(map(str, sorted(left)))}: they were moving")
            if not workers:
                missed.append(f"the disks of {stage}'s workers: none runs")
    finally:
        client.close()
    return done, missed


def partitions_with_rows(settings: Settings, store: str, found: Found) -> dict[str, set[int]]:
    """Of each stage, by its application id, the partitions whose tables had rows of the person."""
    shop, account = settings.kafka.shop_partitions, settings.kafka.account_partitions
    accounts = {name.partition("|")[0] for name in found.contacts | found.purchases}
    partitions = {
        TRANSLATE_APP: {partition_of_key(f"{store}|{entity}".encode(), shop) for entity in found.entities},
        DELIVER_APP: {partition_of(name, account) for name in accounts},
    }
    if PLATFORMS[settings.stores[store].platform].asks(settings.stores[store]):
        partitions[SYNC_APP] = {partition_of(store, account)}
    return partitions
