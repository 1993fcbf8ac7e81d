"""Listening sockets: bound here, or handed on by who had them before, so that no connection is refused."""

from __future__ import annotations

import os
import socket
import weakref
from collections.abc import Mapping

from pipeline.errors import PipelineError

#: In a successor's environment: the descriptors of sockets that listen already, as `host:port=descriptor`.
INHERITED = "PIPELINE_LISTENS"
#: Connections that wait to be accepted, while one process ends and the next one starts.
BACKLOG = 4_096
#: The first descriptor that systemd hands on (sd_listen_fds(3)).
_FIRST_OF_SYSTEMD = 3

_bound: dict[str, weakref.ref[socket.socket]] = {}


def bound_socket(host: str, port: int, option: str = "--port") -> socket.socket:
    """A socket on an address, so that a taken port is reported before anything else starts.

    One that this process was given, by its predecessor, `pipeline up` or systemd, is used instead.

    Args:
        host: where to listen.
        port: of it; 0: any free one.
        option: by which the port is chosen, for the error.

    Raises:
        PipelineError: the address cannot be bound.
    """
    name = address(host, port)
    sock = _inherited(name, os.environ) or _of_systemd(port, os.environ) or _new(host, port, option)
    _bound[name] = weakref.ref(sock)
    return sock


def address(host: str, port: int) -> str:
    """An address as it was asked for: the name of its socket."""
    return f"{host}:{port}"


def handed_on(sockets: Mapping[str, int]) -> dict[str, str]:
    """The variable that tells a successor of the descriptors that it is given, by their addresses."""
    return {INHERITED: ",".join(f"{name}={descriptor}" for name, descriptor in sockets.items())}


def hand_on() -> None:
    """Keep all listening sockets open for the program that takes this one's place (`os.execv`)."""
    kept = {}
    for name, reference in _bound.items():
        sock = reference()
        if sock is None or sock.fileno() < 0:
            continue
        sock.listen(BACKLOG)
        kept[name] = os.dup(sock.fileno())
        os.set_inheritable(kept[name], True)
    os.environ |= handed_on(kept)


def _inherited(name: str, environ: Mapping[str, str]) -> socket.socket | None:
    for entry in filter(None, environ.get(INHERITED, "").split(",")):
        known, _, descriptor = entry.rpartition("=")
        if known == name and descriptor.isdecimal():
            return _adopted(int(descriptor))
    return None


def _of_systemd(port: int, environ: Mapping[str, str]) -> socket.socket | None:
    """The socket of that port among those of a `.socket` unit."""
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal():
        return None
    for descriptor in range(_FIRST_OF_SYSTEMD, _FIRST_OF_SYSTEMD + int(count)):
        sock = _adopted(descriptor)
        if sock is not None and sock.getsockname()[1] == port:
            return sock
        if sock is not None:
            sock.detach()
    return None


def _adopted(descriptor: int) -> socket.socket | None:
    """A descriptor as a socket of this process alone; None where it is none that listens."""
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError:
        return None
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.detach()
        return None
    sock.set_inheritable(False)
    return sock


def _new(host: str, port: int, option: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except (OSError, OverflowError) as error:
        sock.close()
        reason = error.strerror if isinstance(error, OSError) else "there is no such port"
        raise PipelineError(
            f"cannot listen on {host}:{port}: {reason}", hint=f"choose another {option}, or 0 for any"
        ) from error
    return sock
