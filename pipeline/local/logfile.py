"""A child's log: bounded while it is written, and what its last lines say."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from pathlib import Path

LOG_MAX_BYTES = 10_000_000
#: How much of the end is read.
_TAIL_BYTES = 64_000
#: A line is quoted so far.
_QUOTED = 300
_TELLING = re.compile(
    r"\b(?:CRITICAL|ERROR|FATAL)\b|^error: |^\s+-> |^[\w.]*(?:Error|Exception|Exit|Interrupt)\b"
)


class LogFile:
    """One file that a child appends to, and the one before it (`.old`).

    Args:
        path: the file.
        limit: bytes beyond which it is cut.
    """

    def __init__(self, path: Path, limit: int = LOG_MAX_BYTES) -> None:
        self.path = path
        self._limit = limit
        self._start = 0

    def begin(self) -> None:
        """What is appended from now on is a new process's."""
        self._start = self._size()

    def cut(self) -> bool:
        """Keep the content in `.old` and empty the file, if it is too long; whether that was done.

        The child keeps writing to the same file: it appends, so it continues at the new end. What it writes
        between the copy and the cut is lost, a few lines at most; on a full disk all of it is, and the room
        is won back.
        """
        if self._size() <= self._limit:
            return False
        old = self.path.with_name(self.path.name + ".old")
        try:
            shutil.copyfile(self.path, old)
            old.chmod(0o600)
        except OSError:
            with contextlib.suppress(OSError):
                old.unlink()
        with contextlib.suppress(OSError):
            os.truncate(self.path, 0)
        self._start = 0
        return True

    def lines(self) -> list[str]:
        """The last lines of the present process, empty ones left out."""
        try:
            with self.path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(max(self._start if self._start <= size else 0, size - _TAIL_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            return []
        return [line.rstrip() for line in text.splitlines() if line.strip()]

    def last_words(self, most: int = 3) -> list[str]:
        """What the process said of its end: its last errors, else its last lines."""
        said = [_said(line) for line in self.lines()]
        telling = [line for line, is_error in said if is_error]
        return [line[:_QUOTED] for line in (telling or [line for line, _ in said])[-most:]]

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0


class NoLogFile:
    """In the place of a file where children write to this process's own output."""

    path: None = None

    def begin(self) -> None:
        """Nothing is kept."""

    def cut(self) -> bool:
        """Nothing grows."""
        return False

    def lines(self) -> list[str]:
        """None are known."""
        return []

    def last_words(self, most: int = 3) -> list[str]:  # noqa: ARG002 - as LogFile has it
        """None are known: they stand above."""
        return []


def _said(line: str) -> tuple[str, bool]:
    """A line as a person reads it, and whether it is an error."""
    if line.startswith("{"):
        with contextlib.suppress(ValueError):
            tree = json.loads(line)
            if isinstance(tree, dict) and "message" in tree:
                exception = str(tree.get("exception", "")).strip().rpartition("\n")[2]
                text = " / ".join(filter(None, (str(tree["message"]), exception)))
                return text, tree.get("level") in {"ERROR", "CRITICAL"}
    return line, bool(_TELLING.search(line))
