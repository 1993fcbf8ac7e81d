"""The network under the client, against a server that answers as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import shutil
import ssl
import subprocess
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from pipeline.connectif.answers import Cause, no_answer
from pipeline.connectif.bodies import TooLargeError
from pipeline.connectif.network import CertificateError, Network, UnknownHostError
from pipeline.local.ports import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers each request with the next of `answers`: b"" breaks the connection, None is silence."""

    def __init__(self, *answers: bytes | None) -> None:
        self._answers = list(answers)
        self._talks: set[asyncio.Task[None]] = set()
        self.url = ""
        self.heads: list[bytes] = []
        self.writers: list[asyncio.StreamWriter] = []

    def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._talks.add(asyncio.create_task(self._answer(reader, writer)))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                answer = self._answers.pop(0)
                if answer is None:
                    await reader.read()
                elif not answer:
                    break
                else:
                    writer.write(answer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Network]:
        """Serve, with a network to ask."""
        server = await asyncio.start_server(self._talk, "127.0.0.1")
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        network = Network()
        try:
            yield network
        finally:
            await network.aclose()
            server.close()
            await asyncio.gather(*self._talks)

    def request(self, method: str = "GET", path: str = "/", seconds: float = 5) -> httpx.Request:
        """A request to it."""
        timeout = httpx.Timeout(seconds).as_dict()
        return httpx.Request(method, self.url + path, extensions={"timeout": timeout})


async def test_a_path_goes_out_as_it_was_written() -> None:
    server = Server(OK)
    async with server.running() as network:
        await network.handle_async_request(server.request(path="/products/%2E%2E/a%40b%2F?x=%20"))
    assert server.heads[0].startswith(b"GET /products/%2E%2E/a%40b%2F?x=%20 HTTP/1.1\r\n")
    assert b"user-agent" not in server.heads[0].lower()


async def test_an_answer_comes_with_its_headers_and_unpacked() -> None:
    packed = gzip.compress(b"[]")
    head = b"HTTP/1.1 201 Created\r\nX-RateLimit-Limit: 7\r\nContent-Encoding: gzip\r\n"
    server = Server(head + b"Content-Length: %d\r\n\r\n" % len(packed) + packed)
    async with server.running() as network:
        answer = await network.handle_async_request(server.request())
    assert (answer.status_code, answer.content, answer.headers["x-ratelimit-limit"]) == (201, b"[]", "7")


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "PATCH"])
async def test_a_broken_connection_is_an_error_and_no_second_request(method: str) -> None:
    server = Server(OK, b"", OK)
    async with server.running() as network:
        await network.handle_async_request(server.request())
        with pytest.raises(httpx.RemoteProtocolError):
            await network.handle_async_request(server.request(method))
    assert len(server.heads) == 2


async def test_what_nobody_asked_for_answers_no_request() -> None:
    surplus = b"HTTP/1.1 204 No Content\r\n\r\n"
    server = Server(OK, OK, OK)
    async with server.running() as network:
        assert (await network.handle_async_request(server.request())).content == b"{}"
        server.writers[0].write(surplus)
        for _ in range(2):
            assert (await network.handle_async_request(server.request())).content == b"{}"
    assert len(server.writers) == 2


async def test_a_long_header_is_read_and_an_endless_one_is_not() -> None:
    long, endless = b"x" * 30_000, b"x" * 40_000
    server = Server(*(OK.replace(b"\r\n", b"\r\nX: " + value + b"\r\n", 1) for value in (long, endless)))
    async with server.running() as network:
        assert (await network.handle_async_request(server.request())).content == b"{}"
        with pytest.raises(httpx.RemoteProtocolError):
            await network.handle_async_request(server.request())


async def test_a_redirect_is_an_answer() -> None:
    server = Server(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n")
    async with server.running() as network:
        assert (await network.handle_async_request(server.request())).status_code == 302


async def test_silence_is_a_time_out_of_something_that_was_sent() -> None:
    server = Server(None)
    async with server.running() as network:
        with pytest.raises(httpx.ReadTimeout):
            await network.handle_async_request(server.request(seconds=0.05))


async def test_nobody_there_means_that_nothing_was_sent() -> None:
    server, network = Server(), Network()
    server.url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(httpx.ConnectError):
        await network.handle_async_request(server.request())
    await network.aclose()


async def test_nonsense_is_no_answer() -> None:
    server = Server(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    async with server.running() as network:
        with pytest.raises(httpx.RemoteProtocolError):
            await network.handle_async_request(server.request())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 ann@shop.example\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: ann@shop.example\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nann@shop.example\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nann@shop.example\r\n",
        OK.replace(b"OK", b"OK\r\nX: " + b"ann@shop.example" * 3_000),
    ],
    ids=["status", "length", "header", "chunk", "too long"],
)
async def test_the_words_of_an_error_repeat_nothing_of_what_came(answer: bytes) -> None:
    server = Server(answer)
    async with server.running() as network:
        with pytest.raises(httpx.RemoteProtocolError) as error:
            await network.handle_async_request(server.request(path="/lee"))
    assert str(error.value)
    assert not [word for word in ("ann", "shop", "lee") if word in str(error.value).lower()]


async def test_it_opens_again_after_it_was_closed() -> None:
    server = Server(OK, OK)
    async with server.running() as network:
        for _ in range(2):
            assert (await network.handle_async_request(server.request())).is_success
            await network.aclose()


async def _refused(server: Server) -> None:
    async with server.running() as network:
        with pytest.raises(TooLargeError):
            await network.handle_async_request(server.request())


async def test_a_body_that_is_too_long_is_not_read() -> None:
    await _refused(Server(b"HTTP/1.1 200 OK\r\nContent-Length: 600000000\r\n\r\n"))


async def test_a_body_without_a_length_is_read_up_to_its_bound() -> None:
    part = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    await _refused(Server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + 8 * part))


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_body_is_unpacked_up_to_its_bound(encoding: str) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if encoding == "gzip" else -15)
    packed = b"".join(packer.compress(b" " * 1_000_000) for _ in range(100)) + packer.flush()
    assert len(packed) < 200_000
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(packed)}\r\n\r\n"
    await _refused(Server(head.encode() + packed))


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "gzip", "deflate"])
async def test_what_cannot_be_unpacked_is_no_answer(encoding: str) -> None:
    server = Server(
        f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    )
    async with server.running() as network:
        with pytest.raises(httpx.DecodingError):
            await network.handle_async_request(server.request())


async def test_a_name_without_an_address_is_told_apart() -> None:
    network = Network()
    request = httpx.Request("GET", "http://nobody.invalid/")
    with pytest.raises(UnknownHostError) as raised:
        await network.handle_async_request(request)
    await network.aclose()
    assert no_answer(raised.value).cause is Cause.UNKNOWN_HOST


async def test_a_certificate_that_proves_nothing_is_told_apart_and_nothing_is_sent(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    _self_signed(key, certificate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    seen: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", ssl=tls)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    network = Network()
    with pytest.raises(CertificateError) as raised:
        await network.handle_async_request(httpx.Request("POST", url, content=b"secret"))
    await network.aclose()
    server.close()
    answer = no_answer(raised.value)
    assert (answer.cause, answer.carried_out) == (Cause.CERTIFICATE, False)
    assert b"".join(seen) == b""


def _self_signed(key: Path, certificate: Path) -> None:
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=127.0.0.1"
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: there is no certificate to refuse")
    command = [openssl, *words.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
