"""Connections to a socket that several accept from: nobody has all, and none is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import AsyncIterator

import pytest

from pipeline.gateway import accepting
from pipeline.gateway.accepting import Acceptor, patience
from tests.processes import until

pytestmark = pytest.mark.real_time


class Held(asyncio.Protocol):
    """A connection that is kept open."""

    def __init__(self, held: list[asyncio.BaseTransport]) -> None:
        self._held = held

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._held.append(transport)


class Taker:
    """One of those that accept, on a descriptor of its own as another process has it."""

    def __init__(self, sock: socket.socket) -> None:
        self.held: list[asyncio.BaseTransport] = []
        self.acceptor = Acceptor(sock.dup(), lambda: Held(self.held), lambda: len(self.held))

    def close(self) -> None:
        self.acceptor.close()
        for transport in self.held:
            transport.close()


@pytest.fixture
async def listening() -> AsyncIterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=200) as sock:
        yield sock


async def connected(sock: socket.socket, count: int) -> list[asyncio.StreamWriter]:
    return [(await asyncio.open_connection(*sock.getsockname()))[1] for _ in range(count)]


async def test_those_with_fewer_connections_take_the_next_ones(listening: socket.socket) -> None:
    first = Taker(listening)
    with contextlib.ExitStack() as stack:
        stack.callback(first.close)
        peers = await connected(listening, 30)
        await until(lambda: len(first.held) == 30)
        second = Taker(listening)
        stack.callback(second.close)
        for count in range(31, 41):
            peers += await connected(listening, 1)
            await until(lambda count=count: len(first.held) + len(second.held) == count)  # type: ignore[misc]
        assert len(second.held) >= 5
    for peer in peers:
        peer.close()


async def test_all_are_taken_by_one_where_another_ends(listening: socket.socket) -> None:
    first, second = Taker(listening), Taker(listening)
    first.close()
    first.acceptor.close()  # again: nothing happens
    peers = await connected(listening, 100)
    await until(lambda: len(second.held) == 100)
    second.close()
    for peer in peers:
        peer.close()


async def test_without_open_files_left_it_waits_and_goes_on(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "_NO_FILES_SECONDS", 0.01)
    taker = Taker(listening)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    peer = socket.socket()
    peer.setblocking(False)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        peer.connect_ex(listening.getsockname())
        await asyncio.sleep(0.05)
        assert taker.held == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    await until(lambda: len(taker.held) == 1)
    taker.close()
    peer.close()


def test_patience_grows_with_the_connections_and_has_an_end() -> None:
    assert [patience(count) for count in (0, 1, 16, 17, 64, 65, 10_000)] == [
        *(0, 0.001, 0.001, 0.002, 0.002, 0.003, 0.003),
    ]
