"""The gateway on a real socket: offers to upgrade, pipelines, floods, any bytes. No broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.gateway.message import Stored
from pipeline.gateway.protocol import MAX_PIPELINED, LimitedProtocol
from tests.integration.serving import PATH, Served, read_answer, served, signed, status
from tests.processes import until
from tests.webhooks import http, order, shopify, woocommerce


@pytest.fixture
async def gateway() -> AsyncIterator[Served]:
    async with served() as running:
        yield running


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
        with contextlib.suppress(ConnectionError):  # it may close before all is sent
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


@contextlib.asynccontextmanager
async def half_closed(gateway: Served, request: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """A connection on which this was sent, and nothing more will be."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request)
    writer.write_eof()
    async with asyncio.timeout(20):
        yield reader
    writer.close()


@pytest.mark.parametrize("store", ["acme-es", "nobody"])
async def test_a_peer_that_says_it_sends_no_more_still_gets_its_answers(gateway: Served, store: str) -> None:
    gateway.keeper.hold = True
    requests = signed(1).replace(b"acme-es", store.encode()) + signed(2)
    async with half_closed(gateway, requests) as reader:
        for number in range(1, 3 if store == "acme-es" else 2):
            await until(lambda number=number: len(gateway.keeper.waiting) == number)  # type: ignore[misc]
            gateway.keeper.waiting[-1].set_result(Stored.KAFKA)
        found = [status(await read_answer(reader)) for _ in range(2)]
        assert found == [200 if store == "acme-es" else 401, 200]
        assert await reader.read() == b""
    await until(lambda: not gateway.connections)


@pytest.mark.parametrize(
    "request_", [signed()[:-1], signed()[:60], offering(signed(), b"x-forwarded-for: a")[:-1]]
)
async def test_a_peer_that_ends_within_a_request_is_told_so(gateway: Served, request_: bytes) -> None:
    async with half_closed(gateway, request_) as reader:
        assert status(await read_answer(reader)) == 400
        assert await reader.read() == b""
    assert gateway.keeper.kept == []


@pytest.mark.parametrize("request_", [b"", signed()])
async def test_a_peer_that_ends_between_requests_is_closed(gateway: Served, request_: bytes) -> None:
    async with half_closed(gateway, request_) as reader:
        assert (await reader.read()).count(b"HTTP/1.1 ") == bool(request_)


def chunked(body: bytes, *trailers: bytes, **headers: str) -> bytes:
    """A delivery in chunks, with trailers."""
    request = http(PATH, {**shopify(body), **headers}, b"")
    head = request.replace(b"content-length: 0", b"transfer-encoding: chunked")
    lines = b"".join(trailer + b"\r\n" for trailer in trailers)
    return head + b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, lines)


@pytest.mark.parametrize(
    "trailers",
    [
        [b"x-shopify-hmac-sha256: bad"],
        [b"content-type: text/html"],
        [b"content-encoding: gzip"],
        [b"x: y"] * 300,
    ],
)
async def test_trailers_say_nothing_of_the_request(gateway: Served, trailers: list[bytes]) -> None:
    for pieces in ([chunked(order(1), *trailers)], chunked(order(1), *trailers).partition(b"\r\n0\r\n")):
        assert [status(answer) for answer in await gateway.ask(*pieces)] == [200]


async def test_a_signature_behind_the_body_is_none(gateway: Served) -> None:
    genuine = shopify(order(1))["x-shopify-hmac-sha256"].encode()
    request = chunked(order(1), b"x-shopify-hmac-sha256: " + genuine, **{"x-shopify-hmac-sha256": "bad"})
    assert [status(answer) for answer in await gateway.ask(request)] == [401]


@pytest.mark.parametrize("content_type", ["text/plain", "application/json"])
async def test_after_a_request_that_asks_whether_to_send_its_body_nothing_is_read(
    gateway: Served, content_type: str
) -> None:
    inner = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    headers = {"content-type": content_type, "expect": "100-continue"}
    request = http("/webhooks/shopify/nobody", headers, inner)
    if content_type == "text/plain":
        assert await everything(gateway, request.removesuffix(inner)) == [415]
    else:
        assert await everything(gateway, request.removesuffix(inner), inner, inner) == [100, 401]


async def test_a_genuine_delivery_that_asks_whether_to_send_its_body_is_kept(gateway: Served) -> None:
    request = offering(signed(), b"Expect: 100-continue")
    body = order(1)
    assert await everything(gateway, request.removesuffix(body), body) == [100, 200]
    assert gateway.keeper.kept == [body]


@pytest.mark.parametrize("blank", [b"\r\n", b"\n"])
async def test_empty_lines_without_end_are_closed_without_a_defect(
    gateway: Served, blank: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    last = offering(signed(), b"Connection: close")
    assert await everything(gateway, blank * 100_000, last) in ([200], [400])
    assert await everything(gateway, blank * 3_000_000, last) in ([], [400])
    assert caplog.text == ""


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
        connection.enforce_timeouts()
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
    gateway.enforce_timeouts(15)
    assert gateway.connections
    gateway.enforce_timeouts(1)
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


@pytest.mark.parametrize("with_body", [False, True])
async def test_long_headers_that_never_end_are_refused_before_memory_runs_out(
    gateway: Served, with_body: bool
) -> None:
    request = offering(signed(), *[b"x-long: " + b"y" * 400] * 120)
    half = request[:-1] if with_body else request[:40_000]
    connections = []
    for _ in range(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(half)
        connections.append((reader, writer))
    await until(lambda: 0 < len(gateway.connections) < 40)
    kind = type(next(iter(gateway.connections)))
    assert issubclass(kind, LimitedProtocol)
    assert kind.headers_held < 1_300_000
    assert status(await read_answer(connections[-1][0])) == 503
    assert [status(answer) for answer in await gateway.ask(signed())] == [200]
    for _, writer in connections:
        writer.transport.abort()
    await until(lambda: not gateway.connections)
    assert kind.headers_held == 0


async def test_a_large_body_lets_the_other_connections_have_their_turn(gateway: Served) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    request = signed(padding=90_000)
    writer.write(request[:200])
    await until(lambda: bool(gateway.connections))
    [connection] = gateway.connections
    assert isinstance(connection, LimitedProtocol)
    await until(lambda: connection.headers_held == 200)
    connection.data_received(request[200:80_000])
    assert not connection.transport.is_reading()
    await until(connection.transport.is_reading)
    writer.write(request[80_000:])
    await until(lambda: len(gateway.keeper.kept) == 1)
    writer.close()


async def test_connections_that_say_nothing_keep_no_shop_out() -> None:
    async with served(most=3) as gateway:
        silent = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(3)]
        await until(lambda: len(gateway.connections) == 3)
        gateway.enforce_timeouts(2)
        assert [status(answer) for answer in await gateway.ask(signed())] == [200]
        for _, writer in silent:
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
                gateway.enforce_timeouts(4)
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
