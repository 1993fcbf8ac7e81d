"""What each side of a run is read with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console

from pipeline.config import Settings
from pipeline.reconcile.database import Database
from pipeline.reconcile.findings import Summary
from pipeline.reconcile.judging import RunContext
from pipeline.reconcile.run_options import ReconcileOptions

#: Told of what is done: (what, how much, of how much).
Tell = Callable[[str, int, int], object]
#: Rows between two words of progress.
STEP = 10_000


@dataclass(frozen=True, slots=True)
class SideContext:
    """One run's.

    Attributes:
        settings: the program's.
        wanted: the options.
        database: gets what is read.
        frame: of the run; gets of which time what is read speaks.
        summary: gets the remarks.
        console: for what is said beside the results.
        tell: progress.
    """

    settings: Settings
    wanted: ReconcileOptions
    database: Database
    frame: RunContext
    summary: Summary
    console: Console
    tell: Tell


class Side:
    """Reads one side of a run into its database."""

    def __init__(self, context: SideContext) -> None:
        self._settings, self._wanted, self._database = context.settings, context.wanted, context.database
        self._frame, self._summary = context.frame, context.summary
        self._console, self._tell = context.console, context.tell
