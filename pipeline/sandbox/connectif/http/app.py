"""The sandbox as an ASGI app: Connectif's routes, files, `/_sandbox/`, and the health of the process."""

from __future__ import annotations

import httpx

from pipeline.config import Settings
from pipeline.errors import SettingsError
from pipeline.observe import Receive, Scope, Send, observe_app
from pipeline.sandbox.connectif.http import file_links, request_body
from pipeline.sandbox.connectif.http.account import Account
from pipeline.sandbox.connectif.http.control import Control
from pipeline.sandbox.connectif.http.request_processor import Incoming, Visit, unauthorised
from pipeline.sandbox.connectif.http.responses import Answer, Refusal, absent
from pipeline.sandbox.connectif.http.routes import exports, imports
from pipeline.sandbox.connectif.http.sending import ABORT, DroppedError, send_answer
from pipeline.sandbox.connectif.simulation.behaviour import Switches
from pipeline.sandbox.connectif.simulation.clock import Clock, SystemClock
from pipeline.sandbox.connectif.simulation.state import Keyring, World

_OBSERVED = frozenset({"/healthz", "/readyz", "/metrics"})
_FILE_PARTS = 4


class Sandbox:
    """Connectif, simulated for every account of the settings.

    Args:
        settings: accounts with their keys, limits and domains; `sandbox` with speed, window and switches.
        clock: where time comes from; None is the machine's.
        switches: in place of those of the settings.
        seed: the same seed gives the same ids and the same chance.
        callback_transport: where outbound callbacks go; None is the network.

    Raises:
        SettingsError: two accounts with one key, or a switch that is none.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        switches: Switches | None = None,
        seed: int = 0,
        callback_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        named = {"window": settings.sandbox.window, **settings.sandbox.switches}
        self.world = World(
            clock or SystemClock(),
            settings.sandbox.speed,
            switches or Switches().changed(named),
            seed,
            settings.sandbox.calls_kept,
        )
        self.callback_transport = callback_transport
        self.keys = Keyring()
        self.accounts: dict[str, Account] = {}
        #: Calls whose key nobody knows.
        self.unauthorised = 0
        self._add_accounts(settings)
        self._control = Control(self)
        self._observe = observe_app("sandbox", lambda: None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"localhost").decode("latin-1")
        base_url = f"{scope.get('scheme', 'http')}://{host}"
        incoming = Incoming(scope, receive, send, headers, base_url, self.world.now())
        path = scope["path"]
        try:
            if path in _OBSERVED:
                await self._observe(scope, receive, send)
            elif path.startswith("/_sandbox/"):
                await send_answer(send, await self._control.answer(incoming), incoming.now)
            elif path.startswith(f"/{file_links.PREFIX}/"):
                await self._file(incoming)
            else:
                await self._visit(incoming)
        except DroppedError:
            if ABORT not in scope.get("extensions", {}):
                raise

    def reset(self, account: str | None = None) -> None:
        """Forget what was done, of one account or of all; of all: switches and faults are as at the start."""
        if account is not None:
            self.accounts[account].reset()
            return
        self.world.reset()
        self.unauthorised = 0
        for one in self.accounts.values():
            one.reset()

    def _add_accounts(self, settings: Settings) -> None:
        seen: set[str] = set()
        for number, (name, account) in enumerate(settings.accounts.items()):
            key = account.api_key.get_secret_value()
            if key in seen:
                raise SettingsError("two accounts have the same API key", store=name, field="api_key")
            seen.add(key)
            self.accounts[name] = Account(name, number, account, self.world)
            self.keys.add(key, self.accounts[name])

    async def _visit(self, incoming: Incoming) -> None:
        key = self.keys.find(incoming.headers.get(b"authorization", b""))
        if key is None:
            self.unauthorised += 1
            await request_body.drain(incoming.receive)
            await send_answer(incoming.send, unauthorised(self.world.switches), incoming.now)
            return
        await Visit(incoming, key).run()

    async def _file(self, incoming: Incoming) -> None:
        """A download: no call of the API, so neither limited nor recorded."""
        try:
            answer = self._linked(incoming)
        except Refusal as refusal:
            answer = refusal.answer
        await send_answer(incoming.send, answer, incoming.now)

    def _linked(self, incoming: Incoming) -> Answer:
        parts = incoming.scope["path"].strip("/").split("/")[1:]
        account = self.accounts.get(parts[0]) if len(parts) == _FILE_PARTS else None
        if account is None:
            raise absent("File")
        link = file_links.FileLink(*parts)
        file_links.check_link(account, link, incoming.scope["query_string"], incoming.now)
        if self.world.switches.file_needs_key:
            key = self.keys.find(incoming.headers.get(b"authorization", b""))
            if key is None or key.account is not account:
                raise Refusal(unauthorised(self.world.switches))
        account.imports.settle(incoming.now)
        if link.kind == "import":
            return imports.report(account, link.owner_id)
        return exports.download(account, link.owner_id)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "lifespan.startup.complete"})
