"""How far a scan is: a bar with the time that is left, or a line now and then where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.text import span

#: Seconds between two lines.
LINE_SECONDS = 5.0


@contextmanager
def scanning(title: str, console: Console) -> Iterator[Callable[[int, int], None]]:
    """What to call with how many messages are dealt with, and how many there are."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    began = said = time.monotonic()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def tell(done: int, total: int) -> None:
            nonlocal said
            bar.update(task, completed=done, total=total)
            now = time.monotonic()
            if not console.is_terminal and now - said >= LINE_SECONDS:
                said = now
                left = span((now - began) / max(done, 1) * (total - done))
                console.print(f"{title}: {done:,} of {total:,}, {left} left", highlight=False, soft_wrap=True)

        yield tell
