"""The display of a long run at a terminal; the run continues when the terminal is gone."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

from rich.console import Console

from pipeline.local.logfile import LOG_MAX_BYTES
from pipeline.logs import JsonFormatter, LogFormat, TextFormatter

log = logging.getLogger(__name__)

#: A full disk under a redirected output: there may be room again.
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EAGAIN}


class Voice:
    """Prints to a console, and is mute once that is gone; where lines are JSON, it logs instead.

    Args:
        console: where to.
        kind: of the log's lines.
    """

    def __init__(self, console: Console, kind: LogFormat = LogFormat.TEXT) -> None:
        self.console = console
        self.kind = kind
        self._mute = False
        # Of a terminal that is gone the system says that it is none.
        self._on_terminal = console.is_terminal

    @property
    def is_terminal(self) -> bool:
        """Whether a person may see it."""
        return self.console.is_terminal and not self._mute and self.kind is LogFormat.TEXT

    def loses_terminal(self) -> bool:
        """Whether a terminal was there and is gone; said once."""
        lost = self._on_terminal and not os.isatty(1)
        self._on_terminal = self._on_terminal and not lost
        return lost

    def print(self, text: str, style: str | None = None) -> None:
        """A line, as it stands."""
        if self.kind is LogFormat.JSON:
            log.info("%s", text, extra={"event": "up.says"})
            return
        self.attempt(
            lambda: self.console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)
        )

    def doing(self, text: str) -> None:
        """What takes long."""
        self.print(f"{text} ...", style="dim")

    def attempt(self, work: Callable[[], object]) -> None:
        """Do what prints; a terminal that is gone or a full disk is no reason to stop."""
        if self._mute:
            return
        try:
            work()
        except OSError as error:
            if error.errno not in _PASSING:
                self.mute()

    def mute(self) -> None:
        """Print nothing more; what else writes to our outputs writes to nowhere."""
        self._mute = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):
            os.dup2(nowhere, descriptor)
        os.close(nowhere)


class _OnConsole(logging.Handler):
    """Log lines above the display."""

    def __init__(self, voice: Voice) -> None:
        super().__init__()
        self._voice = voice

    def emit(self, record: logging.LogRecord) -> None:
        style = (
            "red"
            if record.levelno >= logging.ERROR
            else "yellow"
            if record.levelno >= logging.WARNING
            else None
        )
        self._voice.print(self.format(record), style)


class _InFile(RotatingFileHandler):
    """Two files of bounded size; a full disk is for others to complain of."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Nothing."""


def log_to(voice: Voice, file: Path) -> None:
    """Log to the console (its table shows what is well: only what is not), and to a file all of it."""
    root, kind = logging.getLogger(), voice.kind
    handlers: list[logging.Handler] = [
        _InFile(file, maxBytes=LOG_MAX_BYTES, backupCount=1, encoding="utf-8", delay=True)
    ]
    if kind is LogFormat.TEXT:
        for old in list(root.handlers):
            root.removeHandler(old)
        handlers.append(_OnConsole(voice))
        handlers[-1].setLevel(logging.WARNING if voice.is_terminal else logging.INFO)
    for handler in handlers:
        handler.setFormatter(TextFormatter() if kind is LogFormat.TEXT else JsonFormatter())
        root.addHandler(handler)
