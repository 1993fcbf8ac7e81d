"""The terminal that commands write to. What comes from outside may be any text, and changes nothing there."""

from __future__ import annotations

from typing import Any

from rich import console
from rich.text import Text

from pipeline.text import printable


class Console(console.Console):
    """Rich's, whose texts and cells are printable: a shop's body could otherwise write over the screen.

    A word between colons stays what it is, and does not become a picture.
    """

    def __init__(self, **how: Any) -> None:
        super().__init__(emoji=False, **how)

    def render_str(self, text: str, **how: Any) -> Text:
        """As rich's; every string that is printed, or stands in a table, comes here."""
        return super().render_str(printable(text), **how)
