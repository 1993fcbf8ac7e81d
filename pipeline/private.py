"""Files and directories that only the pipeline's own user can read, and who holds them."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import resource
import shlex
import stat
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TextIO

from pipeline.errors import PipelineError

log = logging.getLogger(__name__)

#: Files and directories that a process makes are accessible to its user only.
UMASK = 0o077
PRIVATE = 0o700
OTHERS = 0o077
#: What the pipeline makes in its data directory; names that begin with PREFIX are its workers'.
OURS = {"kafka", "gateway", "archive", "logs", "up", "reconcile", "removal", "lost+found"}
PREFIX = "pipeline"


#: Seconds between the tries to hold a file: `is_held` locks it for a moment, too.
_LOOKERS = (0.01, 0.03, 0.1)


class InUse(PipelineError):  # noqa: N818 - a state
    """Another process holds it; `holder` says which."""

    def __init__(self, path: Path, what: str, holder: str, hint: str) -> None:
        super().__init__(f"{what} is in use by {holder} ({path})", hint=hint)
        self.holder = holder


def no_core_files() -> None:
    """Have the kernel write no memory of this process, nor of those it starts, to a disk: it has secrets."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def directory(path: Path) -> Path:
    """Make a directory that only this user can enter, or close the user's own to others; returns it.

    Raises:
        PipelineError: it cannot be made or used.
    """
    try:
        if not path.is_dir():
            path.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
            # A new directory's entry must be on the disk too, or a power cut takes what is in it along.
            os.sync()
        if path.stat().st_mode & OTHERS:
            path.chmod(PRIVATE)
    except OSError as error:
        raise PipelineError(
            f"{error.filename or path} cannot be used: {error.strerror}",
            hint="correct it, or choose another data_dir",
        ) from error
    return path


def data_directory(path: Path) -> None:
    """Make the settings' `data_dir`, or close it to others; one that holds others' files too is left open.

    Raises:
        PipelineError: it cannot be used.
    """
    try:
        if not path.exists():
            directory(path)
            return
        names = [entry.name for entry in path.iterdir()]
        foreign = [name for name in names if name not in OURS and not name.startswith(PREFIX)]
        mode = path.stat().st_mode
        if not mode & OTHERS:
            return
        if not foreign and not mode & stat.S_ISVTX:
            path.chmod(PRIVATE)
            return
        for entry in path.iterdir():
            if entry.is_dir() and entry.name not in foreign and entry.name != "lost+found":
                entry.chmod(PRIVATE)
        log.warning("data_dir %s holds other files too (%s): it stays open to others", path, foreign[:1])
    except PermissionError as error:
        if not os.access(path, os.W_OK | os.X_OK):
            raise _unusable(path, error) from error
        log.warning("data_dir %s is another user's and stays open to others: %s", path, error.strerror)
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> PipelineError:
    return PipelineError(
        f"data_dir {path} cannot be used: {error.strerror}", hint="correct it, or choose another data_dir"
    )


def sync_directory(path: Path) -> None:
    """Its entries are on the disk on return."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def opener(path: str, flags: int) -> int:
    """For `open`: a file that it makes is this user's alone."""
    return os.open(path, flags, 0o600)


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file of this user's alone: whoever reads it finds the old or the new one, whole.

    Raises:
        OSError: it cannot be written.
    """
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)  # one that was left behind may have other rights
    with open(partial, "wb", opener=opener) as file:
        file.write(content)
    partial.replace(path)


def hold(path: Path, what: str, hint: str) -> TextIO:
    """Hold a lock file for as long as the process lives and keeps what is returned; it names the process.

    Args:
        path: the file; its directory is there.
        what: that is held, at the beginning of a sentence.
        hint: what to do about it.

    Raises:
        InUse: another process holds it.
        PipelineError: the file cannot be written.
    """
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise PipelineError(f"{path} cannot be written: {error.strerror}", hint=hint) from error
    try:
        _lock(file)
    except OSError as error:
        holder = holder_of(path)
        file.close()
        raise InUse(path, what, holder, hint) from error
    with contextlib.suppress(OSError):  # a full disk: the lock holds, it only has no name
        file.truncate(0)
        started = datetime.now().astimezone().isoformat(timespec="seconds")
        # An address that was given to a command is nobody's business here.
        words = shlex.join("***" if "@" in word else word for word in sys.argv)
        file.write(f"process {os.getpid()}, started {started}: {words[:500]}\n")
        file.flush()
    return file


def _lock(file: TextIO) -> None:
    for pause in (*_LOOKERS, None):
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if pause is None:
                raise
            time.sleep(pause)
    return None


def is_held(path: Path) -> bool:
    """Whether a process that lives holds a lock file; one that cannot be opened is not held."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def holder_of(path: Path) -> str:
    """Which process holds a lock file, as it says there."""
    with contextlib.suppress(OSError):
        if said := path.read_text(encoding="utf-8", errors="replace").strip():
            return said[:600]
    return "another process"
