"""`pipeline topics`: the table of topics against the cluster, for a person or as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.config import Settings
from pipeline.kafka import topic_check
from pipeline.kafka.settings import client_config
from pipeline.kafka.topic_check import Report, TopicsError, TopicState
from pipeline.kafka.topics import DAY_MS

_COLOURS = {TopicState.MISSING: "yellow", TopicState.DIFFERS: "red"}


def run(settings: Settings, console: Console, *, check: bool, apply: bool, as_json: bool) -> None:
    """Create, verify (`check`: only verify) or alter (`apply`) the topics, and show how they stand.

    Raises:
        TopicsError: the cluster is not as it must be; shown before.
        BrokerError: the cluster does not answer, or refuses a change.
    """
    try:
        report = topic_check.verify(settings) if check else topic_check.ensure(settings, apply=apply)
    except TopicsError as error:
        _show(error.report, settings, console, as_json=as_json)
        raise
    _show(report, settings, console, as_json=as_json)


def _show(report: Report, settings: Settings, console: Console, *, as_json: bool) -> None:
    if as_json:
        console.print_json(json.dumps(_tree(report)))
        return
    console.print(_table(report, str(client_config(settings)["bootstrap.servers"])))
    for note in report.notes:
        console.print(f"note: {note}", style="yellow", markup=False, highlight=False)


def _tree(report: Report) -> dict[str, Any]:
    return {
        "topics": [
            {
                "name": result.topic.name,
                "partitions": result.topic.partitions,
                "replication": result.topic.replication,
                "config": dict(result.topic.config),
                "state": str(result.state),
                "differences": [asdict(difference) for difference in result.differences],
            }
            for result in report.results
        ],
        "refusals": list(report.refusals),
        "notes": list(report.notes),
    }


def _table(report: Report, servers: str) -> Table:
    table = Table(
        title=f"Topics on {servers}",
        title_justify="left",
        box=None,
        header_style="dim",
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    # All the others are narrow: a long name is folded where the terminal has 80 columns.
    table.add_column("topic", overflow="fold")
    for heading in ("parts", "copies", "min"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("kept", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for result in report.results:
        topic, colour = result.topic, _COLOURS.get(result.state, "green")
        table.add_row(
            topic.name,
            str(topic.partitions),
            str(topic.replication),
            topic.config["min.insync.replicas"],
            _kept(topic.config["cleanup.policy"], int(topic.config["retention.ms"])),
            f"[{colour}]{result.state}[/]",
        )
    return table


def _kept(cleanup: str, retention_ms: int) -> str:
    days = f"{retention_ms // DAY_MS} d"
    return {"delete": days, "compact": "per key", "compact,delete": f"per key, {days}"}[cleanup]
