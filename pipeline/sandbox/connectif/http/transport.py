"""The sandbox in process, for clients on httpx: no sockets, and time-outs by the sandbox's clock."""

from __future__ import annotations

import asyncio

import httpx

from pipeline.sandbox.connectif.http.app import ConnectifSandbox
from pipeline.sandbox.connectif.http.sending import ConnectionDroppedError


class SandboxTransport(httpx.AsyncBaseTransport):
    """Sends requests straight to a sandbox.

    A broken connection is httpx's RemoteProtocolError, as on the network; a client's read time-out passes by
    the sandbox's clock, so a virtual one need not wait for it.
    """

    def __init__(self, sandbox: ConnectifSandbox) -> None:
        self._clock = sandbox.simulation.clock
        self._inner = httpx.ASGITransport(app=sandbox)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request.

        Raises:
            httpx.ReadTimeout: no answer in time.
            httpx.RemoteProtocolError: the sandbox broke the connection.
        """
        seconds = request.extensions.get("timeout", {}).get("read")
        if seconds is None:
            return await self._send(request)
        sending = asyncio.ensure_future(self._send(request))
        waiting = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({sending, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                raise httpx.ReadTimeout("The sandbox did not answer in time", request=request)
            return sending.result()
        finally:
            sending.cancel()
            waiting.cancel()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._inner.handle_async_request(request)
        except ConnectionDroppedError as error:
            raise httpx.RemoteProtocolError(
                "Server disconnected without sending a response.", request=request
            ) from error
