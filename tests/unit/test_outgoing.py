"""No request of ours goes where the settings do not say: private addresses, names that change, redirects."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from pipeline.config import Settings, parse
from pipeline.connectif.answers import AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.connectif.downloads import download
from pipeline.connectif.network import Network, PrivateHostError
from pipeline.doctor.reachability import inside
from pipeline.outgoing import ALLOW_PRIVATE, PublicOnly, is_near, is_public, looked_up
from pipeline.shops.api import ApiRequest
from pipeline.shops.registry import PLATFORMS
from pipeline.sync.answers import Failed
from pipeline.sync.client import ShopClient
from tests.platforms import settings_of

#: What no name of the internet may lead to.
PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1%eth0",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a00:1",
    "2002:a00:1::",
    "ff02::1",
    "::",
]
PUBLIC = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]


class Names:
    """A name server: each look-up of a name has the next answer, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def getaddrinfo(self, _: str, port: int, **__: object) -> list[tuple[object, ...]]:
        found = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in found
        ]


@contextlib.contextmanager
def named(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> Iterator[Names]:
    """Every name is looked up here."""
    names, loop = Names(*answers), asyncio.get_running_loop()
    with monkeypatch.context() as patch:
        patch.setattr(loop, "getaddrinfo", names.getaddrinfo)
        for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            patch.delenv(variable, raising=False)
        yield names


class Server:
    """Answers every request with this, and keeps what was asked."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heads: list[bytes] = []
        self.port = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Server]:
        async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(self.answer)
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(answered, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_no_public_network_is_none_of_the_internet(address: str) -> None:
    assert not is_public(address)


def test_addresses_of_the_internet_are_public_and_link_local_ones_are_never_near() -> None:
    assert all(map(is_public, PUBLIC))
    assert not any(map(is_near, PUBLIC))
    barred = {
        "fd00:ec2::254",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fe80::1%eth0",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
    }
    assert {one for one in PRIVATE if not is_near(one)} == barred


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_name_of_the_internet_that_leads_into_a_private_network_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    with named(monkeypatch, [address]):
        with pytest.raises(OSError, match="private address"):
            await looked_up("api.shop.example", 443, private=False)
        network = Network()
        with pytest.raises(PrivateHostError, match="allow_private"):
            await network.handle_async_request(httpx.Request("GET", "https://api.shop.example/"))
        await network.aclose()


async def test_of_several_addresses_only_those_of_the_internet_are_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with named(monkeypatch, ["10.0.0.1", *PUBLIC, "::1"]):
        found = await looked_up("api.shop.example", 443, private=False)
    assert [address for _, address in found] == PUBLIC


async def test_what_the_settings_say_is_private_is_asked_there(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    with named(monkeypatch, ["127.0.0.1"]):
        async with server.running():
            for host, said in (("sandbox", False), ("shop.internal", False), ("shop.example", True)):
                network = Network()
                request = httpx.Request(
                    "GET", f"http://{host}:{server.port}/", extensions={ALLOW_PRIVATE: said}
                )
                assert (await network.handle_async_request(request)).status_code == 200
                await network.aclose()
    with named(monkeypatch, ["169.254.169.254"]):
        for host, said in (("sandbox", False), ("shop.example", True)):
            with pytest.raises(OSError, match="private address"):
                await looked_up(host, 443, private=said)


async def test_a_name_is_looked_up_once_and_the_connection_goes_to_what_was_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name server that says a public address first, and this machine's a moment later."""
    server = Server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    async with server.running():
        with named(monkeypatch, ["127.0.0.1"], ["10.0.0.1"]) as names:
            network = Network()
            request = httpx.Request("GET", f"http://sandbox:{server.port}/")
            assert (await network.handle_async_request(request)).status_code == 200
            await network.aclose()
        assert names.asked == 1


@pytest.mark.parametrize("address", ["169.254.169.254", "10.0.0.1", "::1"])
async def test_a_file_that_connectif_names_is_not_fetched_from_a_private_network(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    with named(monkeypatch, [address]) as names:
        for url in (
            "https://files.example/x.csv",
            f"https://[{address}]/x" if ":" in address else f"https://{address}/x",
        ):
            answer, content = await download(url, transport=None, seconds=5, most=1_000, local=False)
            assert not answer.good
            assert content == b""
        assert names.asked == 1


async def test_a_file_is_asked_at_the_judged_address_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[httpx.Request] = []

    class Recorded(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            asked.append(request)
            return httpx.Response(302, headers={"location": "/further"}, request=request)

    transport = PublicOnly()
    monkeypatch.setattr(transport, "_network", Recorded())
    with named(monkeypatch, [PUBLIC[0]]):
        async with httpx.AsyncClient(transport=transport) as client:
            answer = await client.get("https://files.example/x")
    assert asked[0].url.host == PUBLIC[0]
    assert asked[0].headers["host"] == "files.example"
    assert asked[0].extensions["sni_hostname"] == "files.example"
    assert answer.next_request is not None
    assert answer.next_request.url == "https://files.example/further"


def _settings(port: int) -> Settings:
    account = {"api_key": "id:planted-secret", "base_url": f"http://127.0.0.1:{port}"}
    return parse({"accounts": {"acme": account}, "stores": {}}, {})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed_with_credentials(status: int) -> None:
    elsewhere = Server(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
    async with elsewhere.running():
        head = b"HTTP/1.1 %d Moved\r\nlocation: http://127.0.0.1:%d/\r\ncontent-length: 0\r\n\r\n"
        server = Server(head % (status, elsewhere.port))
        async with server.running():
            async with ConnectifClient("acme", _settings(server.port).accounts["acme"]) as client:
                answer = await client.get_contact("a@b.example")
                assert answer.kind is not AnswerKind.OK
            for name, platform in PLATFORMS.items():
                if platform.api is None:
                    continue
                keys = {"api_url": f"http://127.0.0.1:{server.port}"}
                if name == "generic":
                    keys["api_token"] = "planted-secret"
                store = settings_of(name, **keys)
                shop = ShopClient(platform.api, store, transport=Network(), timeout=5)
                answered = await shop.send(ApiRequest("/x"))
                assert answered == Failed("redirect"), name
                await shop.aclose()
        assert server.heads
    assert not elsewhere.heads


async def test_doctor_names_an_address_that_leads_inside_and_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = {"api_key": {"env": "KEY"}, "base_url": "https://api.connectif.example"}
    inner = {**account, "allow_private": True}
    here = {**account, "base_url": "http://10.0.0.5:8090"}
    tree = {"accounts": {"outer": account, "inner": inner, "here": here}, "stores": {}}
    monkeypatch.setenv("KEY", "id:planted-secret")
    settings = parse(tree, {})
    with named(monkeypatch, ["10.0.0.1"]):
        [finding] = await inside(settings)
    assert "of account outer leads into a private network" in finding.said
    assert "allow_private = true" in finding.todo
    with named(monkeypatch, [PUBLIC[0]]):
        assert await inside(settings) == []
