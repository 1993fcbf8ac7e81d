"""One process for each worker's directory, and for each name on a machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TextIO

from pipeline import private
from pipeline.errors import NameTakenError

#: Seconds a process that is being ended may still hold it.
PATIENCE, LOOK = 3.0, 0.1


def hold(path: Path, worker: str) -> TextIO:
    """Lock a worker's file for as long as the process runs and keeps the returned object.

    Args:
        path: made where it is missing.
        worker: its name, for the message.

    Raises:
        NameTakenError: another process holds it, and keeps it; which one.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return private.hold(
                path,
                f"the state of the worker {worker!r}",
                "give each worker of a stage its own --worker name",
            )
        except private.InUse as held:
            if time.monotonic() >= until:
                raise NameTakenError(held.message, hint=held.hint) from held
            time.sleep(LOOK)
