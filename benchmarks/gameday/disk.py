"""The disk of the gateway's spool, which can be filled."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

SIZE = 8_000_000


class SpoolDisk:
    """A disk of 8 MB under the gateway's data where this user may mount one, as root may.

    For others the kernel refuses the gateway every write to a file instead, by a limit of the process: the
    same to the gateway, which is told of a limit on files where it would be told of a full disk.

    Args:
        place: the gateway's directory in `data_dir`; made.
        gateway: the process ids of the gateway.
    """

    def __init__(self, place: Path, gateway: Callable[[], list[int]]) -> None:
        place.mkdir(parents=True, mode=0o700)
        self._place, self._gateway = place, gateway
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", str(place)]
        self.is_real = (
            os.geteuid() == 0 and not subprocess.run(mount, capture_output=True, check=False).returncode
        )

    @property
    def how(self) -> str:
        """How it is filled."""
        return "a disk of 8 MB" if self.is_real else "a limit on its files, as only root may mount a disk"

    def fill(self) -> None:
        """Take all that is free."""
        if not self.is_real:
            self._limit(0)
            return
        with contextlib.suppress(OSError), (self._place / "filler").open("wb", buffering=0) as file:
            while file.write(bytes(4_096)):
                pass

    def free(self) -> None:
        """Give it back."""
        if self.is_real:
            (self._place / "filler").unlink()
        else:
            self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        for pid in self._gateway():
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size if size == 0 else hard, hard))

    def close(self) -> None:
        """Take the disk away."""
        if self.is_real:
            subprocess.run(["umount", "-l", str(self._place)], check=False)
