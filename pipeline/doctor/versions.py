"""What runs here, and whether the processes run the same."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator

from pipeline.doctor.context import Context
from pipeline.doctor.findings import Finding, named, ok, warning
from pipeline.kafka.producer import librdkafka
from pipeline.process import version
from pipeline.status.facts import ProcessFacts

VERSIONS = "versions"


def examine(_: Context) -> list[Finding]:
    """Of this installation. Kafka's brokers do not tell clients which release they are."""
    said = f"pipeline {version()}, Python {platform.python_version()}, librdkafka {librdkafka()}"
    return [ok(VERSIONS, said)]


def of_processes(processes: Iterable[ProcessFacts], own: str | None = None) -> Iterator[Finding]:
    """Those that run another version than this command, which may know other settings and topics."""
    own = version() if own is None else own
    others = [f"{one.name} runs {one.version}" for one in processes if one.version not in {"", own}]
    if others:
        said = f"this is {own}, and {named(others, 5)}"
        yield warning(VERSIONS, said, "start them again with the new release; in which order: CHANGELOG.md")
