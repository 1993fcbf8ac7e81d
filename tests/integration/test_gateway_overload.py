"""The gateway on a real socket under peers that send too much, too slowly, or take no answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pipeline.gateway.message import Stored
from pipeline.gateway.protocol import MAX_PIPELINED, LimitedProtocol
from tests.integration.hostile_requests import answers_until_closed, offering
from tests.integration.serving import PATH, Served, read_answer, served, signed, status
from tests.processes import until
from tests.webhooks import http, order, shopify, woocommerce


@pytest.fixture
async def gateway() -> AsyncIterator[Served]:
    async with served() as running:
        yield running


@pytest.mark.parametrize("blank", [b"\r\n", b"\n"])
async def test_empty_lines_without_end_are_closed_without_a_defect(
    gateway: Served, blank: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    last = offering(signed(), b"Connection: close")
    assert await answers_until_closed(gateway, blank * 100_000, last) in ([200], [400])
    assert await answers_until_closed(gateway, blank * 3_000_000, last) in ([], [400])
    assert caplog.text == ""


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /nothing HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /webhooks/a/b HTTP/1.1\r\n\r\n",
        b"POST /webhooks/shopify/x HTTP/1.1\r\nContent-Type:application/json\r\nContent-Length:1\r\n\r\n1",
    ],
    ids=["unknown", "healthz", "refused", "webhook"],
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
    found = await answers_until_closed(gateway, b"".join(signed(number) for number in range(200)))
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
