"""The gateway on a real socket: slow, odd and usual senders. No broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from pipeline.gateway.message import Stored
from pipeline.gateway.protocol import HARD_LIMIT_BYTES, LimitedProtocol
from pipeline.shops.base import Arrival, WebhookRequest
from pipeline.shops.shopify import SHOPIFY
from tests.integration.serving import PATH, Served, read_answer, served, signed, status
from tests.processes import until
from tests.webhooks import http, order, shopify


@pytest.fixture
async def gateway() -> AsyncIterator[Served]:
    async with served() as running:
        yield running


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
    gateway.enforce_timeouts(15)
    assert len(gateway.connections) == 1
    gateway.enforce_timeouts(1)
    answer = await reader.read()
    assert answer == b"" if sent == "nothing" else status(answer) == 408
    await until(lambda: gateway.webhooks.held == 0)
    writer.close()


async def test_an_idle_connection_is_closed_after_its_time(gateway: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(signed())
    await read_answer(reader)
    gateway.enforce_timeouts(75)
    assert len(gateway.connections) == 1
    gateway.enforce_timeouts(1)
    assert await reader.read() == b""
    writer.close()


async def test_the_wait_for_kafka_is_no_fault_of_the_sender(gateway: Served) -> None:
    gateway.keeper.hold = True
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(signed())
    await until(lambda: bool(gateway.keeper.waiting))
    gateway.enforce_timeouts(100)
    gateway.keeper.waiting[0].set_result(Stored.SPOOL)
    assert status(await read_answer(reader)) == 200
    writer.close()


async def test_a_sender_that_leaves_before_the_answer_harms_nothing(gateway: Served) -> None:
    gateway.keeper.hold = True
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(signed(padding=20_000))
    await until(lambda: bool(gateway.keeper.waiting))
    writer.transport.abort()
    gateway.keeper.waiting[0].set_result(Stored.KAFKA)
    await until(lambda: gateway.webhooks.held == 0 and not gateway.connections)


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
    def arrival(_: WebhookRequest) -> Arrival:
        raise RuntimeError("a defect")

    failures: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    async with served({"shopify": replace(SHOPIFY, arrival=arrival)}) as gateway:
        [answer] = await gateway.ask(signed())
    assert status(answer) == 503
    assert "a defect" in str(failures[0]["exception"])
