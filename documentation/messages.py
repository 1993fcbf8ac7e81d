"""docs/reference/messages.md: what lies on the topics, by the schemas of `schemas/`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pipeline import schemas
from pipeline.markdown import table

_HEAD = """\
# Messages

Made by `python -m documentation` from the code, as the JSON Schemas and the AsyncAPI file in `schemas/`
are, which have all of it. What the topics are for: [architecture](../architecture.md); how long they are
kept: [retention](../retention.md).
"""
#: Bodies of custom shops, whose page says more: docs/shops/generic.md.
_MOST = 60


def text() -> str:
    """The page."""
    found = {name: json.loads(content) for name, content in schemas.files().items() if name.endswith(".json")}
    return _HEAD + "\n".join(line for name in found for line in _schema(name, found[name])) + "\n"


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield from ("", f"## `{name}`", "", " ".join(str(schema.get("description", "")).split()), "")
    required = set(schema.get("required", ()))
    rows = [
        (f"`{field}`", _type(said), "yes" if field in required else "", str(said.get("description", "")))
        for field, said in list(schema.get("properties", {}).items())[:_MOST]
    ]
    if rows:
        yield from table(("field", "type", "always there", "meaning"), rows)


def _type(said: dict[str, Any]) -> str:
    if "$ref" in said:
        return str(said["$ref"]).rpartition("/")[2]
    if "anyOf" in said:
        return " or ".join(dict.fromkeys(_type(one) for one in said["anyOf"]))
    if "const" in said:
        return f"`{said['const']}`"
    if "enum" in said:
        return " or ".join(f"`{one}`" for one in said["enum"])
    if said.get("type") == "array":
        return f"list of {_type(said.get('items', {}))}"
    return str(said.get("format") or said.get("type", "anything"))
