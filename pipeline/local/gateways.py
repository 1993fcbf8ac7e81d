"""The gateway's processes, which share a port: what they are called, and where each answers operators."""

from __future__ import annotations

from pipeline.local.ports import following
from pipeline.workers.address import bracketed

GATEWAY = "gateway"
#: Where operators are answered by the first process: so many above the port for shops; the others follow.
ADMIN_PORTS = 10


def names(processes: int) -> list[str]:
    """What each process is called."""
    return [GATEWAY, *(f"{GATEWAY}-{number}" for number in range(2, processes + 1))]


def is_gateway(name: str) -> bool:
    """Whether a process of this name is one."""
    return name.partition("-")[0] == GATEWAY


def admin_port(port: int) -> int:
    """Where the first process answers operators, if nothing else is said; 0: any free one."""
    return port + ADMIN_PORTS if port else 0


def admin_ports(first: int, processes: int, taken: set[int]) -> list[int]:
    """The port of each process for operators: the first and those after it; free ones where that is 0."""
    return [following(first, number, taken) for number in range(processes)]


def options(number: int, processes: int, admin: tuple[str, int]) -> list[str]:
    """What tells a process which one it is, and where it answers operators."""
    member = [] if processes == 1 else ["--member", f"{number}/{processes}"]
    return [*member, "--admin-host", admin[0], "--admin-port", str(admin[1])]


def asked_at(host: str, port: int) -> str:
    """Where a process that listens on a host is asked: one for all interfaces on this machine."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{bracketed(name)}:{port}"
