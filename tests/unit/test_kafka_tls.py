"""A connection to Kafka that its certificate, its port or its password ends is explained."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import BrokerError
from pipeline.kafka.admin import Cluster
from pipeline.kafka.errors import meaning

pytestmark = pytest.mark.real_time


@pytest.fixture(name="certificate", scope="module")
def _certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("makes the certificate")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=kafka.example -addext"
    argv = [
        *words.split(),
        "subjectAltName=DNS:kafka.example",
        "-keyout",
        f"{path}.key",
        "-out",
        f"{path}.crt",
    ]
    subprocess.run(argv, check=True, capture_output=True)
    path.write_bytes(Path(f"{path}.key").read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


@contextlib.contextmanager
def listening(context: ssl.SSLContext | None) -> Iterator[str]:
    """Something that takes connections, with TLS or without, and says nothing of Kafka."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with contextlib.suppress(OSError), connection:
                        if context is None:
                            connection.recv(100)
                            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                        else:
                            context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def complaint(servers: str, **security: str) -> str:
    config = {
        "bootstrap.servers": servers,
        **{name.replace("_", "."): value for name, value in security.items()},
    }
    with pytest.raises(BrokerError) as caught:
        Cluster(config, timeout=2).names()
    return str(caught.value)


@pytest.mark.parametrize("trusted", [False, True], ids=["unknown authority", "another host"])
def test_a_certificate_that_cannot_be_verified_is_explained(certificate: Path, trusted: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    authority = {"ssl_ca_location": f"{certificate}.crt"} if trusted else {}
    with listening(context) as servers:
        assert "its certificate cannot be verified" in complaint(
            servers, security_protocol="SSL", **authority
        )


def test_tls_where_there_is_none_is_explained() -> None:
    with listening(None) as servers:
        assert "it answers without TLS" in complaint(servers, security_protocol="SSL")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("SASL authentication error: Authentication failed", "refuses the user name or the password"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired", "out of date"),
        ("Disconnected: broker might require SSL encryption", "expect TLS"),
        ("Connection refused", ""),
    ],
)
def test_what_a_client_says_has_a_meaning(text: str, part: str) -> None:
    assert part in meaning(text)
    assert bool(meaning(text)) == bool(part)
