"""Tables of the status: what fits is written as rich lays it out, and what does not by rich itself."""

from __future__ import annotations

import io

import pytest
from rich.table import Table as RichTable

from pipeline.console import Console
from pipeline.status.table import Table

Row = tuple[str | tuple[str, str], ...]

ROWS: list[Row] = [
    ("acme-es", ("stopped", "bold red"), "1,234 (5 min)", "why: [red]not markup[/] :smile:"),
    ("日本-é", ("fine", "green"), "·", ""),
    ("b", "plain", ("7", "cyan"), "end"),
]


def filled(rows: list[Row]) -> Table:
    table = Table(("account", "state", "live", "why"), right=("live",))
    for row in rows:
        table.add_row(*row)
    return table


def printed(table: Table | RichTable, width: int, *, colours: bool = False) -> str:
    file = io.StringIO()
    Console(width=width, file=file, force_terminal=colours).print(table, highlight=False)
    return file.getvalue()


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], []])
@pytest.mark.parametrize("width", [240, 64, 40, 12])
def test_it_looks_as_richs(rows: list[Row], width: int) -> None:
    table = filled(rows)
    assert printed(table, width) == printed(table._by_rich(), width)


def test_states_have_their_colours() -> None:
    text = printed(filled(ROWS), 240, colours=True)
    assert "\x1b[1;31mstopped\x1b[0m" in text
    assert "\x1b[2maccount\x1b[0m" in text


def test_what_is_not_printable_cannot_write_over_the_screen() -> None:
    text = printed(filled([("a\x1b[2Jb", "x\ry", "1", "z\x07")]), 240)
    assert "\x1b" not in text
    assert "\r" not in text
    assert "\x07" not in text


def test_what_fits_is_not_laid_out_by_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Table, "_by_rich", lambda _: pytest.fail("it was"))
    assert printed(filled(ROWS), 240).startswith("account  state")
