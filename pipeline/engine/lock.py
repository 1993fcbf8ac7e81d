"""One process for each worker's directory, and for each name on a machine."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TextIO

from pipeline.errors import NameTakenError

#: Seconds a process that is being ended may still hold it.
PATIENCE, LOOK = 3.0, 0.1


def hold(path: Path, worker: str) -> TextIO | None:
    """Hold a worker's file for as long as the process lives and keeps what is returned.

    Args:
        path: made where it is missing.
        worker: its name, for the message.

    Raises:
        NameTakenError: another process holds it, and goes on to.
    """
    if sys.platform == "win32":
        return None  # RocksDB's own lock says it, with a less helpful message
    import fcntl  # noqa: PLC0415 - not on Windows

    file, until = path.open("w"), time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if time.monotonic() < until:
                time.sleep(LOOK)
                continue
            file.close()
            raise NameTakenError(
                f"a worker named {worker!r} already runs on this machine (it holds {path})",
                hint="give each worker of a stage its own --worker name",
            ) from error
        return file
