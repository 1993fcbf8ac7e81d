"""One process for each worker's directory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

from pipeline.errors import PipelineError


def hold(directory: Path, worker: str) -> TextIO | None:
    """Hold the worker's directory for as long as the process lives and keeps what is returned.

    Raises:
        PipelineError: another process holds it.
    """
    if sys.platform == "win32":
        return None  # RocksDB's own lock says it, with a less helpful message
    import fcntl  # noqa: PLC0415 - not on Windows

    file = (directory / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise PipelineError(
            f"a worker named {worker!r} already runs here ({directory})",
            hint="give each worker of a stage its own --worker name",
        ) from error
    return file
