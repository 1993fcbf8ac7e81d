"""What the topics hold of a person, as JSON, for the person."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from pipeline.archive.access import event_reader
from pipeline.config import Settings
from pipeline.console import Console
from pipeline.erase.found import Found
from pipeline.erase.report import moment
from pipeline.erase.run import person_of
from pipeline.erase.scan import PersonScan
from pipeline.errors import PipelineError
from pipeline.kafka.erase_requests import Asked
from pipeline.kafka.keys import entity_key
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.ranges import OffsetRange
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.topics import full_name
from pipeline.progress import scanning

#: Headers of a message that say what it is; the others are the pipeline's own.
_SHOWN = ("pipeline-topic", "dead-reason", "dead-detail")


def export(settings: Settings, asked: Asked, path: Path, console: Console) -> Found:
    """Write all that is kept of a person to a file that only this user can read; returns what was found.

    What Connectif has of the contact is not in it: Connectif's own export has.

    Args:
        settings: the program's.
        asked: whose data.
        path: of the file; it must not exist.
        console: is told how far it is.

    Raises:
        PipelineError: the file cannot be written.
        RequestGone: the shop's webhook is gone.
    """
    with event_reader(settings) as reader:
        scan = PersonScan(settings, reader, console)
        found = scan.find(person_of(settings, scan, asked))
        messages = _messages(settings, reader, found, console)
        _write(path, asked.store, found, messages)
    return found


def _messages(
    settings: Settings, reader: RangeReader, found: Found, console: Console
) -> Iterator[dict[str, Any]]:
    """The messages found, read once more: only where any lie."""
    for topic, keys in found.messages.items():
        name = full_name(settings, topic)
        places = {TopicPartition(name, partition) for partition, _ in keys}
        ranges: list[OffsetRange] = [one for one in reader.ranges(name) if one.place in places]
        with scanning(topic, console) as tell:
            for batch in reader.read(ranges, progress=tell, on_lost=lambda _: None):
                for message in batch.messages():
                    if (message.partition, message.key) in keys:
                        headers = dict(message.headers)
                        yield {
                            "topic": topic,
                            "of": entity_key(message.key or b"").decode(errors="replace"),
                            "arrived": moment(message.timestamp),
                            **{
                                key: (headers[key] or b"").decode(errors="replace")
                                for key in _SHOWN
                                if key in headers
                            },
                            "content": _content(message.value or b""),
                        }


def _content(value: bytes) -> object:
    try:
        return orjson.loads(value)
    except ValueError:
        return value.decode(errors="replace")


def _write(path: Path, store: str, found: Found, messages: Iterator[dict[str, Any]]) -> None:
    said = {"store": store, "addresses": sorted(found.addresses), "accounts": sorted(found.customers)}
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(said)[:-1] + b',"messages":[')
            for number, message in enumerate(messages):
                file.write((b",\n" if number else b"\n") + orjson.dumps(message))
            file.write(b"\n]}\n")
    except OSError as error:
        raise PipelineError(
            f"{path} cannot be written: {error.strerror}", hint="name a file that does not exist yet"
        ) from error
