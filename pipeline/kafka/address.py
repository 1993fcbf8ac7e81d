"""Where Kafka is: the servers of the settings, or the embedded broker that runs now."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from pipeline import private
from pipeline.config import Settings
from pipeline.errors import BrokerError

#: Long enough for a busy machine; a broker on this one answers within milliseconds.
CONNECT_TIMEOUT = 2.0


def address_file(data_dir: Path) -> Path:
    """The file in which a running `pipeline kafka` leaves its bootstrap address."""
    return data_dir / "kafka" / "bootstrap"


def lock_file(data_dir: Path) -> Path:
    """The file that whoever runs the embedded broker holds for as long as the broker lives."""
    return data_dir / "kafka" / "lock"


def bootstrap(settings: Settings) -> str:
    """The bootstrap servers: `kafka.bootstrap`, else those of the embedded broker that runs now.

    Raises:
        BrokerError: none is set, and no embedded broker answers.
    """
    if settings.kafka.bootstrap:
        return settings.kafka.bootstrap
    path = address_file(settings.data_dir)
    hint = "start `pipeline kafka`, or set kafka.bootstrap to a cluster of yours"
    try:
        servers = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BrokerError(
            f"no embedded broker runs in {settings.data_dir}, and kafka.bootstrap is not set", hint=hint
        ) from error
    # After a kill -9 the file is still there, and its address may be another program's, or another cluster's.
    if not private.is_held(lock_file(settings.data_dir)):
        raise BrokerError(
            f"the embedded broker of {settings.data_dir} was killed, and does not run ({path} is left of it)",
            hint=hint,
        )
    if not any(answers(server) for server in servers.split(",")):
        raise BrokerError(f"the embedded broker does not answer at {servers} ({path})", hint=hint)
    return servers


def answers(server: str, timeout: float = CONNECT_TIMEOUT) -> bool:
    """Whether `host:port` takes a TCP connection within `timeout` seconds."""
    host, _, port = server.rpartition(":")
    with contextlib.suppress(OSError, ValueError), socket.create_connection((host, int(port)), timeout):
        return True
    return False
