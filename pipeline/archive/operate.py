"""What the commands of `pipeline archive` do, except the process that keeps going."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline import private
from pipeline.archive.files import DIRECTORY, Archive
from pipeline.archive.verify import verify as verified
from pipeline.archive.writer import ArchiveWriter
from pipeline.config import Settings
from pipeline.console import Console
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config

#: Of one kind, faults that a table names one by one.
SHOWN = 20


@contextmanager
def writer(settings: Settings) -> Iterator[ArchiveWriter]:
    """What writes the archive, while no other process of this machine does.

    Raises:
        InUse: another one does.
        PipelineError: the archive or Kafka cannot be used.
    """
    archive = Archive(settings)
    os.umask(private.UMASK)
    lock = private.directory(settings.data_dir / DIRECTORY) / "lock"
    with ExitStack() as stack:
        stack.enter_context(
            private.hold(lock, "the archive", "it archives already; stop that process to do it here")
        )
        yield ArchiveWriter(settings, archive, stack.enter_context(RangeReader(client_config(settings))))


def run_once(settings: Settings, console: Console, *, as_json: bool, stop: threading.Event) -> None:
    """Archive all there is now, and end.

    Raises:
        PipelineError: Kafka or the storage refuses; do it again, it goes on where it was.
    """
    with writer(settings) as writing, _bar(console, "archiving", "events") as progress:
        writing.begin()
        done = writing.write(everything=True, progress=progress, stop=stop.is_set)
    if as_json:
        print(json.dumps({"files": done.files, "events": done.events, "bytes": done.size}))  # noqa: T201
    else:
        console.print(f"{done.events:,} events archived, in {done.files:,} files of {done.size:,} bytes")


def listing(settings: Settings, console: Console, *, as_json: bool) -> None:
    """Print what the archive holds, by partition.

    Raises:
        StorageError: it cannot be listed.
    """
    found: list[dict[str, Any]] = [
        {
            "topic": place.topic,
            "partition": place.partition,
            "files": len(coverage.files),
            "bytes": sum(file.size for file in coverage.files),
            "start": coverage.start,
            "end": coverage.end,
            "first_day": coverage.files[0].day,
            "last_day": coverage.files[-1].day,
        }
        for place, coverage in Archive(settings).listing().coverages().items()
    ]
    if as_json:
        print(json.dumps(found))  # noqa: T201 - its output
        return
    table = Table(title=f"Archive {settings.archive.url}", title_justify="left")
    for name in ("topic", "partition", "offsets", "arrived", "files", "bytes"):
        table.add_column(name, overflow="fold")
    for row in found:
        table.add_row(
            row["topic"],
            str(row["partition"]),
            f"{row['start']:,} to {row['end'] - 1:,}",
            f"{row['first_day']} to {row['last_day']}",
            f"{row['files']:,}",
            f"{row['bytes']:,}",
        )
    console.print(table)


def verify(settings: Settings, console: Console, *, contents: bool, as_json: bool) -> bool:
    """Print whether the archive and the topics together hold every event once; returns whether they do.

    Raises:
        PipelineError: Kafka or the storage refuses.
    """
    archive = Archive(settings)
    errors = Console(stderr=True)
    with RangeReader(client_config(settings)) as reader, _bar(errors, "reading", "bytes") as progress:
        found = verified(settings, archive, reader, progress, contents=contents)
    if as_json:
        print(json.dumps(found.as_json()))  # noqa: T201 - its output
        return not found.faults
    by_kind: dict[str, list[str]] = {}
    for fault in found.faults:
        by_kind.setdefault(fault.kind, []).append(fault.text)
    for kind, texts in by_kind.items():
        for text in texts[:SHOWN]:
            console.print(f"{kind}: {text}", style="red", markup=False, highlight=False, soft_wrap=True)
        if len(texts) > SHOWN:
            console.print(f"{kind}: {len(texts) - SHOWN} more; --json names all", highlight=False)
    rows = f", {found.rows:,} events" if contents else ""
    console.print(
        f"{found.files:,} files of {found.size:,} bytes{rows}; {found.waiting:,} offsets are in the topics "
        f"alone; {len(found.faults):,} faults",
        highlight=False,
        soft_wrap=True,
    )
    return not found.faults


@contextmanager
def _bar(console: Console, title: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None, said="")

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, said=f"{done:,} of {total:,} {unit}")

        yield tell


__all__ = ["listing", "run_once", "verify", "writer"]
