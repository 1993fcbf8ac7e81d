"""`pipeline top`: the status in the terminal, live or once."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence

from rich.live import Live

from pipeline.config import Settings
from pipeline.console import Console
from pipeline.status import show
from pipeline.status.facts import Snapshot
from pipeline.status.gather import Gatherer

#: Columns of a page that is no terminal's: nothing of a row is folded there.
WIDTH = 240


def once(settings: Settings, urls: Sequence[str], *, as_json: bool) -> bool:
    """Print the status; returns whether there is nothing to look at.

    Args:
        settings: the program's.
        urls: of processes that are not found by themselves.
        as_json: for scripts.
    """
    with Gatherer(settings, urls) as gatherer:
        found = gatherer.gather()
    if as_json:
        print(json.dumps(found.as_json()))  # noqa: T201 - its output
    else:
        console = Console()
        if not console.is_terminal:
            console = Console(width=WIDTH)
        console.print(show.whole(found), highlight=False)
    return not any(found.troubles())


def live(settings: Settings, urls: Sequence[str], interval: float) -> bool:
    """Keep the status on the screen until Ctrl-C; returns whether there was nothing to look at at the last.

    Args:
        settings: the program's.
        urls: of processes that are not found by themselves.
        interval: seconds between two looks.
    """
    console, found = Console(), Snapshot(time.time())
    with Gatherer(settings, urls) as gatherer, contextlib.suppress(KeyboardInterrupt):
        found = gatherer.gather()
        with Live(
            show.screen(found, console.height), console=console, screen=True, auto_refresh=False
        ) as view:
            while True:
                view.update(show.screen(found, console.height), refresh=True)
                time.sleep(interval)
                found = gatherer.gather()
    console.print(show.screen(found, console.height), highlight=False)
    return not any(found.troubles())
