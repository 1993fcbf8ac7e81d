"""Ports for processes of this machine."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections import deque
from pathlib import Path

from pipeline.errors import BrokerError

HOST = "127.0.0.1"
_FIRST, _EPHEMERAL = 20_000, 32_768
#: How many of the ports chosen last stay reserved.
_RESERVED_MOST = 256
#: Descriptors of bound sockets. They do not listen: a server with SO_REUSEADDR can, and `reserve` of any
#: other process cannot have them. No objects: Python warns of a socket that is still open when it ends.
_reserved: deque[int] = deque()


def is_free(port: int, host: str = HOST) -> bool:
    """Whether a server could listen there now; connections in TIME_WAIT do not matter."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def reserve(port: int, host: str = HOST) -> bool:
    """Keep a port for the servers that this process is about to start; False if it is not free.

    Until a server listens its port is free, and two programs that choose at the same time could choose the
    same one. It is kept from every other `reserve`, of any process, as long as this process runs or until it
    has reserved 256 more.
    """
    keeper = socket.socket()
    try:
        keeper.bind((host, port))
    except OSError:
        keeper.close()
        return False
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _reserved.append(keeper.detach())
    if len(_reserved) > _RESERVED_MOST:
        os.close(_reserved.popleft())
    return True


def free_port(taken: set[int] | frozenset[int] = frozenset()) -> int:
    """A free port that stays reserved while its server is down.

    It lies below those the kernel hands to outgoing connections: a client that keeps trying to reach a killed
    server on such a port is in the end connected to itself, and the server cannot come back.

    Raises:
        BrokerError: none was found.
    """
    last = _EPHEMERAL
    with contextlib.suppress(OSError, ValueError):
        last = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    first = _FIRST if last > _FIRST + 1_000 else 1_024
    width = max(last - first, 1_000)
    for _ in range(200):
        port = first + secrets.randbelow(width)
        if port not in taken and reserve(port):
            return port
    raise BrokerError(f"no free port on {HOST} between {first} and {last}")


def following(first: int, by: int, taken: set[int]) -> int:
    """The port so many above a first one, or a free one where that is 0; it is taken from then on.

    Raises:
        BrokerError: none is free.
    """
    chosen = first + by if first else free_port(taken)
    taken.add(chosen)
    return chosen
