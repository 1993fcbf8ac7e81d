"""The gateway as an ASGI application: `POST /webhooks/{platform}/{store}`, callbacks, whether it is ready.

What operators ask, its figures first of all, is answered on an address of its own (`pipeline.gateway.run`).

With `pipeline.gateway.fast_path` the usual delivery is answered without it; every other request comes here.
"""

from __future__ import annotations

import asyncio

from pipeline.gateway import answers
from pipeline.gateway.answers import HttpAnswer
from pipeline.gateway.callbacks import PREFIX as CALLBACKS
from pipeline.gateway.callbacks import Callbacks
from pipeline.gateway.headers import decoded
from pipeline.gateway.message import Overloaded
from pipeline.gateway.webhooks import PREFIX, Route, Webhooks
from pipeline.observe import Readiness, Receive, Scope, Send, respond


class Gateway:
    """The application.

    Args:
        webhooks: the checks.
        readiness: why it takes nothing now; whoever balances loads is told that it does not, and not why.
        callbacks: of Connectif; None: they are answered as unknown paths.
    """

    def __init__(self, webhooks: Webhooks, readiness: Readiness, callbacks: Callbacks | None = None) -> None:
        self._webhooks = webhooks
        self._callbacks = callbacks
        self._readiness = readiness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["raw_path"]
        if self._callbacks is not None and path.startswith(CALLBACKS):
            await self._callbacks(scope, receive, send)
            return
        if not path.startswith(PREFIX):
            await self._health(path, send)
            return
        route = self._webhooks.route(path)
        if route is None:
            answer: HttpAnswer | None = answers.NOT_FOUND
        else:
            answer = await self._answer(route, scope, receive)
        if answer is not None:
            (route or self._webhooks.nobody).count(answer)
            await send(answer.start)
            await send(answer.body)

    async def _health(self, path: bytes, send: Send) -> None:
        if path == b"/healthz":
            await respond(send, 200, b"ok\n")
        elif path == b"/readyz":
            ready = self._readiness() is None
            await respond(send, 200 if ready else 503, b"ready\n" if ready else b"not ready\n")
        else:
            await respond(send, 404, b"not found\n")

    async def _answer(self, route: Route, scope: Scope, receive: Receive) -> HttpAnswer | None:
        headers = decoded(scope["headers"])
        refusal = self._webhooks.refuse_unread(route, scope["method"], headers)
        body = refusal or await self._read(route, receive)
        if not isinstance(body, bytes):
            return body
        try:
            return await self._keep(route, scope, headers, body)
        finally:
            self._webhooks.hold(route, -len(body))

    async def _keep(self, route: Route, scope: Scope, headers: dict[str, str], body: bytes) -> HttpAnswer:
        loop = asyncio.get_running_loop()
        began = loop.time()
        query = scope["query_string"].decode("latin-1")
        kept = self._webhooks.keep(route, headers, body, query, scope["method"])
        if kept is answers.UNAUTHORIZED:
            await asyncio.sleep(began + answers.REFUSAL_SECONDS - loop.time())
        if isinstance(kept, HttpAnswer):
            return kept
        try:
            stored = await kept
        except Overloaded:
            return answers.OVERLOADED
        route.count_kept(len(body), loop.time() - began)
        return answers.KEPT[stored]

    async def _read(self, route: Route, receive: Receive) -> bytes | HttpAnswer | None:
        """The body, counted as held; else the refusal, or None if the sender has disconnected."""
        webhooks, chunks, size = self._webhooks, list[bytes](), 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                webhooks.hold(route, -size)
                return None
            chunk = message.get("body", b"")
            chunks.append(chunk)
            size += len(chunk)
            webhooks.hold(route, len(chunk))
            if size > webhooks.max_body or webhooks.overloaded(route, size):
                webhooks.hold(route, -size)
                return answers.TOO_LARGE if size > webhooks.max_body else answers.OVERLOADED
            if not message.get("more_body", False):
                return b"".join(chunks)
