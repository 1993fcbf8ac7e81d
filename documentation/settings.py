"""docs/reference/settings.md: what `pipeline settings` prints, as tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline import example
from pipeline.markdown import table

_HEAD = """\
# Settings

Made by `python -m documentation` from the code, as [`pipeline.example.toml`](../../pipeline.example.toml)
is. How they are checked and taken over: [settings](../settings.md). A secret is `{ env = "NAME" }` or `{
file = "path" }`. Every value can also come from the environment, which wins:
`PIPELINE__ACCOUNTS__ACME_ES__CALLS_PER_MINUTE=80`. Relative paths are relative to the file.
"""
_EXAMPLE = " Not set; for example:"
_TABLE = re.compile(r"^#?(\[\[?[\w.-]+\]\]?)$")
_VALUE = re.compile(r"^(#?)([\w]+) = (.*)$")


def text() -> str:
    """The page."""
    return _HEAD + "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    for title, said, rows in _sections():
        yield from ("", f"## {title}", "")
        if said:
            yield from (said, "")
        yield from table(("setting", "default", "meaning"), rows)


def _sections() -> Iterator[tuple[str, str, list[tuple[str, str, str]]]]:
    """Each table of the file: its title, what it is, and its settings."""
    title, said, only = "At the top", "", ""
    rows: list[tuple[str, str, str]] = []
    comment: list[str] = []
    for line in example.text().removeprefix(example.HEAD).splitlines():
        if found := _TABLE.match(line):
            if rows:
                yield title, said, rows
            title, said, rows, comment, only = f"`{found[1]}`", " ".join(comment), [], [], ""
        elif found := _VALUE.match(line):
            meaning = " ".join(comment)
            rows.append((f"`{found[2]}`", _default(found, meaning), only + meaning.removesuffix(_EXAMPLE)))
            comment = []
        elif line.startswith("# Only with platform"):
            only, comment = f"({line.removeprefix('# ').removesuffix(':')}.) ", []
        elif line.startswith("#"):
            comment.append(line.removeprefix("# "))
        else:
            comment = []
    yield title, said, rows


def _default(found: re.Match[str], meaning: str) -> str:
    if meaning.endswith(_EXAMPLE.strip()):
        return f"not set; such as `{found[3]}`"
    return f"`{found[3]}`" if found[1] else f"must be set; such as `{found[3]}`"
