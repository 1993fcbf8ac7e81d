"""Takes connections from a socket that several processes accept from: the sooner, the fewer it has.

The event loop's own server takes all that wait as soon as it wakes: of connections that stay open, such as
those of a proxy, one process then has all, and the others idle.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable

#: Most connections taken at a time, before others have their chance.
AT_ONCE = 16
#: Milliseconds to leave others the first chance, by how many connections it has: none, few, some, many.
_PATIENCE = ((0, 0), (16, 1), (64, 2))
_MOST_PATIENCE = 3
#: Seconds until the next try where this process can have no more open files.
_NO_FILES_SECONDS = 0.1
_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def patience(connections: int) -> float:
    """Seconds to wait before connections are taken."""
    return next((wait for most, wait in _PATIENCE if connections <= most), _MOST_PATIENCE) / 1_000


class Acceptor:
    """Takes connections while it runs; made on a running event loop.

    Args:
        sock: listens, and is shared with other processes; closed with this.
        protocol: makes the protocol of a connection.
        connections: how many there are now.
    """

    def __init__(
        self, sock: socket.socket, protocol: Callable[[], asyncio.Protocol], connections: Callable[[], int]
    ) -> None:
        self._sock = sock
        self._protocol = protocol
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        self._loop.add_reader(sock, self._somebody_waits)

    def close(self) -> None:
        """Take no more; those that were taken stay."""
        if self._timer is not None:
            self._timer.cancel()
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
            self._sock.close()

    def _somebody_waits(self) -> None:
        wait = patience(self._connections())
        if wait:
            self._pause(wait)
        else:
            self._take(1)  # the next one may be another's

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._sock)
        self._timer = self._loop.call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        self._loop.add_reader(self._sock, self._somebody_waits)
        self._take(AT_ONCE)

    def _take(self, most: int) -> None:
        for _ in range(most):
            try:
                connection, _ = self._sock.accept()
            except OSError as error:  # another process was quicker, or the peer is gone
                if error.errno in _NO_FILES:
                    self._pause(_NO_FILES_SECONDS)
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._open(connection))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the peer is gone again
            await self._loop.connect_accepted_socket(self._protocol, connection)
