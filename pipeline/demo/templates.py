"""The real bodies that the demo's webhooks are made from (`pipeline/bodies`, with their licences)."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import orjson

Body = dict[str, Any]


def template(platform: str, name: str) -> Body:
    """A fresh copy of a body, to be filled in."""
    body: Body = orjson.loads(_raw(platform, name))
    return body


@cache
def _raw(platform: str, name: str) -> bytes:
    return (resources.files("pipeline") / "bodies" / platform / f"{name}.json").read_bytes()
