"""The certificate of the public address, of a server that shakes hands."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import config
from pipeline.doctor import certificate
from pipeline.doctor.context import Context
from pipeline.doctor.findings import Verdict
from tests.unit.test_kafka_tls import listening


def context(port: int, scheme: str = "https") -> Context:
    tree = {"gateway": {"public_url": f"{scheme}://127.0.0.1:{port}"}}
    return Context(Path("pipeline.toml"), config.parse(tree, {}))


def made(directory: Path, days: int) -> Path:
    """A certificate for this machine with its key, in a file."""
    if shutil.which("openssl") is None:
        pytest.skip("makes the certificate")
    both, key, own = (directory / name for name in ("both.pem", "key.pem", "own.pem"))
    words = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days {days} -subj /CN=hooks"
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(own)]
    subprocess.run(["openssl", *words.split(), *more], check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + own.read_bytes())
    return both


@pytest.mark.parametrize(("days", "verdict"), [(90, Verdict.OK), (10, Verdict.WARNING), (2, Verdict.PROBLEM)])
def test_it_is_judged_by_the_days_that_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, verdict: Verdict
) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made(tmp_path, days))
    with listening(server) as place:
        port = int(place.rpartition(":")[2])
        [found] = certificate.examine(context(port))
        assert found.verdict is Verdict.PROBLEM
        assert "is not accepted: self-signed certificate" in found.said.replace("self signed", "self-signed")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
        [found] = certificate.examine(context(port))
    assert (found.verdict, found.said) == (verdict, f"that of 127.0.0.1 ends in {days} days")
    [found] = certificate.examine(context(port))
    assert (found.verdict, found.said) == (
        Verdict.PROBLEM,
        "127.0.0.1 does not answer (ConnectionRefusedError)",
    )


def test_without_https_there_is_none() -> None:
    assert certificate.examine(context(1, "http")) == []
    assert certificate.examine(replace(context(1), settings=config.parse({}, {}))) == []
