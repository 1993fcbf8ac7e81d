"""Where Kafka is, and how a client of librdkafka reaches it."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
from pathlib import Path

from pydantic import SecretStr

from pipeline.config import Settings
from pipeline.errors import BrokerError

Setting = str | int | float | bool

#: What librdkafka logs by itself. A client is given it (`Producer(config, logger=client_log)`): otherwise its
#: lines go to standard error as they are, past the log.
client_log = logging.getLogger("librdkafka")
# Of a command that sets up no log, the error says it all.
client_log.addHandler(logging.NullHandler())

#: What a failed connection says, and what that means.
_MEANINGS = (
    (
        "hostname mismatch|IP address mismatch|not valid for",
        "its certificate is of another host: name the brokers in kafka.bootstrap as their certificates do",
    ),
    (
        "certificate has expired|not yet valid",
        "its certificate is out of date, or this machine's clock is wrong",
    ),
    (
        "certificate verify failed|CERTIFICATE_VERIFY_FAILED|self[- ]signed|unable to get local issuer",
        (
            "its certificate cannot be verified: either an authority signed it that this machine does not "
            "know (put that authority's certificate into a file, and the file into kafka.security "
            '"ssl.ca.location"), or it is of another host than kafka.bootstrap names'
        ),
    ),
    (
        "wrong version number|record layer failure|packet length too long",
        'it answers without TLS: is kafka.security "security.protocol" right, and the port?',
    ),
    (
        "might be caused by incorrect security.protocol|broker might require SSL",
        'it seems to expect TLS: set kafka.security "security.protocol" to SSL or SASL_SSL',
    ),
    ("[Aa]uthentication", "it refuses the user name or the password of kafka.security"),
)


def meaning(complaint: str) -> str:
    """What a client's complaint of a failed connection means, and what to do; empty: that is not known."""
    return next((said for pattern, said in _MEANINGS if re.search(pattern, complaint)), "")


#: Long enough for a busy machine; a broker on this one answers within milliseconds.
CONNECT_TIMEOUT = 2.0


def address_file(data_dir: Path) -> Path:
    """The file in which a running `pipeline kafka` leaves its bootstrap address."""
    return data_dir / "kafka" / "bootstrap"


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
    if not any(answers(server) for server in servers.split(",")):
        raise BrokerError(f"the embedded broker does not answer at {servers} ({path})", hint=hint)
    return servers


def answers(server: str, timeout: float = CONNECT_TIMEOUT) -> bool:
    """Whether `host:port` takes a TCP connection within `timeout` seconds."""
    host, _, port = server.rpartition(":")
    with contextlib.suppress(OSError, ValueError), socket.create_connection((host, int(port)), timeout):
        return True
    return False


def client_config(settings: Settings) -> dict[str, Setting]:
    """The librdkafka settings every client of this program starts from: address, identity, security.

    Raises:
        BrokerError: as in `bootstrap`.
    """
    base: dict[str, Setting] = {"bootstrap.servers": bootstrap(settings), "client.id": "pipeline"}
    return base | security(settings)


def security(settings: Settings) -> dict[str, str]:
    """`kafka.security` with its passwords, for a client; never for a log."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in settings.kafka.security.items()
    }
