"""A worker as a process that is killed, ended and started again."""

from __future__ import annotations

import abc
import contextlib
import signal
import subprocess
from collections.abc import Iterator

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from pipeline.local.ports import free_port
from tests.local_http import http


class WorkerProcess(abc.ABC):
    """Starts when it is made.

    Attributes:
        port: of its metrics and readiness, in all its lives.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self._process = self._start()

    @abc.abstractmethod
    def _start(self) -> subprocess.Popen[bytes]:
        """Start it under its name."""

    def kill(self) -> None:
        """Kill -9."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Start it again under its name."""
        self._process = self._start()

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def wait(self, seconds: float = 60) -> int:
        """Its exit code, once it ends by itself."""
        return self._process.wait(seconds)

    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def samples(self, name: str) -> Iterator[Sample]:
        """A metric's samples; none where nobody answers."""
        with contextlib.suppress(httpx.HTTPError):
            page = http.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10).text
            for family in text_string_to_metric_families(page):
                if family.name == name:
                    yield from family.samples
