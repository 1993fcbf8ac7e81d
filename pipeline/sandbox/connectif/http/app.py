"""The sandbox as an ASGI app: Connectif's routes, files, `/_sandbox/`, and the health of the process."""

from __future__ import annotations

import httpx

from pipeline.config import Settings
from pipeline.observe import Receive, Scope, Send, observe_app
from pipeline.sandbox.connectif.http import file_links, request_body
from pipeline.sandbox.connectif.http.control import ControlApi
from pipeline.sandbox.connectif.http.request import IncomingRequest
from pipeline.sandbox.connectif.http.request_processor import RequestProcessor, unauthorised
from pipeline.sandbox.connectif.http.responses import ApiResponse, RawResponseError, error_response
from pipeline.sandbox.connectif.http.routes import exports, imports
from pipeline.sandbox.connectif.http.sending import ABORT, ConnectionDroppedError, send_response
from pipeline.sandbox.connectif.http.simulated_connectif import SimulatedConnectif
from pipeline.sandbox.connectif.model.api_errors import ApiError, not_found
from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour
from pipeline.sandbox.connectif.simulation.clock import Clock, SystemClock
from pipeline.sandbox.connectif.simulation.state import SimulationState

_OBSERVED = frozenset({"/healthz", "/readyz", "/metrics"})
_FILE_PARTS = 4


class ConnectifSandbox:
    """Connectif, simulated for every account of the settings.

    Args:
        settings: accounts with their keys, limits and domains; `sandbox` with speed, window and switches.
        clock: where time comes from; None is the machine's.
        behaviour: instead of the switches of the settings.
        seed: the same seed gives the same ids and the same random numbers.
        callback_transport: where outbound callbacks go; None is the network.

    Raises:
        SettingsError: two accounts with one key, or a switch that is none.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        behaviour: ApiBehaviour | None = None,
        seed: int = 0,
        callback_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        switches = {"window": settings.sandbox.window, **settings.sandbox.switches}
        self.simulation = SimulationState(
            clock or SystemClock(),
            settings.sandbox.speed,
            behaviour or ApiBehaviour().changed(switches),
            seed,
            settings.sandbox.calls_kept,
        )
        self.connectif = SimulatedConnectif(settings, self.simulation, callback_transport)
        self.accounts = self.connectif.accounts
        self._control = ControlApi(self.connectif)
        self._observe = observe_app("sandbox", lambda: None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"localhost").decode("latin-1")
        base_url = f"{scope.get('scheme', 'http')}://{host}"
        incoming = IncomingRequest(scope, receive, send, headers, base_url, self.simulation.now())
        path = scope["path"]
        try:
            if path in _OBSERVED:
                await self._observe(scope, receive, send)
            elif path.startswith("/_sandbox/"):
                await send_response(send, await self._control.handle(incoming), incoming.now)
            elif path.startswith(f"/{file_links.PREFIX}/"):
                await self._download(incoming)
            else:
                await self._api_call(incoming)
        except ConnectionDroppedError:
            if ABORT not in scope.get("extensions", {}):
                raise

    async def _api_call(self, incoming: IncomingRequest) -> None:
        key = self.connectif.keys.find(incoming.headers.get(b"authorization", b""))
        if key is None:
            self.connectif.unauthorised += 1
            await request_body.drain(incoming.receive)
            await send_response(incoming.send, unauthorised(self.simulation.behaviour), incoming.now)
            return
        await RequestProcessor(incoming, key).run()

    async def _download(self, incoming: IncomingRequest) -> None:
        """A download: no call of the API, so neither limited nor recorded."""
        try:
            response = self._file_response(incoming)
        except ApiError as error:
            response = error_response(error)
        await send_response(incoming.send, response, incoming.now)

    def _file_response(self, incoming: IncomingRequest) -> ApiResponse:
        parts = incoming.scope["path"].strip("/").split("/")[1:]
        account = self.accounts.get(parts[0]) if len(parts) == _FILE_PARTS else None
        if account is None:
            raise not_found("File")
        link = file_links.FileLink(*parts)
        file_links.check_link(account, link, incoming.scope["query_string"], incoming.now)
        if self.simulation.behaviour.file_needs_key:
            key = self.connectif.keys.find(incoming.headers.get(b"authorization", b""))
            if key is None or key.account is not account:
                raise RawResponseError(unauthorised(self.simulation.behaviour))
        account.imports.catch_up(incoming.now)
        if link.kind == "import":
            return imports.report(account, link.owner_id)
        return exports.download(account, link.owner_id)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "lifespan.startup.complete"})
