"""What the workers know of an entity at this moment: asked of those that hold it, within a second or two."""

from __future__ import annotations

import time
from collections.abc import Iterable

from pipeline.config import Settings
from pipeline.kafka.keys import partition_of_key
from pipeline.kafka.topics import DELIVER_APP, TRANSLATE_APP
from pipeline.records import RecordKind, partition_of
from pipeline.trace.life import EntityLife, record_name
from pipeline.trace.pages import EntityPage, RecordPage, wrong
from pipeline.workers.client import WorkerAnswer, WorkerClient

#: Pages of the workers; their stages name them too.
ENTITY_PAGE, RECORD_PAGE = "/state/entity", "/state/record"
#: Records asked about of one entity, and seconds after which no more are.
MOST, SECONDS = 50, 3.0
#: What an entity is above all, first.
_ORDER = (RecordKind.PURCHASE, RecordKind.CONTACT, RecordKind.PRODUCT)


def ask_translate(life: EntityLife, client: WorkerClient, settings: Settings) -> None:
    """What translate remembers of the entity, and so which accounts were told of it."""
    key = life.key
    partition = partition_of_key(key.message_key, settings.kafka.shop_partitions)
    query = {"store": key.store, "kind": key.kind.value, "id": key.id}
    answer = client.ask(TRANSLATE_APP, key.kind.topic, partition, ENTITY_PAGE, query)
    answer = _of_form(answer, EntityPage)
    if answer.found is None:
        life.silent["translate"] = answer.why
        return
    life.memory = answer.found
    life.accounts.update(account for account, _, _ in _remembered(life))


def ask_deliver(life: EntityLife, client: WorkerClient, settings: Settings) -> None:
    """What deliver has of the entity's records, its own first."""
    until = time.monotonic() + SECONDS
    names = _names(life)
    for asked, (account, kind, record_id) in enumerate(names):
        if asked == MOST or time.monotonic() > until:
            life.left_out["now"] += len(names) - asked
            return
        answer = ask_record(client, settings, account, kind, record_id)
        if answer.found is None:
            life.silent["deliver"] = answer.why
            if answer.error in {"no_kafka", "no_worker", "no_answer"}:
                return  # nor does it answer to the next question
            continue
        life.now[record_name(account, kind, record_id)] = answer.found


def ask_record(
    client: WorkerClient, settings: Settings, account: str, kind: RecordKind, record_id: str
) -> WorkerAnswer:
    """What deliver has of one record."""
    partition = partition_of(account, settings.kafka.account_partitions)
    query = {"account": account, "kind": kind.value, "id": record_id}
    return _of_form(client.ask(DELIVER_APP, kind.topic, partition, RECORD_PAGE, query), RecordPage)


def _of_form(answer: WorkerAnswer, page: type[EntityPage | RecordPage]) -> WorkerAnswer:
    """The answer, if it is of the form that this release knows."""
    lacking = "" if answer.found is None else wrong(answer.found, page)
    if not lacking:
        return answer
    why = f"worker {answer.worker or 'unknown'} answers in a form that this release does not know ({lacking})"
    return WorkerAnswer(None, answer.worker, why, "another_release")


def _names(life: EntityLife) -> list[tuple[str, RecordKind, str]]:
    """The records of an entity, by what is remembered, was emitted, or would be; each once."""
    found: dict[tuple[str, RecordKind, str], None] = {}
    for record in reversed(life.records):
        found[record.account, record.kind, record.id] = None
    for emitted in _remembered(life):
        found[emitted] = None
    for event in reversed(life.events):
        for name in event.emits:
            account, kind, record_id = name.split("|", 2)
            found[account, RecordKind(kind), record_id] = None
    return sorted(found, key=lambda name: _ORDER.index(name[1]) if name[1] in _ORDER else len(_ORDER))


def _remembered(life: EntityLife) -> Iterable[tuple[str, RecordKind, str]]:
    for emitted in (life.memory or {}).get("emitted", ()):
        if emitted["account"]:
            yield emitted["account"], RecordKind(emitted["kind"]), emitted["id"]
