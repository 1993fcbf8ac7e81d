"""`pipeline trace`: finds the entity, reads its life, asks the workers, and shows what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeline.archive.access import event_reader
from pipeline.config import Settings
from pipeline.config_checks import require_store
from pipeline.console import Console
from pipeline.errors import PipelineError
from pipeline.events import Kind
from pipeline.records import RecordKind
from pipeline.trace import find, now, report
from pipeline.trace.life import EntityKey, EntityLife, record_name
from pipeline.trace.scan import LifeScan
from pipeline.workers.client import WorkerClient


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: an id of a kind, or one of the other three.

    Attributes:
        store: whose.
        kind: of the id; None where one of the others is given.
        id: of the entity at the shop.
        purchase: id of a purchase in Connectif.
        number: of an order, as the shop shows it to people.
        email: an address.
        since: nothing that arrived before is looked at.
        only_now: only the workers are asked.
    """

    store: str
    kind: Kind | None = None
    id: str = ""
    purchase: str = ""
    number: str = ""
    email: str = ""
    since: datetime | None = None
    only_now: bool = False


class NothingKnown(PipelineError):  # noqa: N818 - a fact
    """Nothing is known of what was asked for."""


@dataclass(slots=True)
class _Trace:
    """One command at work; the reader is made only where topics are read."""

    settings: Settings
    console: Console
    since_ms: int | None
    client: WorkerClient
    stop: Callable[[], bool] | None = None
    notes: list[str] = field(default_factory=list)
    _scan: LifeScan | None = None
    _open: ExitStack = field(default_factory=ExitStack)

    def scan(self) -> LifeScan:
        if self._scan is None:
            reader = self._open.enter_context(event_reader(self.settings))
            self._scan = LifeScan(self.settings, reader, self.console, self.since_ms, stop=self.stop)
        return self._scan

    def close(self) -> None:
        self.client.close()
        self._open.close()


def run(settings: Settings, asked: Asked, *, reveal: bool, as_json: bool) -> None:
    """Trace, and print.

    Args:
        settings: the program's.
        asked: what for.
        reveal: show personal data.
        as_json: for scripts.

    Raises:
        NothingKnown: of what was asked for.
        SettingsError: the settings have no such store.
        BrokerError: the cluster does not answer.
    """
    found = look(settings, asked, Console(stderr=True), reveal=reveal)
    report.show(found, Console(), as_json=as_json)


def look(
    settings: Settings,
    asked: Asked,
    console: Console,
    *,
    reveal: bool,
    stop: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Trace; returns all that was found, as `report.tree` gives it.

    Args:
        settings: the program's.
        asked: what for.
        console: is told how far it is.
        reveal: with personal data.
        stop: called several times a second while topics are read; True ends it.

    Raises:
        NothingKnown: of what was asked for.
        SettingsError: the settings have no such store.
        BrokerError: the cluster does not answer.
        Stopped: `stop` said so.
    """
    with _tracing(settings, asked, console, stop) as trace:
        keys = _keys(trace, asked)
        lives = [EntityLife(key) for key in keys] if asked.only_now else trace.scan().lives(keys)
        # Translate may know of accounts that today's settings name no more, whose records are to be read.
        for life in lives:
            now.ask_translate(life, trace.client, settings)
        if not asked.only_now:
            trace.scan().follow(lives)
        for life in lives:
            life.mark_waiting()
            now.ask_deliver(life, trace.client, settings)
        is_known = bool(asked.email) and _contact(trace, asked, lives)
        known = [life for life in lives if not life.empty]
        if not known and not is_known:
            raise _nothing(asked, lives)
        return report.tree(known, trace.notes, reveal=reveal)


@contextmanager
def _tracing(
    settings: Settings, asked: Asked, console: Console, stop: Callable[[], bool] | None
) -> Iterator[_Trace]:
    since = None if asked.since is None else int(asked.since.timestamp() * 1_000)
    trace = _Trace(settings, console, since, WorkerClient(settings), stop)
    try:
        yield trace
    finally:
        trace.close()


def _keys(trace: _Trace, asked: Asked) -> list[EntityKey]:
    """The entities that are meant.

    Raises:
        NothingKnown: there are none.
        SettingsError: the settings lack the store.
    """
    store = asked.store
    if asked.kind is not None:
        return [EntityKey(store, asked.kind, asked.id)]
    require_store(trace.settings, store)
    if asked.purchase:
        key = find.by_purchase(trace.settings, store, asked.purchase, trace.client, trace.scan)
        found, more = ([key] if key is not None else []), 0
    elif asked.number:
        found, more = find.by_number(trace.settings, store, asked.number, trace.scan())
    else:
        found, more = find.by_email(store, asked.email, trace.scan())
    if more:
        trace.notes.append(f"{more:,} more entities match; shown are those with the newest events")
    if not found and not asked.email:
        raise _nothing(asked, [])
    return found


def _contact(trace: _Trace, asked: Asked, lives: list[EntityLife]) -> bool:
    """Note what is known of an address' contact, of which no event may be kept; whether anything is."""
    address = asked.email.strip().lower()
    accounts = trace.settings.stores[asked.store].accounts
    found = [_contact_in(trace, account, address, lives) for account in accounts]
    return any(found)


def _contact_in(trace: _Trace, account: str, address: str, lives: list[EntityLife]) -> bool:
    name = record_name(account, RecordKind.CONTACT, address)
    if any(name in life.now for life in lives):
        return True
    answer = now.ask_record(trace.client, trace.settings, account, RecordKind.CONTACT, address)
    if answer.found is None:
        trace.notes.append(f"deliver did not answer about the contact: {answer.why}")
        return False
    sent, pending = answer.found.get("last_sent"), answer.found.get("pending")
    said = "was told" if sent else "was never told"
    waits = f"; it waits: {answer.found.get('why')}" if pending else ""
    trace.notes.append(f"contact of that address: Connectif {said} of it in account {account}{waits}")
    return bool(sent or pending)


def _nothing(asked: Asked, lives: list[EntityLife]) -> NothingKnown:
    what = f"{asked.kind} {asked.id}" if asked.kind is not None else "what was asked for"
    silent = sorted({why for life in lives for why in life.silent.values()})
    since = " since then" if asked.since is not None else ""
    message = f"nothing is known of {what} of store {asked.store}"
    if asked.only_now:
        return NothingKnown(
            f"{message} by the workers" + "".join(f"; {why}" for why in silent),
            hint="without --now, the topics are read too",
        )
    return NothingKnown(
        f"{message}: no event of it was received{since}",
        hint="see whether the shop lists its webhook as sent, and whether store, kind and id are right",
    )
