"""A child process that cannot outlive this one, whatever ends it.

On Linux the kernel kills the child when its parent dies (PR_SET_PDEATHSIG), even by kill -9. Elsewhere the
child is killed when this interpreter exits.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import BinaryIO, NamedTuple

#: Sets the parent-death signal, then becomes the command, so the pid is the command's own. A parent that died
#: before the signal was set is noticed by its pid.
_PARENT_DEATH_SIGNAL = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(137)
try:
    os.execvpe(sys.argv[2], sys.argv[2:], os.environ)
except OSError as error:
    print(sys.argv[2], "cannot be run:", error.strerror, flush=True)
    sys.exit(127)
"""
#: The exit code of a command that could not be started, as shells have it.
CANNOT_RUN = 127

_alive: weakref.WeakSet[Child] = weakref.WeakSet()


class Child:
    """One running command in a session of its own: Ctrl-C reaches only us, who then stop it in order.

    Args:
        argv: the command; found on PATH where it has no slash.
        log: its output is appended to this file, and lost where that cannot be opened; None: it is ours.
        env: its whole environment; None: this process's.
        descriptors: that it is given besides its input and outputs.

    Raises:
        OSError: the command cannot be run (on Linux it then ends with `CANNOT_RUN` instead).

    Attributes:
        log_lost: why its output is lost; empty where it is not.
    """

    def __init__(
        self,
        argv: Sequence[str],
        log: Path | None,
        env: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        self.log_lost = ""
        command = _with_parent_death_signal(argv)
        if log is None:
            self._process = _on_lasting_thread(_Start(command, None, env, tuple(descriptors)))
        else:
            with self._opened(log) as output:
                start = _Start(command, output.fileno(), env, tuple(descriptors))
                self._process = _on_lasting_thread(start)
        self.parent = os.getpid()
        _alive.add(self)

    def _opened(self, log: Path) -> BinaryIO:
        try:
            return log.open("ab")
        except OSError as error:  # a full disk is no reason not to run
            self.log_lost = error.strerror or str(error)
            return open(os.devnull, "ab")  # noqa: PTH123 - the caller closes it

    @property
    def pid(self) -> int:
        """The command's process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code; negative: the signal that ended it; None: it runs."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the command alone; none is sent once it has ended."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill -9 the command and what it started."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def wait(self, timeout: float) -> int | None:
        """The exit code, or None if it still runs after `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, deadline: float) -> bool:
        """SIGTERM, and SIGKILL after `deadline` seconds; whether it ended by itself."""
        self.send(signal.SIGTERM)
        ended = self.wait(deadline) is not None
        self.kill()
        return ended


def _with_parent_death_signal(argv: Sequence[str]) -> list[str]:
    if sys.platform != "linux":
        return list(argv)
    return [sys.executable, "-I", "-S", "-c", _PARENT_DEATH_SIGNAL, str(os.getpid()), *argv]


class _Start(NamedTuple):
    argv: list[str]
    output: int | None
    env: Mapping[str, str] | None
    descriptors: tuple[int, ...]


_Order = tuple[_Start, "Future[subprocess.Popen[bytes]]"]
_orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
_lasting: threading.Thread | None = None
_lasting_lock = threading.Lock()


def _on_lasting_thread(start: _Start) -> subprocess.Popen[bytes]:
    """Start the command from a thread that runs as long as the process.

    The parent-death signal is tied to the thread that forked: with one of a pool, the child would end early.
    """
    if threading.current_thread() is threading.main_thread():
        return _popen(start)
    global _lasting  # noqa: PLW0603 - one for the process, made when first needed
    with _lasting_lock:
        if _lasting is None or not _lasting.is_alive():  # a fork leaves it behind
            _lasting = threading.Thread(target=_serve_orders, name="children", daemon=True)
            _lasting.start()
    started: Future[subprocess.Popen[bytes]] = Future()
    _orders.put((start, started))
    return started.result()


def _serve_orders() -> None:
    while True:
        start, started = _orders.get()
        try:
            started.set_result(_popen(start))
        except OSError as error:
            started.set_exception(error)


def _popen(start: _Start) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - commands of this program, never of a request
        start.argv,
        stdin=subprocess.DEVNULL,
        stdout=start.output,
        stderr=None if start.output is None else subprocess.STDOUT,
        env=start.env,
        pass_fds=start.descriptors,
        start_new_session=True,
    )


@atexit.register
def _kill_all() -> None:
    for child in list(_alive):
        if child.parent == os.getpid():  # a fork of this process that ends must not end our children
            child.kill()
