"""`pipeline sandbox` as a process: what only a real connection shows."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pipeline.config import parse
from pipeline.errors import SettingsError
from pipeline.local.ports import free_port
from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour
from pipeline.sandbox.server import with_options
from tests.connectif_sandbox import EMAIL, KEY, PRODUCT, PURCHASE
from tests.local_http import http
from tests.processes import wait_until

pytestmark = pytest.mark.real_time

SETTINGS = """
[accounts.acme-es]
api_key = "keyid:keysecret"
base_url = "http://127.0.0.1"
authorised_domains = ["https://acme.example"]

[sandbox]
speed = 2

[sandbox.switches]
retry_after = true
page_size = 7
"""
HEADERS = {"Authorization": f"apiKey {KEY}"}


@contextlib.contextmanager
def _sandbox(directory: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], str, int]]:
    config, port = directory / "pipeline.toml", free_port()
    config.write_text(SETTINGS, encoding="utf-8")
    command = [sys.executable, "-m", "pipeline", "sandbox", "--config", str(config), "--port", str(port)]
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return http.get(f"{url}/readyz").status_code == 200
        return False

    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            wait_until(lambda: process.poll() is not None or ready())
            yield process, url, port
        finally:
            if process.poll() is None:
                process.kill()


def _raw(port: int, request: bytes) -> bytes:
    """The bytes of an answer; empty where the connection closed without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65_536):
                received += chunk
        return received


def _request(method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: sandbox",
        f"Authorization: apiKey {KEY}",
        "Connection: close",
    ]
    if not any(header.startswith("Transfer-Encoding") for header in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def test_a_real_connection_sees_header_names_reason_phrases_and_chunked_uploads(tmp_path: Path) -> None:
    with _sandbox(tmp_path, "--window", "sliding", "--switch", "page_size=9") as (process, url, port):
        refused = _raw(port, _request("POST", "/purchases", b"[]", "Content-Type: application/json"))
        assert refused.startswith(b"HTTP/1.1 422 Unprocessable Entity\r\n")
        assert b"\r\nX-RateLimit-Remaining: 99\r\n" in refused
        assert b"server:" not in refused.lower()

        form = (
            b'--b\r\nContent-Disposition: form-data; name="type"\r\n\r\ncontacts\r\n'
            b'--b\r\nContent-Disposition: form-data; name="delimiter"\r\n\r\n,\r\n'
            b'--b\r\nContent-Disposition: form-data; name="overrideExisting"\r\n\r\ntrue\r\n'
            b'--b\r\nContent-Disposition: form-data; name="updateOnlyEmptyFields"\r\n\r\nfalse\r\n'
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="f.csv"\r\n\r\n'
            b"_email\na@b.example\n\r\n--b--\r\n"
        )
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in form) + b"0\r\n\r\n"
        chunked = ("Content-Type: multipart/form-data; boundary=b", "Transfer-Encoding: chunked")
        created = _raw(port, _request("POST", "/imports", chunks, *chunked))
        assert created.startswith(b"HTTP/1.1 201 Created\r\n")
        assert b'"total":1' in created

        bare = _raw(port, _request("PATCH", f"/contacts/{EMAIL}", b"{}"))
        assert bare.startswith(b"HTTP/1.1 200 OK\r\n")
        deleted = _raw(
            port, _request("DELETE", f"/contacts/{EMAIL}", b"[]", "Content-Type: application/json")
        )
        assert deleted.startswith(b"HTTP/1.1 204 No Content\r\n")
        assert deleted.endswith(b"\r\n\r\n")

        switches = http.get(f"{url}/_sandbox/switches").json()
        assert (switches["window"], switches["page_size"], switches["retry_after"]) == ("sliding", 9, True)
        assert http.get(f"{url}/_sandbox/stats").json()["window_seconds"] == 30
        assert 'pipeline_ready{process="sandbox"} 1.0' in http.get(f"{url}/metrics").text

        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stdout is not None
        output = process.stdout.read().decode()
        assert "1 account(s); sliding window of 30 s, speed 2" in output
        assert "4 calls, 0 over the limit" in output
        assert "a@b.example" not in output
        assert "Traceback" not in output


def test_a_broken_connection_has_no_answer_and_the_purchase_is_there(tmp_path: Path) -> None:
    with _sandbox(tmp_path) as (process, url, port), httpx.Client(base_url=url, headers=HEADERS) as client:
        client.patch(f"/contacts/email/{EMAIL}", json={})
        client.patch("/products/product-id/p1", json=PRODUCT)
        for number, effect in enumerate(("close_after_store", "reset", "timeout_after_store")):
            rule = {"effect": effect, "method": "POST", "count": 1, "seconds": 0.2}
            client.post("/_sandbox/faults", json=[rule])
            with pytest.raises(httpx.TransportError):
                client.post("/purchases/", json={**PURCHASE, "purchaseId": str(number)})
        found = [client.get(f"/purchases/purchase-id/{number}").status_code for number in range(3)]
        assert found == [200, 404, 200]
        client.post("/_sandbox/faults", json=[{"effect": "timeout_after_store", "count": 1}])
        with pytest.raises(httpx.ReadTimeout):
            client.post("/purchases/", json={**PURCHASE, "purchaseId": "3"}, timeout=0.2)
        assert client.get("/purchases/purchase-id/3").status_code == 200
        assert _raw(port, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stdout is not None
        assert b"Traceback" not in process.stdout.read()


def test_a_wrong_switch_stops_the_command_and_names_it(tmp_path: Path) -> None:
    with _sandbox(tmp_path, "--switch", "windows=round") as (process, _, _):
        assert process.wait(10) == 2
        assert process.stdout is not None
        assert b"switch windows" in process.stdout.read()


def test_every_switch_is_listed_with_its_meaning() -> None:
    command = [sys.executable, "-m", "pipeline", "sandbox", "--list-switches"]
    listed = subprocess.run(command, capture_output=True, check=True, env={"COLUMNS": "200"}).stdout.decode()
    for name, field in ApiBehaviour.model_fields.items():
        assert field.description
        assert name in listed


def test_options_that_are_no_switch_are_refused() -> None:
    with pytest.raises(SettingsError, match="not name=value"):
        with_options(parse({}, {}), speed=None, window=None, switches=["page_size"])
    with pytest.raises(SettingsError, match="--window: Input should be 'fixed' or 'sliding'"):
        with_options(parse({}, {}), speed=None, window="round", switches=())


def test_a_real_connection_carries_what_a_proxy_would_and_outlives_clients_that_hang_up(
    tmp_path: Path,
) -> None:
    with _sandbox(tmp_path) as (_, url, port):
        digits = "9" * 400
        rules = [
            {
                "effect": "page",
                "status": 522,
                "headers": {"Retry-After": digits, "Date": "never"},
                "count": 1,
            },
            {"effect": "bomb", "status": 200, "size": 20_000_000, "count": 1},
            {"effect": "huge_body", "status": 200, "size": 300_000_000},
        ]
        assert http.post(f"{url}/_sandbox/faults", json=rules).status_code == 200
        page = _raw(port, _request("GET", "/store/"))
        assert page.startswith(b"HTTP/1.1 522 ")
        head = page.partition(b"\r\n\r\n")[0].lower()
        assert head.count(b"\r\ndate: never") == head.count(b"\r\ndate:") == 1
        assert f"\r\nretry-after: {digits}".encode() in head

        bomb = _raw(port, _request("GET", "/store/"))
        assert b"\r\ncontent-encoding: gzip\r\n" in bomb
        assert len(bomb) < 100_000

        with httpx.stream("GET", f"{url}/store/", headers=HEADERS) as answer:
            assert len(next(answer.iter_raw())) > 0
        assert http.get(f"{url}/readyz").status_code == 200
