"""docs/metrics.md, made from the registry and from what workers read from their tables at each scrape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pipeline import exposition, metrics
from pipeline.deliver.collector import DeliverCollector
from pipeline.engine.lag import LagCollector
from pipeline.engine.usable import UsableCollector
from pipeline.erase.serve import ErasureCollector
from pipeline.errors import PipelineError
from pipeline.markdown import table
from pipeline.replay.watching import RunsCollector
from pipeline.sync.consent.desk import ConsentCollector
from pipeline.sync.feeds import FeedCollector
from pipeline.sync.pull.collector import PullCollector
from pipeline.sync.worker import SyncCollector
from pipeline.translate.totals import AccountCollector, StoreTallies

FILE = Path("docs/metrics.md")
_EVERY = "every process"
_SUFFIX = {"counter": "_total"}
_COLUMNS = ("series", "type", "labels", "meaning")


class Series(NamedTuple):
    """A series as its page tells it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str
    process: str
    buckets: tuple[float, ...] = ()


def every_series() -> list[Series]:
    """All that is exported, by name."""
    return sorted({series.name: series for series in (*_of_registry(), *_of_tables())}.values())


def _of_registry() -> Iterator[Series]:
    for metric in vars(metrics).values():
        if hasattr(metric, "_labelnames"):
            (family,) = metric.describe()
            buckets = tuple(getattr(metric, "_kwargs", {}).get("buckets", ()))
            labels = tuple(metric._labelnames)  # noqa: SLF001 - nothing public says it
            yield _series(family, labels, _process(family.name), buckets)


def _process(name: str) -> str:
    found = (room for room, beginnings in exposition.ROOMS.items() if name.startswith(beginnings))
    return next(found, _EVERY)


def _of_tables() -> Iterator[Series]:
    """What the workers read from their tables, without any figures."""
    collectors: list[tuple[str, Any]] = [
        ("translate", AccountCollector(StoreTallies())),
        ("deliver", DeliverCollector(tuple, tuple, configured={}, partitions=1)),
        ("erase", ErasureCollector()),
        ("translate", RunsCollector(dict)),
        ("sync", SyncCollector(dict, dict, float)),
        ("sync", FeedCollector(dict, float)),
        ("sync", ConsentCollector({}, float)),
        ("sync", PullCollector(dict, float)),
        ("every worker", LagCollector(dict)),
        ("every worker", UsableCollector("", dict)),
    ]
    for process, collector in collectors:
        for family in collector.collect():
            yield _series(family, tuple(getattr(family, "_labelnames", ())), process)


def _series(family: Any, labels: tuple[str, ...], process: str, buckets: tuple[float, ...] = ()) -> Series:
    name = family.name + _SUFFIX.get(family.type, "")
    return Series(name, family.type, labels, family.documentation, process, buckets)


def text() -> str:
    """The page."""
    found = every_series()
    processes = dict.fromkeys(sorted({series.process for series in found}, key=_order))
    lines = [
        "# Metrics",
        "",
        "Made by `pipeline metrics --write` from the code. Every long-running process exports its own at",
        "`/metrics`. Counters begin at 0 with each process: use `rate()`. What is read from tables",
        "(`pipeline_account_*`) outlives crashes: sum it over processes. Alerts on these are in",
        "[`grafana/prometheus/alerts.yml`](../grafana/prometheus/alerts.yml).",
    ]
    for process in processes:
        lines += ["", f"## {process[0].upper()}{process[1:]}", ""]
        lines += table(_COLUMNS, (_row(series) for series in found if series.process == process))
    return "\n".join((*lines, ""))


def _order(process: str) -> tuple[bool, str]:
    return process not in exposition.ROOMS, process


def _row(series: Series) -> tuple[str, str, str, str]:
    labels = ", ".join(f"`{label}`" for label in series.labels)
    meaning = series.meaning
    if series.buckets:
        meaning += f" Buckets: {', '.join(f'{bound:g}' for bound in series.buckets)} s."
    return f"`{series.name}`", series.kind, labels, meaning


def is_current(root: Path) -> bool:
    """Whether the page is as the code has it."""
    try:
        return (root / FILE).read_text(encoding="utf-8") == text()
    except OSError:
        return False


def write(root: Path) -> Path:
    """Write the page; returns where.

    Raises:
        PipelineError: it cannot be written.
    """
    try:
        (root / FILE).write_text(text(), encoding="utf-8")
    except OSError as error:
        raise PipelineError(
            f"{root / FILE} cannot be written: {error.strerror}",
            hint="name the repository with --directory",
        ) from error
    return root / FILE
