"""A table of the status: written line by line where it fits, as rich lays it out in a millisecond a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.table import Table as RichTable
from rich.text import Text

from pipeline.text import printable

#: Spaces between two columns.
_BETWEEN = 2


@dataclass(slots=True)
class Table:
    """A table without lines.

    Attributes:
        headings: of its columns.
        right: those of them whose cells stand at the right.
        rows: the cells, each with its text and its style.
    """

    headings: Sequence[str]
    right: Sequence[str] = ()
    rows: list[list[tuple[str, str]]] = field(default_factory=list)

    def add_row(self, *cells: str | tuple[str, str]) -> None:
        """A row: texts, or texts with a style."""
        styled = [(cell, "") if isinstance(cell, str) else cell for cell in cells]
        self.rows.append([(printable(text), style) for text, style in styled])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = zip(*([(heading, "dim") for heading in self.headings], *self.rows), strict=True)
        widths = [max(cell_len(text) for text, _ in column) for column in columns]
        fits = sum(widths) + _BETWEEN * (len(widths) - 1) <= options.max_width
        if fits and all(text.isprintable() for row in self.rows for text, _ in row):
            yield from self._segments(console, widths)
        else:  # something has to be folded
            yield self._by_rich()

    def _segments(self, console: Console, widths: Sequence[int]) -> Iterator[Segment]:
        last = len(widths) - 1
        is_right = [heading in self.right for heading in self.headings]
        for row in ([(heading, "dim") for heading in self.headings], *self.rows):
            plain = ""
            for number, (text, style) in enumerate(row):
                space = " " * (widths[number] - cell_len(text))
                before, after = (space, "") if is_right[number] else ("", space)
                after += " " * _BETWEEN if number < last else ""
                if style:
                    yield Segment(plain + before)
                    yield Segment(text, console.get_style(style))
                    plain = after
                else:
                    plain += before + text + after
            yield Segment(plain)
            yield Segment.line()

    def _by_rich(self) -> RichTable:
        table = RichTable(box=None, header_style="dim", pad_edge=False, padding=(0, _BETWEEN, 0, 0))
        for heading in self.headings:
            table.add_column(heading, justify="right" if heading in self.right else "left", overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(text, style) for text, style in row))
        return table
