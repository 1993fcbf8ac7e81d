"""One process for each worker's directory."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from pipeline import private


def hold(directory: Path, worker: str) -> TextIO | None:
    """Hold the worker's directory for as long as the process lives and keeps what is returned.

    Raises:
        private.Held: another process holds it, and which.
    """
    return private.hold(
        directory / "lock",
        f"the state of the worker {worker!r}",
        "give each worker of a stage its own --worker name",
    )
