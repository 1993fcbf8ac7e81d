"""Several gateway processes on one port: what they are called, and where each answers alone."""

from __future__ import annotations

from pipeline.local.ports import following
from pipeline.workers.address import bracketed

GATEWAY = "gateway"
#: The port of its own of the first process is so many above the shared one; the others follow.
OWN_PORTS = 10


def names(processes: int) -> list[str]:
    """What each process is called."""
    return [GATEWAY, *(f"{GATEWAY}-{number}" for number in range(2, processes + 1))]


def is_gateway(name: str) -> bool:
    """Whether a process of this name is one."""
    return name.partition("-")[0] == GATEWAY


def own_port(port: int, number: int, taken: set[int]) -> int:
    """The port of its own of a process; `port` is the shared one."""
    return following(port, OWN_PORTS + number - 1, taken)


def options(number: int, processes: int, own: str) -> list[str]:
    """What tells a process which one it is."""
    return ["--member", f"{number}/{processes}", "--own", own]


def asked_at(host: str, port: int) -> str:
    """Where a process that listens on a host is asked: one for all interfaces on this machine."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{bracketed(name)}:{port}"
