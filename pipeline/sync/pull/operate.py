"""What the commands of `pipeline sync` do: give a worker a command, and ask it how far it is."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn

from pipeline.config import Settings
from pipeline.config_checks import require_store
from pipeline.console import Console
from pipeline.errors import PipelineError, SettingsError
from pipeline.events import Kind
from pipeline.kafka import topic_check
from pipeline.kafka.keys import unique_key
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import SYNC_APP, SYNC_COMMANDS_TOPIC, full_name
from pipeline.records import partition_of
from pipeline.shops.registry import PLATFORMS
from pipeline.sync.pull import left, shown
from pipeline.sync.pull.stage import PAGE
from pipeline.sync.pull.state import Command, Wanted
from pipeline.workers.client import WorkerAnswer, WorkerClient

#: Seconds between two looks, and for which nobody may answer, and between two lines without a terminal.
LOOK, SILENT, LINE = 1.0, 60.0, 10.0


def readable(settings: Settings) -> list[str]:
    """The stores whose API can be read."""
    stores = settings.stores.items()
    return [name for name, store in stores if PLATFORMS[store.platform].pulled(store) is not None]


def require_readable(settings: Settings, store: str) -> None:
    """That a store is there, and its API can be read.

    Raises:
        SettingsError: it is not.
    """
    require_store(settings, store)
    if store not in readable(settings):
        platform = PLATFORMS[settings.stores[store].platform]
        why = "its API is not read" if platform.pull is None else "the store has no credentials for its API"
        raise SettingsError(f"{store}: {why}", hint="docs/sync.md says what each platform needs")


def command(
    store: str,
    wanted: Wanted,
    *,
    seconds: float | None = None,
    kinds: Sequence[Kind] = (),
    dry_run: bool = False,
    accept_deletions: bool = False,
) -> Command:
    """A new command; `seconds` ago is where `since` begins."""
    now = time.time()
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    return Command(
        id=f"{wanted}-{stamp}-{secrets.token_hex(2)}",
        store=store,
        wanted=wanted,
        since_ms=None if seconds is None else int((now - seconds) * 1_000),
        kinds=tuple(dict.fromkeys(kinds)),
        dry_run=dry_run,
        accept_deletions=accept_deletions,
        at_ms=int(now * 1_000),
    )


def give(settings: Settings, said: Command) -> None:
    """Put a command on `sync.commands`; returns once it is confirmed."""
    topic_check.verify(settings)
    kafka = settings.kafka
    producer = Producer(client_config(settings), max_message_bytes=kafka.max_message_bytes, linger_ms=1)
    try:
        partition = partition_of(said.store, kafka.account_partitions)
        topic, key = full_name(settings, SYNC_COMMANDS_TOPIC), unique_key(said.store.encode())
        producer.send_all([Outgoing(topic, said.model_dump_json().encode(), key, partition)])
    finally:
        producer.close()


def watch(settings: Settings, said: Command, console: Console, *, as_json: bool) -> bool:
    """Show how far a command's run is until it is over; returns whether all of it went well.

    Raises:
        PipelineError: no worker answers, or another run took its place.
    """
    began = answered = told = time.monotonic()
    with _asking(settings) as client, _bar(console) as bar:
        task = bar.add_task(said.id, total=None, said="")
        while True:
            answer = _ask(settings, client, said.store)
            now = time.monotonic()
            if answer.found is not None:
                answered = now
                found = dict(answer.found)
                if shown.is_over(found, said.id):
                    break
                if shown.is_passed(found, said.id) and now - began > SILENT:
                    raise PipelineError("another run took its place", hint="pipeline sync status")
                current = shown.current_pass(found) or {}
                text = shown.line(found)
                bar.update(task, total=current.get("total"), completed=current.get("read", 0), said=text)
                if not console.is_terminal and not as_json and now - told > LINE:
                    told = now
                    console.print(f"{said.id}: {text}", markup=False, highlight=False, soft_wrap=True)
            elif now - answered > SILENT:
                hint = "the command is kept: it begins once `pipeline worker sync` runs"
                raise PipelineError(f"no worker says how far it is: {answer.why}", hint=hint)
            time.sleep(LOOK)
    _report(found, as_json=as_json)
    return bool(found["run"]["status"] == "done" and not found["run"]["held"])


def status(settings: Settings, stores: Sequence[str], console: Console, *, as_json: bool) -> bool:
    """Print how the stores' syncs are; returns whether all their workers answered and nothing failed."""
    for store in stores:
        require_readable(settings, store)
    named = list(stores) or readable(settings)
    with _asking(settings) as client:
        answers = {store: _ask(settings, client, store) for store in named}
    found = {name: None if one.found is None else dict(one.found) for name, one in answers.items()}
    if as_json:
        said = [
            {"store": name, "error": one.error, "why": one.why}
            if (told := found[name]) is None
            else told | {"left": left.time_left(told)._asdict()}
            for name, one in answers.items()
        ]
        print(json.dumps(said))  # noqa: T201 - its output
    else:
        rows = [(name, found[name], one.why) for name, one in answers.items()]
        out = Console()
        out.print(shown.stores(rows))
        for one in found.values() if stores else ():
            if one is not None and one["run"] is not None:
                out.print(shown.run(one))
                if one["run"]["status"] == "running":
                    out.print(shown.time_left_of(one), highlight=False, soft_wrap=True)
        if not named:
            console.print("no store has an API that can be read: docs/sync.md", style="yellow")
    return all(one is not None and (one["run"] or {}).get("status") != "failed" for one in found.values())


def _report(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found))  # noqa: T201 - its output
        return
    out = Console()
    out.print(shown.run(found))
    for kind, count in found["run"]["held"].items():
        out.print(
            f"{count:,} {kind}s are missing at the shop, too many to be believed, and were not deleted: look "
            "at the rights of the API's key, or accept it with --full --accept-deletions",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )


def _ask(settings: Settings, client: WorkerClient, store: str) -> WorkerAnswer:
    partition = partition_of(store, settings.kafka.account_partitions)
    return client.ask(SYNC_APP, SYNC_COMMANDS_TOPIC, partition, PAGE, {"store": store})


@contextlib.contextmanager
def _asking(settings: Settings) -> Iterator[WorkerClient]:
    client = WorkerClient(settings)
    try:
        yield client
    finally:
        client.close()


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[said]}"),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


__all__ = ["command", "give", "readable", "require_readable", "status", "watch"]
