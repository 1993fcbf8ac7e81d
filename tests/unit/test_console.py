"""What commands write to a terminal: text of a stranger's changes nothing there."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from pipeline.console import Console
from pipeline.text import in_a_line, printable

#: What clears a screen, colours it, sets a title, answers for the user, turns the writing round, or rings.
HOSTILE = [
    "\x1b[2J",
    "\x9b31m",
    "\x1b]0;title\x07",
    "\x1b[6n",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "\x08\x08",
    "a\rb",
    "\ud800",
    "\x00",
]
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def written(text: str) -> str:
    """What a terminal gets when it is printed, and stands in each part of a table."""
    file = io.StringIO()
    console = Console(file=file, width=200)
    table = Table(title=text)
    table.add_column(text)
    table.add_row(text)
    console.print(text, markup=False)
    console.print(table)
    return file.getvalue()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_strangers_text_moves_no_cursor_and_turns_no_writing(text: str) -> None:
    assert not CONTROL.search(written(text))


@given(st.text())
def test_any_text_is_written_without_controls(text: str) -> None:
    assert not CONTROL.search(written(text).replace("\t", ""))
    assert in_a_line(text) == in_a_line(printable(text))


def test_a_plain_text_is_written_as_it_is() -> None:
    said = "Ärmel :warning: 東京 €5 [brackets]"
    assert written(said).splitlines()[0] == said
    assert printable("two\nlines\tand a tab") == "two\nlines\tand a tab"
    assert in_a_line("two\nlines") == "two?lines"


def test_every_command_writes_by_this_console() -> None:
    made = re.compile(r"from rich\.console import .*\bConsole\b")
    for path in Path(printable.__code__.co_filename).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if made.search(text):
            assert not re.search(r"(?<!\w)Console\(", text), f"{path} makes a console of rich's own"
