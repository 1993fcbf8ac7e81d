"""The broker of a game day: `pipeline kafka`, whose broker is killed and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from pipeline import config
from pipeline.errors import BrokerError
from pipeline.kafka import address
from tests.processes import is_alive, wait_until

#: What a write that never came to its end leaves: a part of it, or zeros where the disk had no more of it.
TORN = bytes(range(97)), bytes(4_096)


class Broker:
    """See the module.

    Args:
        settings: the settings file.
        data: their `data_dir`.
        log: what it says.
    """

    def __init__(self, settings: Path, data: Path, log: Path) -> None:
        self._settings, self._data, self._log = settings, data, log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """`pipeline kafka`; returns once it answers."""
        command = [sys.executable, "-m", "pipeline", "kafka", "--config", str(self._settings)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self._answers, 120, every=0.2)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()[-2_000:]
        with contextlib.suppress(BrokerError):
            return bool(address.bootstrap(config.load(self._settings)))
        return False

    def kill(self) -> None:
        """`kill -9` of the broker; `pipeline kafka` says so and ends."""
        assert self._process is not None
        for pid in self._brokers():
            os.kill(pid, signal.SIGKILL)
        self._process.wait(30)

    def cut_off(self) -> None:
        """`kill -9` of both at once, as when the machine loses power."""
        assert self._process is not None
        pids = self._brokers()
        for pid in (self._process.pid, *pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(30)
        wait_until(lambda: not any(map(is_alive, pids)), 30)

    def tears(self) -> int:
        """End each topic's last file with what a write leaves that was cut short; returns how many files."""
        logs = self._data / "kafka" / "broker-1"
        places = {path.parent for path in logs.rglob("*.log") if path.parent.name[-1].isdigit()}
        torn = [max(place.glob("*.log")) for place in sorted(places) if "metadata" not in place.name]
        for number, path in enumerate(torn):
            with path.open("ab") as file:
                file.write(TORN[number % len(TORN)])
        return len(torn)

    def stop(self) -> None:
        """End it in order."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)

    def _brokers(self) -> list[int]:
        assert self._process is not None
        found = subprocess.run(
            ["pgrep", "-P", str(self._process.pid)], capture_output=True, text=True, check=False
        )
        return [int(pid) for pid in found.stdout.split()]
