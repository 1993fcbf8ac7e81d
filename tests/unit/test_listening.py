"""Sockets that a predecessor, `up` or systemd hands on are used, and no others."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from pipeline.errors import PipelineError
from pipeline.listening import INHERITED, address, bound_socket, handed_on


@pytest.fixture
def listening() -> socket.socket:
    sock = bound_socket("127.0.0.1", 0)
    sock.listen(8)
    return sock


def port_of(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


def test_one_that_was_handed_on_is_used(listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    port = port_of(listening)
    with pytest.raises(PipelineError, match="cannot listen"):
        bound_socket("127.0.0.1", port)
    given = handed_on({address("127.0.0.1", port): os.dup(listening.fileno()), "::1:7": 9_999})
    monkeypatch.setenv(INHERITED, given[INHERITED])
    with bound_socket("127.0.0.1", port) as taken:
        assert port_of(taken) == port
        assert not os.get_inheritable(taken.fileno())
    listening.close()


@pytest.mark.parametrize("what", ["", "127.0.0.1:PORT=", "127.0.0.1:PORT=x", "127.0.0.1:PORT=9999", "=,="])
def test_what_is_none_is_not(listening: socket.socket, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    port = port_of(listening)
    listening.close()
    monkeypatch.setenv(INHERITED, what.replace("PORT", str(port)))
    with bound_socket("127.0.0.1", port) as sock:
        assert port_of(sock) == port


def test_a_descriptor_of_something_else_is_left_alone(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = port_of(listening)
    listening.close()
    read, write = os.pipe()
    monkeypatch.setenv(INHERITED, f"127.0.0.1:{port}={read}")
    bound_socket("127.0.0.1", port).close()
    assert os.write(write, b"still there") == 11
    assert os.read(read, 20) == b"still there"
    os.close(read)
    os.close(write)


def test_systemd_s_socket_of_the_port_is_used(listening: socket.socket) -> None:
    """Descriptors from 3 on, for the process that LISTEN_PID names."""
    port = port_of(listening)
    code = (
        "import os, sys\n"
        "os.environ['LISTEN_PID'] = str(os.getpid()) if sys.argv[3] == 'ours' else '1'\n"
        "os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_FDS'] = '1'\n"
        "from pipeline.listening import bound_socket\n"
        "print(bound_socket('127.0.0.1', int(sys.argv[2])).fileno())\n"
    )

    def started(whose: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, str(listening.fileno()), str(port), whose]
        return subprocess.run(
            command, pass_fds=(listening.fileno(),), capture_output=True, text=True, check=False, timeout=60
        )

    assert started("ours").stdout.strip() == "3"
    assert "cannot listen on" in started("another's").stderr
    listening.close()
