"""`schemas/`: what lies on the topics and what custom shops send, made from the code.

JSON Schemas (2020-12) and an AsyncAPI 3 file. The same code always makes the same bytes, so `--check` finds a
file that the code has left behind.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipeline import asyncapi
from pipeline.config import Settings
from pipeline.dead.state import DeadLetterState
from pipeline.events import TRACE, Kind, Lane, RawEvent
from pipeline.kafka.deadletters import HEADERS as DEAD_LETTER_HEADERS
from pipeline.kafka.replays import HEADERS as REPLAY_HEADERS
from pipeline.kafka.replays import ReplayMode
from pipeline.records import ContactRecord, CouponRecord, CouponUse, ProductRecord, PurchaseRecord, Receipt
from pipeline.shops.registry import PLATFORMS
from pipeline.tracing import DELIVERY

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

#: File name -> the model whose JSON lies on a topic.
_MODELS = {
    "contact-record.json": ContactRecord,
    "product-record.json": ProductRecord,
    "purchase-record.json": PurchaseRecord,
    "coupon-record.json": CouponRecord,
    "coupon-use.json": CouponUse,
    "receipt.json": Receipt,
    "dead-letter-state.json": DeadLetterState,
}
_ENTRY = re.compile(r"^ {4}(\w+): (.+?)(?=^ {4}\w+: |\Z)", re.MULTILINE | re.DOTALL)
#: W3C trace context, of version 00.
_TRACE: Schema = {
    "type": "string",
    "description": "its trace context, where traces are on.",
    "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$",
}
_CHOICES = {"kind": Kind, "lane": Lane}


def files() -> dict[str, str]:
    """The content of every file of `schemas/`, by its name."""
    made = {name: _json(_of_model(model)) for name, model in _MODELS.items()}
    for platform in PLATFORMS.values():
        made |= {name: _json(_of_bodies(model)) for name, model in platform.schemas.items()}
    made["raw-event.json"] = _json(_of_event())
    made["raw-event-headers.json"] = _json(event_headers())
    made["dead-letter-headers.json"] = _json(dead_letter_headers())
    made["replay-headers.json"] = _json(replay_headers())
    made["trace-headers.json"] = _json(trace_headers())
    made["asyncapi.yaml"] = asyncapi.text(Settings())
    return dict(sorted(made.items()))


def write(directory: Path) -> list[str]:
    """Write every file that is not as it must be; returns their names."""
    stale = drifted(directory)
    directory.mkdir(parents=True, exist_ok=True)
    made = files()
    for name in stale:
        (directory / name).write_text(made[name], encoding="utf-8")
    return stale


def drifted(directory: Path) -> list[str]:
    """The names of the files that are missing or differ from the code."""
    found = {
        name: path.read_text(encoding="utf-8") if (path := directory / name).is_file() else None
        for name in files()
    }
    return [name for name, content in files().items() if found[name] != content]


def event_headers() -> Schema:
    """The headers of a `shop.*` message: the pipeline's, all of them texts, and the shop's own."""
    said = _attributes(RawEvent)
    ours: dict[str, Schema] = {}
    for item in dataclasses.fields(RawEvent):
        if item.name in {"body", "headers"}:
            continue
        schema: Schema = {"type": "string", "description": said[item.name]}
        if item.name in _CHOICES:
            schema["enum"] = [choice.value for choice in _CHOICES[item.name]]
        elif item.name.endswith("_ms"):
            schema["pattern"] = "^[0-9]+$"
        ours[f"pipeline-{item.name.removesuffix('_ms')}"] = schema
    properties = ours | {TRACE: _TRACE}
    return {
        "$schema": DIALECT,
        "title": "Headers of a raw event",
        "description": "The pipeline's have the prefix `pipeline-`, the shop's own their lower-case names. "
        "Kafka holds them as UTF-8 bytes.",
        "type": "object",
        "properties": properties,
        "required": list(ours),
        "additionalProperties": {"type": "string"},
    }


def trace_headers() -> Schema:
    """The headers that records have where traces are on; receipts have the first."""
    delivery: Schema = {"type": "string", "description": "the delivery that the record came of, shortened."}
    return {
        "$schema": DIALECT,
        "title": "Headers of a record or receipt",
        "description": "Where the settings ask for traces (docs/traces.md).",
        "type": "object",
        "properties": {TRACE: _TRACE, DELIVERY: delivery},
        "additionalProperties": {"type": "string"},
    }


def dead_letter_headers() -> Schema:
    """The headers a dead letter has besides those of the message it keeps."""
    return {
        "$schema": DIALECT,
        "title": "Headers of a dead letter",
        "description": "Besides the headers of the original message.",
        "type": "object",
        "properties": {
            name: {"type": "string", "description": meaning}
            | ({"pattern": "^-?[0-9]+$"} if name in {"dead-partition", "dead-offset", "dead-at"} else {})
            for name, meaning in DEAD_LETTER_HEADERS.items()
        },
        "required": list(DEAD_LETTER_HEADERS),
        "additionalProperties": {"type": "string"},
    }


def replay_headers() -> Schema:
    """The headers a repeated event has besides its own."""
    properties: dict[str, Schema] = {
        name: {"type": "string", "description": meaning} for name, meaning in REPLAY_HEADERS.items()
    }
    for name in ("replay-partition", "replay-offset"):
        properties[name]["pattern"] = "^[0-9]+$"
    properties["replay-mode"]["enum"] = [mode.value for mode in ReplayMode]
    return {
        "$schema": DIALECT,
        "title": "Headers of a repeated event",
        "description": "Besides the headers of the event itself.",
        "type": "object",
        "properties": properties,
        "required": [name for name in REPLAY_HEADERS if name != "replay-trigger"],
        "additionalProperties": {"type": "string"},
    }


def _of_model(model: type[Any]) -> Schema:
    """The schema of what is written: decimals are texts, so that none becomes a float."""
    return {"$schema": DIALECT, **TypeAdapter(model).json_schema(mode="serialization")}


def _of_bodies(model: Any) -> Schema:
    """The schema of what may be sent to us."""
    return {"$schema": DIALECT, **TypeAdapter(model).json_schema(mode="validation")}


def _of_event() -> Schema:
    schema = TypeAdapter(RawEvent).json_schema(mode="serialization")
    for name, meaning in _attributes(RawEvent).items():
        schema["properties"][name]["description"] = meaning
    summary = (inspect.getdoc(RawEvent) or "").partition("\n")[0]
    return {"$schema": DIALECT, **schema, "description": summary}


def _attributes(of: type[Any]) -> Mapping[str, str]:
    """The meaning of each attribute, from the docstring's `Attributes:` section."""
    section = (inspect.getdoc(of) or "").partition("Attributes:\n")[2]
    return {name: " ".join(meaning.split()) for name, meaning in _ENTRY.findall(section)}


def _json(tree: Schema) -> str:
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
