"""The process that keeps the archive: a pass now and then, in a thread; what it is doing over HTTP."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from contextlib import ExitStack

from pipeline.archive.operate import writer
from pipeline.archive.storage import StorageError
from pipeline.archive.writer import ArchiveWriter
from pipeline.config import Settings
from pipeline.errors import BrokerError, PipelineError
from pipeline.events import Kind
from pipeline.kafka.topics import DAY_MS, full_name
from pipeline.listening import bound_socket
from pipeline.metrics import (
    ARCHIVE_BYTES,
    ARCHIVE_EVENTS,
    ARCHIVE_FAILURES,
    ARCHIVE_FILES,
    ARCHIVE_RETENTION_SECONDS,
    READY,
)
from pipeline.observe import observed

log = logging.getLogger(__name__)

#: Seconds between two passes.
BETWEEN = 30.0


class ArchiveProcess:
    """Passes until it is told to stop.

    Args:
        settings: the program's.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._between = min(BETWEEN, settings.archive.max_wait)
        self.stop = threading.Event()
        #: Why it does not archive; None while it does.
        self.complaint: str | None = "starting"
        ARCHIVE_RETENTION_SECONDS.set(settings.kafka.shop_retention_days * DAY_MS / 1_000)
        for kind in Kind:
            for counter in (ARCHIVE_FILES, ARCHIVE_EVENTS, ARCHIVE_BYTES):
                counter.labels(full_name(settings, kind.topic))
        for part in ("kafka", "storage", "archive"):
            ARCHIVE_FAILURES.labels(part)

    def work(self, writing: ArchiveWriter) -> None:
        """Pass after pass; returns once `stop` is set. For a thread."""
        begun = False
        while not self.stop.is_set():
            try:
                if not begun:
                    writing.begin()
                    begun = True
                done = writing.write(everything=False, stop=self.stop.is_set)
            except PipelineError as error:
                self._failed(error)
                # Whatever was listed may not be what is there.
                begun = False
            else:
                if self.complaint is not None:
                    log.info("archiving", extra={"event": "archive.goes_on"})
                self.complaint = None
                if done.files:
                    log.info(
                        "%d events archived, in %d files of %d bytes",
                        done.events,
                        done.files,
                        done.size,
                        extra={"event": "archive.written"},
                    )
            self.stop.wait(self._between)

    def _failed(self, error: PipelineError) -> None:
        part = {BrokerError: "kafka", StorageError: "storage"}
        named = next((name for kind, name in part.items() if isinstance(error, kind)), "archive")
        ARCHIVE_FAILURES.labels(named).inc()
        self.complaint = error.message
        log.error(
            "nothing is archived, and it is tried again in %g s: %s",
            self._between,
            error,
            extra={"event": "archive.failed"},
        )


def serve(settings: Settings, host: str, port: int) -> None:
    """Run until SIGTERM or SIGINT; what is written then is whole.

    Raises:
        PipelineError: the settings, the address or the archive cannot be used, or another process archives.
    """
    with ExitStack() as stack:
        sock = stack.enter_context(bound_socket(host, port))
        process = ArchiveProcess(settings)
        writing = stack.enter_context(writer(settings))

        async def main() -> None:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, process.stop.set)
            READY.labels("archive").set_function(lambda: float(process.complaint is None))
            async with observed("archive", lambda: process.complaint, sock):
                log.info("listening on http://%s:%d", *sock.getsockname()[:2])
                await asyncio.to_thread(process.work, writing)

        asyncio.run(main())


__all__ = ["ArchiveProcess", "serve"]
