"""A broker that is reached through a relay, which can leave its clients without an answer."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

from pipeline.local.ports import HOST, following
from tests.own_broker import address, own_broker

#: Of Kafka's protocol: the length of a request, and the number of what is asked; 0 is to produce.
_LENGTH, _ASKED = struct.Struct(">i"), struct.Struct(">h")
_PRODUCE = 0


class Relay:
    """Passes requests and answers on, in a thread of its own.

    Args:
        port: where it listens on this machine.
        broker: port of the broker.
    """

    def __init__(self, port: int, broker: int) -> None:
        self.bootstrap = f"{HOST}:{port}"
        self._port, self._broker = port, broker
        #: Of each connection, whether what comes is passed on; and of those that have produced.
        self._all: set[asyncio.Event] = set()
        self._producing: set[asyncio.Event] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        listening = asyncio.start_server(self._serve, HOST, self._port)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(10)

    def stop(self) -> None:
        """End, with all connections."""
        asyncio.run_coroutine_threadsafe(self._cancel(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def hang_producers(self) -> int:
        """Pass nothing on any more for connections that have produced, which stay open; how many these are.

        Those that are made later are as always.
        """

        async def hang() -> int:
            hanging, self._producing = self._producing, set()
            for one in hanging:
                one.clear()
            return len(hanging)

        return asyncio.run_coroutine_threadsafe(hang(), self._loop).result(10)

    def hang(self) -> None:
        """Pass nothing on any more, until `resume`, for the connections that there are."""
        for one in list(self._all):
            self._loop.call_soon_threadsafe(one.clear)

    def resume(self) -> None:
        """Pass on what was kept back."""
        for one in list(self._all):
            self._loop.call_soon_threadsafe(one.set)

    async def _cancel(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passes = asyncio.Event()
        passes.set()
        self._all.add(passes)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            from_broker, to_broker = await asyncio.open_connection(HOST, self._broker)
            answering = asyncio.create_task(_answers(from_broker, writer, passes))
            try:
                await self._requests(reader, to_broker, passes)
            finally:
                answering.cancel()
                to_broker.close()
        self._producing.discard(passes)
        self._all.discard(passes)
        writer.close()

    async def _requests(
        self, reader: asyncio.StreamReader, to_broker: asyncio.StreamWriter, passes: asyncio.Event
    ) -> None:
        while True:
            head = await reader.readexactly(_LENGTH.size)
            request = await reader.readexactly(_LENGTH.unpack(head)[0])
            if _ASKED.unpack_from(request)[0] == _PRODUCE:
                self._producing.add(passes)
            await passes.wait()
            to_broker.write(head + request)
            await to_broker.drain()


async def _answers(
    from_broker: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event
) -> None:
    with contextlib.suppress(OSError):
        while answer := await from_broker.read(65_536):
            await passes.wait()
            writer.write(answer)
            await writer.drain()
    writer.close()


@contextlib.contextmanager
def relayed_kafka(directory: Path) -> Iterator[Relay]:
    """Such a broker, which tells all clients that it is where the relay is."""
    taken: set[int] = set()
    place, port, behind = address(taken), following(0, 0, taken), following(0, 0, taken)
    settings = {
        "listeners": f"PLAINTEXT://{place.address},RELAYED://{HOST}:{behind},CONTROLLER://{HOST}:{place.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{place.address},RELAYED://{HOST}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,RELAYED:PLAINTEXT,CONTROLLER:PLAINTEXT",
    }
    relay = Relay(port, behind)
    with own_broker(directory, place, settings):
        relay.start()
        try:
            yield relay
        finally:
            relay.stop()
