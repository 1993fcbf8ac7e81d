"""The HTTP side that every long-running process has: `/healthz`, `/readyz`, `/metrics`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import SecretStr

from pipeline.exposition import Exposition, Room
from pipeline.http_access import ACTION, problem, refusal
from pipeline.metrics import LOOP_LATE_SECONDS

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
#: Why the process is not ready; None when it is.
Readiness = Callable[[], str | None]
#: A page of a process's own: the query's parameters -> status and JSON.
Page = Callable[[Mapping[str, str]], Awaitable[tuple[int, bytes]]]
#: Pages answered at once, and parameters and bytes of a query.
PAGES_AT_ONCE, PARAMETERS, QUERY_BYTES = 8, 10, 4_096
#: Seconds between two looks at how late the event loop is.
LOOK_AT_LOOP = 0.5


@dataclass(frozen=True, slots=True)
class Pages:
    """What a process shows of its own, by path, to this machine and to whoever has the token.

    `actions` are what it does for them: asked by POST, with the header `ACTION`, which no web page can send
    to another address.
    """

    by_path: Mapping[str, Page] = field(default_factory=dict)
    token: SecretStr | None = None
    actions: Mapping[str, Page] = field(default_factory=dict)


NO_PAGES = Pages()


async def respond(
    send: Send,
    status: int,
    body: bytes = b"",
    content_type: bytes = b"text/plain; charset=utf-8",
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    """Send one complete response."""
    start = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})


def observe_app(room: Room, readiness: Readiness, pages: Pages = NO_PAGES) -> AsgiApp:
    """The three routes, and `pages` by their paths; mount it whole or call it for what it knows.

    `room` is one of `pipeline.exposition.ROOMS`: whose series the process exports.
    """
    limit, exposition = asyncio.BoundedSemaphore(PAGES_AT_ONCE), Exposition(room)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI's signature
        path = str(scope.get("path"))
        if path == "/metrics":
            await respond(send, 200, await exposition.page(), CONTENT_TYPE_LATEST.encode())
        elif path == "/healthz":
            await respond(send, 200, b"ok\n")
        elif path == "/readyz":
            reason = readiness()
            await respond(send, 200 if reason is None else 503, (reason or "ready").encode() + b"\n")
        elif path in pages.by_path:
            status, body = await _page(scope, pages.by_path[path], pages.token, limit)
            await respond(send, status, body, b"application/json")
        elif path in pages.actions:
            status, body = await _page(scope, pages.actions[path], pages.token, limit, acts=True)
            await respond(send, status, body, b"application/json")
        else:
            await respond(send, 404, b"not found\n")

    return app


async def _page(
    scope: Scope,
    page: Page,
    token: SecretStr | None,
    limit: asyncio.BoundedSemaphore,
    *,
    acts: bool = False,
) -> tuple[int, bytes]:
    """A page, for whoever may read it, within bounds."""
    refused = refusal(scope, token)
    if refused is not None:
        return refused
    wrong = _wrong_way(scope, acts=acts)
    if wrong is not None:
        return wrong
    raw: bytes = scope.get("query_string", b"")
    query = _query(raw) if len(raw) <= QUERY_BYTES else None
    if query is None:
        return problem(400, "query", f"a query has at most {PARAMETERS} parameters and {QUERY_BYTES} bytes")
    if limit.locked():
        return problem(503, "busy", "too many questions at once; ask again")
    async with limit:
        return await page(query)


def _wrong_way(scope: Scope, *, acts: bool) -> tuple[int, bytes] | None:
    method = scope.get("method")
    if not acts:
        return None if method in {"GET", "HEAD"} else problem(405, "method", "pages are read: GET")
    if method != "POST":
        return problem(405, "method", "it does something: POST")
    if ACTION.encode() not in dict(scope.get("headers") or ()):
        return problem(403, "not_asked", f"the header {ACTION} is missing")
    return None


def _query(raw: bytes) -> dict[str, str] | None:
    """The parameters; None where they are no text, or too many."""
    try:
        return dict(parse_qsl(raw.decode("ascii"), max_num_fields=PARAMETERS, errors="strict"))
    except ValueError:
        return None


@contextlib.asynccontextmanager
async def observed(
    room: Room, readiness: Readiness, sock: socket.socket, pages: Pages = NO_PAGES
) -> AsyncIterator[None]:
    """Serve the three routes and `pages` on `sock` beside other work on this event loop."""
    async with served(observe_app(room, readiness, pages), sock):
        yield


@contextlib.asynccontextmanager
async def served(app: AsgiApp, sock: socket.socket) -> AsyncIterator[None]:
    """Serve an application on `sock` beside other work on this event loop."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        ws="none",
        proxy_headers=False,  # who asks is who is connected: pages go by that
    )
    server = uvicorn.Server(config)
    # The caller owns the signals; uvicorn would take them.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(server.serve(sockets=[sock]))
    watching = asyncio.create_task(watch_loop())
    try:
        yield
    finally:
        watching.cancel()
        server.should_exit = True
        await task


async def watch_loop() -> None:
    """Measure, until it is cancelled, how late the event loop comes back to what is due."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LOOK_AT_LOOP
        await asyncio.sleep(LOOK_AT_LOOP)
        LOOP_LATE_SECONDS.observe(max(0.0, loop.time() - due))
