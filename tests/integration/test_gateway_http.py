"""The gateway on a real socket: hostile, slow, odd and usual senders. No broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import config
from pipeline.gateway.app import Gateway
from pipeline.gateway.hot import hot_protocol
from pipeline.gateway.message import Message, Overloaded, Stored
from pipeline.gateway.protocol import HARD_LIMIT_BYTES, MAX_PIPELINED, LimitedProtocol
from pipeline.gateway.run import http_server
from pipeline.gateway.webhooks import Webhooks
from pipeline.observe import bound_socket, observe_app
from pipeline.shops.registry import ADAPTERS
from pipeline.shops.shopify import SHOPIFY
from tests.processes import until
from tests.webhooks import STORES, http, order, shopify, woocommerce

PATH = "/webhooks/shopify/acme-es"
CAP = 100_000


@dataclass
class Keeper:
    """Keeps messages; `hold` leaves them unconfirmed."""

    kept: list[bytes] = field(default_factory=list)
    waiting: list[asyncio.Future[Stored]] = field(default_factory=list)
    hold: bool = False
    full: bool = False

    def submit(self, message: Message) -> asyncio.Future[Stored]:
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        self.kept.append(message.body)
        if self.full:
            future.set_exception(Overloaded("full"))
        elif self.hold:
            self.waiting.append(future)
        else:
            future.set_result(Stored.KAFKA)
        return future


@dataclass
class Served:
    """A gateway that listens."""

    port: int
    keeper: Keeper
    webhooks: Webhooks
    connections: set[object]

    async def ask(self, *pieces: bytes, answers: int = 1) -> list[bytes]:
        """Send the pieces on one connection, and read so many answers, whole."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        async with asyncio.timeout(20):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                if len(pieces) > 1:
                    await asyncio.sleep(0)
            found = [await read_answer(reader) for _ in range(answers)]
        writer.close()
        return found

    def sweep(self, seconds: int) -> None:
        """Let the seconds pass for every connection."""
        for _ in range(seconds):
            for connection in list(self.connections):
                assert isinstance(connection, LimitedProtocol)
                connection.sweep()


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: ")]
    body = await reader.readexactly(int(lengths[0].split()[1])) if lengths else b""
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"date:")]
    return b"\r\n".join(lines) + body


def status(answer: bytes) -> int:
    return int(answer.split()[1])


@pytest.fixture
async def gateway() -> AsyncIterator[Served]:
    async with served() as running:
        yield running


@contextlib.asynccontextmanager
async def served(adapters: dict[str, object] | None = None, most: int = 1_000_000) -> AsyncIterator[Served]:
    tree = {**STORES, "gateway": {"max_body_bytes": CAP, "max_held_bytes": 5_000_000}}
    loaded, keeper = config.parse(tree, {}), Keeper()
    webhooks = Webhooks(loaded, {**ADAPTERS, **(adapters or {})}, keeper)  # type: ignore[dict-item]
    app = Gateway(webhooks, observe_app("gateway", lambda: None))
    server = http_server(loaded.gateway, app, hot_protocol(loaded.gateway, webhooks, most))
    sock = bound_socket("127.0.0.1", 0)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    await until(lambda: server.started)
    try:
        yield Served(sock.getsockname()[1], keeper, webhooks, server.server_state.connections)  # type: ignore[arg-type]
    finally:
        server.should_exit = True
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await task
    assert webhooks.held == 0


def signed(number: int = 1, padding: int = 0) -> bytes:
    body = order(number, padding)
    return http(PATH, shopify(body), body)


async def test_a_delivery_is_kept_and_answered_on_a_connection_that_stays(gateway: Served) -> None:
    answers = await gateway.ask(*(signed(number, 10_000) for number in range(5)), answers=5)
    assert {status(answer) for answer in answers} == {200}
    assert gateway.keeper.kept == [order(number, 10_000) for number in range(5)]


async def test_a_delivery_may_come_byte_by_byte(gateway: Served) -> None:
    request = signed()
    [answer] = await gateway.ask(*(request[at : at + 1] for at in range(len(request))))
    assert (status(answer), gateway.keeper.kept) == (200, [order(1)])


async def test_pipelined_deliveries_are_all_kept_and_answered_in_order(gateway: Served) -> None:
    answers = await gateway.ask(
        signed(1) + http("/healthz", {}, b"", "GET") + signed(2) + http(PATH, {}, b"", "PUT") + signed(3),
        answers=5,
    )
    assert [status(answer) for answer in answers] == [200, 200, 200, 405, 200]
    assert gateway.keeper.kept == [order(1), order(2), order(3)]


async def test_every_refusal_of_trust_is_one_on_the_wire(gateway: Served) -> None:
    body = order(1)
    forged = shopify(body, secret="guess")
    paths = [PATH, "/webhooks/shopify/nobody", "/webhooks/woocommerce/acme-es", "/webhooks/x/y"]
    paths += ["/webhooks/shopify/%2e%2e%2fetc", "/webhooks/shopify/%zz", "/webhooks/shopify/%ff"]
    paths += [PATH + "?x=1", PATH.replace("-", "%2d")]
    answers = [(await gateway.ask(http(path, forged, body)))[0] for path in paths]
    in_pieces = http(PATH, {**forged, "transfer-encoding": "chunked"}, b"").replace(
        b"content-length: 0\r\n", b""
    )
    answers += await gateway.ask(in_pieces + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert len(set(answers)) == 1
    assert status(answers[0]) == 401


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_other_methods_are_refused(gateway: Served, method: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(http(PATH, shopify(b""), b"", method))
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 405 " in head.splitlines()[0]
    assert b"allow: POST" in head
    writer.close()


async def chunked(chunk: bytes, count: int) -> AsyncIterator[bytes]:
    body = chunk * count
    head = http(PATH, {**shopify(body), "transfer-encoding": "chunked"}, b"")
    yield head.replace(b"content-length: 0\r\n", b"")
    for _ in range(count):
        yield b"%x\r\n%s\r\n" % (len(chunk), chunk)
    yield b"0\r\n\r\n"


async def test_a_chunked_body_is_joined(gateway: Served) -> None:
    pieces = [piece async for piece in chunked(b'{"a": 1}', 500)]
    assert status((await gateway.ask(*pieces))[0]) == 200
    assert gateway.keeper.kept == [b'{"a": 1}' * 500]


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_of_50_mb_is_refused_and_not_held(gateway: Served, declared: bool) -> None:
    if declared:
        pieces: Sequence[bytes] = [http(PATH, shopify(b""), b"x" * 50_000_000)]
    else:
        pieces = [piece async for piece in chunked(b"x" * 500_000, 100)]
    [answer] = await gateway.ask(*pieces)
    assert status(answer) == 413
    assert gateway.webhooks.held == 0


async def test_after_a_refused_body_the_connection_can_go_on(gateway: Served) -> None:
    answers = await gateway.ask(http(PATH, shopify(b""), b"x" * 300_000), signed(), answers=2)
    assert [status(answer) for answer in answers] == [413, 200]


@pytest.mark.parametrize(
    "headers",
    [
        {f"x-{number}": "y" for number in range(10_000)},
        {f"x-{number}": "y" for number in range(250)},
        {"x-long": "y" * 1_000_000},
        {"x-long": "y" * 70_000},
    ],
    ids=["10000", "250", "1 MB", "70 kB"],
)
async def test_too_many_or_too_long_headers_are_refused(gateway: Served, headers: dict[str, str]) -> None:
    body = order(1)
    [answer] = await gateway.ask(http(PATH, {**headers, **shopify(body)}, body))
    assert status(answer) == 431
    assert gateway.keeper.kept == []


@pytest.mark.parametrize("what", ["headers", "a header", "a path", "trailers", "crumbs"])
async def test_what_has_no_end_is_cut_off(gateway: Served, what: str) -> None:
    opening = {
        "headers": b"POST / HTTP/1.1\r\n",
        "a header": b"POST / HTTP/1.1\r\nx: ",
        "a path": b"POST /",
        "trailers": b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
        "crumbs": b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
    }[what]
    endless = {"headers": b"x: y\r\n", "trailers": b"x: y\r\n", "crumbs": b"1\r\nx\r\n"}.get(what, b"yyyyyy")
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(opening)
    sent = 0
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20):
            while not reader.at_eof() and sent < 40 * HARD_LIMIT_BYTES:
                writer.write(endless * 10_000)
                sent += len(endless) * 10_000
                await writer.drain()
                await asyncio.sleep(0)
    assert sent < 40 * HARD_LIMIT_BYTES
    await until(lambda: not gateway.connections)
    writer.close()


async def test_http_1_0_is_answered_and_closed(gateway: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(signed().replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    answer = await reader.read()
    assert (status(answer), gateway.keeper.kept) == (200, [order(1)])
    assert b"connection: close" in answer
    writer.close()


async def test_a_sender_that_asks_first_is_told_to_go_on(gateway: Served) -> None:
    body = order(1)
    request = http(PATH, {**shopify(body), "expect": "100-continue"}, body)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request.removesuffix(body))
    assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
    writer.write(body)
    assert status(await read_answer(reader)) == 200
    writer.close()


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"POST \xff HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nno colon\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused(gateway: Served, junk: bytes) -> None:
    [answer] = await gateway.ask(junk)
    assert status(answer) == 400


@pytest.mark.parametrize(
    "lengths", [b"content-length: 5\r\ncontent-length: 6", b"content-length: 5\r\ntransfer-encoding: chunked"]
)
async def test_a_request_of_two_lengths_is_refused(gateway: Served, lengths: bytes) -> None:
    request = http(PATH, shopify(b""), b"").replace(b"content-length: 0", lengths)
    assert status((await gateway.ask(request + b"5\r\nhello\r\n0\r\n\r\n"))[0]) in (400, 401)
    assert gateway.keeper.kept == []


@pytest.mark.parametrize("sent", ["nothing", "half the headers", "half the body"])
async def test_a_slow_sender_is_cut_off_and_holds_no_memory(gateway: Served, sent: str) -> None:
    request = signed(padding=50_000)
    part = {"nothing": 0, "half the headers": 30, "half the body": len(request) // 2}[sent]
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request[:part])
    await until(lambda: bool(gateway.connections))
    [connection] = gateway.connections
    assert isinstance(connection, LimitedProtocol)
    if sent == "half the headers":
        await until(lambda: connection._in_headers)
    elif sent == "half the body":
        await until(lambda: gateway.webhooks.held > 1_000)
    gateway.sweep(15)
    assert len(gateway.connections) == 1
    gateway.sweep(1)
    answer = await reader.read()
    assert answer == b"" if sent == "nothing" else status(answer) == 408
    await until(lambda: gateway.webhooks.held == 0)
    writer.close()


async def test_an_idle_connection_is_closed_after_its_time(gateway: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(signed())
    await read_answer(reader)
    gateway.sweep(75)
    assert len(gateway.connections) == 1
    gateway.sweep(1)
    assert await reader.read() == b""
    writer.close()


async def test_the_wait_for_kafka_is_no_fault_of_the_sender(gateway: Served) -> None:
    gateway.keeper.hold = True
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(signed())
    await until(lambda: bool(gateway.keeper.waiting))
    gateway.sweep(100)
    gateway.keeper.waiting[0].set_result(Stored.SPOOL)
    assert status(await read_answer(reader)) == 200
    writer.close()


async def test_a_sender_that_leaves_before_the_answer_harms_nothing(gateway: Served) -> None:
    gateway.keeper.hold = True
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(signed(padding=20_000))
    await until(lambda: bool(gateway.keeper.waiting))
    writer.transport.abort()
    await until(lambda: not gateway.connections)
    gateway.keeper.waiting[0].set_result(Stored.KAFKA)
    await until(lambda: gateway.webhooks.held == 0)


async def test_a_sender_that_leaves_in_the_middle_of_a_body_holds_no_memory(gateway: Served) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(signed(padding=50_000)[:-100])
    await until(lambda: gateway.webhooks.held > 1_000)
    writer.transport.abort()
    await until(lambda: gateway.webhooks.held == 0)


async def test_many_bodies_at_once_are_refused_before_memory_runs_out(gateway: Served) -> None:
    gateway.keeper.hold = True
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(signed())
    await until(lambda: bool(gateway.keeper.waiting))
    gateway.webhooks.held += 5_000_000
    assert status((await gateway.ask(signed(2, padding=50_000)))[0]) == 503
    gateway.webhooks.held -= 5_000_000
    gateway.keeper.waiting[0].set_result(Stored.KAFKA)
    assert status(await read_answer(reader)) == 200
    writer.close()


async def test_where_nothing_can_be_kept_the_answer_is_503(gateway: Served) -> None:
    gateway.keeper.full = True
    [answer] = await gateway.ask(signed())
    assert status(answer) == 503
    assert b"retry-after: 10" in answer


async def test_a_defect_of_ours_is_never_the_shops_fault() -> None:
    class Broken:
        platform = "shopify"
        verify = SHOPIFY.verify
        is_ping = SHOPIFY.is_ping
        translate = SHOPIFY.translate

        def arrival(self, headers: object, body: bytes) -> object:  # noqa: ARG002 - the contract
            raise RuntimeError("a defect")

    failures: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    async with served({"shopify": Broken()}) as gateway:
        [answer] = await gateway.ask(signed())
    assert status(answer) == 503
    assert "a defect" in str(failures[0]["exception"])


def offering(request: bytes, *offer: bytes) -> bytes:
    """The same request with an offer to speak something else."""
    head, _, body = request.partition(b"\r\n\r\n")
    return b"\r\n".join([head, *offer]) + b"\r\n\r\n" + body


H2C = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__")


async def everything(gateway: Served, *pieces: bytes) -> list[int]:
    """The statuses of all answers until the gateway closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    found: list[int] = []
    async with asyncio.timeout(20):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                found.append(status(await read_answer(reader)))
    writer.close()
    return found


@pytest.mark.parametrize("upgrade", [b"h2c", b"websocket", b"foo", b"TLS/1.0"])
@pytest.mark.parametrize("cut", ["whole", "in two", "byte by byte"])
async def test_the_body_behind_an_offer_to_upgrade_is_never_a_request(
    gateway: Served, upgrade: bytes, cut: str
) -> None:
    inner = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    request = http("/webhooks/shopify/nobody", {"content-type": "application/json"}, inner)
    request = offering(request, b"Connection: Upgrade", b"Upgrade: " + upgrade)
    split = request.index(inner)
    pieces = {
        "whole": [request],
        "in two": [request[:split], request[split:]],
        "byte by byte": [request[at : at + 1] for at in range(len(request))],
    }[cut]
    assert await everything(gateway, *pieces, inner) == [401]


@pytest.mark.parametrize("chunked_body", [False, True])
@pytest.mark.parametrize("cut", [False, True])
async def test_a_genuine_delivery_that_offers_http_2_is_kept(
    gateway: Served, cut: bool, chunked_body: bool
) -> None:
    request, body = offering(signed(), *H2C), order(1)
    if chunked_body:
        head = request.removesuffix(body).replace(
            b"content-length: %d" % len(body), b"transfer-encoding: chunked"
        )
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        request = head + body
    pieces = [request.removesuffix(body), body] if cut else [request]
    assert await everything(gateway, *pieces) == [200]
    assert gateway.keeper.kept == [order(1)]


async def test_an_offer_behind_other_requests_is_answered_in_its_turn(gateway: Served) -> None:
    assert await everything(gateway, signed(1) + offering(signed(2), *H2C) + signed(3)) == [200, 200]
    assert gateway.keeper.kept == [order(1), order(2)]


async def test_connect_is_refused_and_what_follows_is_not_read(gateway: Served) -> None:
    inner = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    for target in ("/webhooks/shopify/x", "example.com:443"):
        request = http(target, {}, inner, "CONNECT")
        assert await everything(gateway, request.removesuffix(inner), inner) == [405]


async def test_after_a_request_that_closes_nothing_is_read(gateway: Served) -> None:
    closing = offering(signed(1), b"Connection: close")
    assert await everything(gateway, closing + signed(2)) == [200]
    assert gateway.keeper.kept == [order(1)]


async def test_what_is_no_request_is_answered_after_those_before_it(gateway: Served) -> None:
    gateway.keeper.hold = True
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(signed(1) + b"\x16\x03\x01 is no request\r\n\r\n")
    await until(lambda: bool(gateway.keeper.waiting))
    await asyncio.sleep(0.01)
    gateway.keeper.waiting[0].set_result(Stored.KAFKA)
    assert [status(await read_answer(reader)) for _ in range(2)] == [200, 400]
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /webhooks/a/b HTTP/1.1\r\n\r\n",
        b"POST /webhooks/shopify/x HTTP/1.1\r\nContent-Type:application/json\r\nContent-Length:1\r\n\r\n1",
    ],
    ids=["metrics", "healthz", "refused", "webhook"],
)
async def test_a_peer_that_pipelines_and_never_reads_is_bounded_and_cut_off(
    gateway: Served, request_: bytes
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1_000)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(request_ * (1_000_000 // len(request_)))
    await until(lambda: bool(gateway.connections))
    [connection] = gateway.connections
    assert isinstance(connection, LimitedProtocol)
    most = 0

    def ended() -> bool:
        nonlocal most
        most = max(most, len(connection.pipeline) + len(connection.server_state.tasks))
        connection.sweep()
        return not gateway.connections

    await until(ended)
    assert most <= MAX_PIPELINED + 2
    writer.transport.abort()


async def test_so_many_requests_at_once_are_answered_and_the_next_refused(gateway: Served) -> None:
    found = await everything(gateway, b"".join(signed(number) for number in range(200)))
    assert found[0] == 200
    assert found[-1] == 503
    assert len(gateway.keeper.kept) == found.count(200) <= MAX_PIPELINED + 2


async def test_a_peer_that_does_not_take_its_answer_is_cut_off(gateway: Served) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await until(lambda: bool(gateway.connections))
    [connection] = gateway.connections
    assert isinstance(connection, LimitedProtocol)
    connection.transport.write(b"x" * 50_000_000)
    gateway.sweep(15)
    assert gateway.connections
    gateway.sweep(1)
    await until(lambda: not gateway.connections)
    writer.transport.abort()


async def test_over_the_limit_an_idle_connection_gives_way_else_the_new_one() -> None:
    async with served(most=3) as gateway:
        opened = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(3)]
        await until(lambda: len(gateway.connections) == 3)
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        assert status(await read_answer(reader)) == 503
        assert await reader.read() == b""
        writer.close()
        opened[0][1].write(signed())
        assert status(await read_answer(opened[0][0])) == 200
        await until(lambda: len(gateway.connections) == 3)
        assert [status(answer) for answer in await gateway.ask(signed(2))] == [200]
        assert await opened[0][0].read() == b""
        for _, writer in opened:
            writer.close()


async def test_what_one_store_is_sent_leaves_room_for_the_others(gateway: Served) -> None:
    gateway.keeper.hold = True
    flood = []
    for number in range(60):
        body = order(number, 90_000)
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(http(PATH, shopify(body), body)[:-10])
        flood.append(writer)
    flood_route = gateway.webhooks.routes["acme-es"]
    await until(lambda: flood_route.held > 2_000_000)
    for padding in (0, 90_000):
        body = order(1, padding)
        asking = asyncio.create_task(
            gateway.ask(http("/webhooks/woocommerce/woo-fr", woocommerce(body), body))
        )
        await until(lambda: bool(gateway.keeper.waiting))
        gateway.keeper.waiting.pop().set_result(Stored.KAFKA)
        assert status((await asking)[0]) == 200
    assert flood_route.held < 2_800_000
    for writer in flood:
        writer.transport.abort()
    await until(lambda: gateway.webhooks.held == 0)
    assert flood_route.held == 0


TYPED = {200, 400, 401, 404, 405, 408, 413, 415, 431, 503}
TOKENS = [
    b"POST ",
    b"GET ",
    b"CONNECT ",
    b"PRI * ",
    b"/webhooks/shopify/acme-es",
    b"/webhooks/",
    b"/metrics",
    b"%zz",
    b"http://x/",
    b" HTTP/1.1\r\n",
    b" HTTP/1.0\r\n",
    b" HTTP/2.0\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\0",
    b"content-length: 5\r\n",
    b"content-length: 99999999999999999999\r\n",
    b"content-length: -1\r\n",
    b"transfer-encoding: chunked\r\n",
    b"transfer-encoding: gzip, chunked\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"connection: upgrade\r\nupgrade: h2c\r\n",
    b"connection: close\r\n",
    b"expect: 100-continue\r\n",
    b"content-type: application/json\r\n",
    b"content-type: application/x-www-form-urlencoded\r\n",
    b"content-encoding: gzip\r\n",
    b"x-shopify-hmac-sha256: \xff\r\n",
    b"hello",
    b"\xf0\x9f\x8e\x81",
    b": ",
    b"?a=b",
]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=30)), max_size=14).map(b"".join),
        max_size=3,
    )
)
def test_any_bytes_get_typed_answers_or_none(pieces: list[bytes]) -> None:
    async def send() -> bytes:
        async with served() as gateway:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.001)
            reading = asyncio.create_task(reader.read())
            while not reading.done():
                gateway.sweep(4)
                await asyncio.wait({reading}, timeout=0.005)
            found = b"" if isinstance(reading.exception(), ConnectionError) else reading.result()
            writer.close()
            assert gateway.webhooks.held == 0
            [answer] = await gateway.ask(signed())
            assert status(answer) == 200
            return found

    found = asyncio.run(send())
    while found:
        head, _, found = found.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 "), head
        code = int(head.split()[1])
        if code == 100:
            continue
        assert code in TYPED
        lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        size = int(lines[b"content-length"])
        body, found = found[:size], found[size:]
        if lines[b"content-type"] == b"application/json" and body:
            assert set(orjson.loads(body)) in ({"ok"}, {"error", "hint"})
