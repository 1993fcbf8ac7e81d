"""Tables of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """The lines of a table; nothing in a cell ends it."""
    names = list(names)
    yield _row(names)
    yield _row("---" for _ in names)
    yield from map(_row, rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"
