"""A directory on the disk that is one process's own."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.private import sync_directory

#: A link in the place of a file of the spool is not followed, and a pipe is not waited for.
OURS_ALONE = os.O_NOFOLLOW | os.O_NONBLOCK


def make_directory(path: Path) -> None:
    """A directory of this user only; its entry is synced, or a power cut would lose the files in it."""
    if path.is_dir():
        return
    if not path.parent.is_dir():
        make_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)


def can_be_written(directory: Path) -> str | None:
    """Why nothing can be written there now; None where it can."""
    path = directory / "probe"
    try:
        make_directory(directory)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | OURS_ALONE, 0o600)
        try:
            data = bytes(65_536)
            if os.write(descriptor, data) < len(data):
                return os.strerror(errno.ENOSPC)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return error.strerror or str(error)
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return None


def read_own(path: Path, most: int) -> bytes:
    """The first `most` bytes of a small file.

    Raises:
        OSError: it is missing, or no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | OURS_ALONE)
    try:
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)


def locked(directory: Path) -> int:
    """The descriptor of the directory's lock, which names the process that has it."""
    path = directory / "lock"
    try:
        make_directory(directory)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | OURS_ALONE, 0o600)
    except OSError as error:
        raise PipelineError(
            f"the spool {directory} cannot be used: {error}",
            hint="each gateway needs a writable data_dir of its own",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "?"
        os.close(descriptor)
        raise PipelineError(
            f"the spool {directory} is in use by process {holder}",
            hint="each gateway needs a writable data_dir of its own",
        ) from error
    with contextlib.suppress(OSError):  # a full disk has no room for the number
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d" % os.getpid(), 0)
    return descriptor
