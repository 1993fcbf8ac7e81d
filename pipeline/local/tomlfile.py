"""Settings trees as TOML text, for the processes we start with settings of our making."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def dumps(tree: Mapping[str, Any]) -> str:
    """The tree as TOML: its own values first, then a table for each table below the first level.

    Raises:
        TypeError: a value that TOML does not have (None, for one).
        ValueError: a number that is not finite.
    """
    plain = {key: value for key, value in tree.items() if not isinstance(value, Mapping)}
    lines = [f"{_text(key)} = {_value(value)}" for key, value in plain.items()]
    for key, value in tree.items():
        if isinstance(value, Mapping):
            lines += [
                "",
                f"[{_text(key)}]",
                *(f"{_text(name)} = {_value(item)}" for name, item in value.items()),
            ]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    # TOML's basic strings are JSON's, but for the one control character that JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_text(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool | int | float):
        return json.dumps(value, allow_nan=False)
    if isinstance(value, Sequence | frozenset | set):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    raise TypeError(f"TOML has no value for {type(value).__name__}")
