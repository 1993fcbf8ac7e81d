"""The gateway on a real socket: offers to upgrade, trailers, half-closed connections, any bytes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.gateway.message import Stored
from tests.integration.hostile_requests import H2C, answers_until_closed, chunked, half_closed, offering
from tests.integration.serving import Served, read_answer, served, signed, status
from tests.processes import until
from tests.webhooks import http, order, shopify


@pytest.fixture
async def gateway() -> AsyncIterator[Served]:
    async with served() as running:
        yield running


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
    assert await answers_until_closed(gateway, *pieces, inner) == [401]


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
    assert await answers_until_closed(gateway, *pieces) == [200]
    assert gateway.keeper.kept == [order(1)]


async def test_an_offer_behind_other_requests_is_answered_in_its_turn(gateway: Served) -> None:
    assert await answers_until_closed(gateway, signed(1) + offering(signed(2), *H2C) + signed(3)) == [
        200,
        200,
    ]
    assert gateway.keeper.kept == [order(1), order(2)]


async def test_connect_is_refused_and_what_follows_is_not_read(gateway: Served) -> None:
    inner = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    for target in ("/webhooks/shopify/x", "example.com:443"):
        request = http(target, {}, inner, "CONNECT")
        assert await answers_until_closed(gateway, request.removesuffix(inner), inner) == [405]


async def test_after_a_request_that_closes_nothing_is_read(gateway: Served) -> None:
    closing = offering(signed(1), b"Connection: close")
    assert await answers_until_closed(gateway, closing + signed(2)) == [200]
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
        assert await answers_until_closed(gateway, request.removesuffix(inner)) == [415]
    else:
        assert await answers_until_closed(gateway, request.removesuffix(inner), inner, inner) == [100, 401]


async def test_a_genuine_delivery_that_asks_whether_to_send_its_body_is_kept(gateway: Served) -> None:
    request = offering(signed(), b"Expect: 100-continue")
    body = order(1)
    assert await answers_until_closed(gateway, request.removesuffix(body), body) == [100, 200]
    assert gateway.keeper.kept == [body]


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
