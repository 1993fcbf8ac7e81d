"""The simulated shops over HTTP: `/_shops/{shop}/...` is a shop's API, `/_sandbox/shops/{shop}` its control.

Control: `PUT` makes a shop of `ShopSettings`, empty; `GET` shows what was asked (`?log=0`: counts alone);
`DELETE` takes it away. `PUT .../documents` holds answers, `PUT .../rows` rows of its lists; `PUT
.../webhooks` what its register of webhooks has (`GET` shows it). `POST .../faults` lets something go wrong,
`DELETE .../faults` ends that. `POST .../queue` and `POST .../journal` add a list of entries to a feed;
`DELETE .../journal` ends positions.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pipeline.observe import Receive, Scope, Send, respond
from pipeline.sandbox.shops import forms
from pipeline.sandbox.shops.access import Expiring
from pipeline.sandbox.shops.feeds import Answer
from pipeline.sandbox.shops.forms import ShopRequest
from pipeline.sandbox.shops.newsletter import Newsletter, NewsletterSettings
from pipeline.sandbox.shops.registers import WebhookRegister, operation
from pipeline.sandbox.shops.shop import Fault, LoggedRequest, ShopSettings, SimulatedShop

SHOPS, CONTROL = "/_shops/", "/_sandbox/shops/"
MAX_BODY = 20_000_000
_HTML = "<!doctype html><html><body><h1>Down for maintenance</h1></body></html>"
_STATUS = {"unauthorised": 401, "too_many": 429, "server_error": 500}
#: A key of the scope, where the server can break a connection.
_ABORT = "pipeline.abort"


class HeldDocument(BaseModel):
    """One path and what is answered to it, one after the other; no answers: 404."""

    model_config = ConfigDict(extra="forbid")

    path: str
    answers: list[Answer]


class HeldRows(BaseModel):
    """Rows of one list that are there from now on, and ids of those that are not any more."""

    model_config = ConfigDict(extra="forbid")

    list: Literal["orders", "customers", "products"]
    rows: Sequence[dict[str, Any]] = ()
    gone: Sequence[str] = ()


_DOCUMENTS = TypeAdapter(list[HeldDocument])
_ENTRIES = TypeAdapter(list[Any])
_ROWS = TypeAdapter(list[HeldRows])
_WEBHOOKS = TypeAdapter(list[dict[str, Any]])


class _Request(NamedTuple):
    method: str
    url: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class SimulatedShops:
    """All shops of one sandbox; an ASGI app for the paths that begin with `SHOPS` or `CONTROL`.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.shops: dict[str, SimulatedShop] = {}
        self.newsletters: WeakKeyDictionary[SimulatedShop, Newsletter] = WeakKeyDictionary()
        self.registers: dict[SimulatedShop, WebhookRegister] = {}
        self._clock = clock

    @staticmethod
    def is_mine(path: str) -> bool:
        """Whether a path is one of a shop."""
        return path.startswith((SHOPS, CONTROL))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        raw = scope.get("raw_path") or str(scope["path"]).encode()
        path = raw.decode("latin-1").partition("?")[0]
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        query = scope.get("query_string", b"").decode("latin-1")
        url = f"{scope.get('scheme', 'http')}://{headers.get('host', 'localhost')}{path}"
        request = _Request(scope["method"], url, path, query, headers, await _body(receive))
        if path.startswith(CONTROL):
            status, said = self._control(request)
            await _send_json(send, status, said)
            return
        name, _, rest = path.removeprefix(SHOPS).partition("/")
        shop = self.shops.get(name)
        if shop is None:
            await _send_json(send, 404, {"message": f"there is no shop {name}"})
            return
        asked = "/" + rest + (f"?{query}" if query else "")
        await self._shop(shop, request, asked, scope, send)

    # A shop's API.

    async def _shop(
        self, shop: SimulatedShop, request: _Request, asked: str, scope: Scope, send: Send
    ) -> None:
        now = self._clock()
        fault = shop.fault(asked) or shop.fault(unquote(asked))
        await asyncio.sleep(
            shop.settings.latency + (fault.seconds if fault and fault.kind == "slow" else 0.0)
        )
        if fault is not None and fault.kind == "down":
            shop.answered(LoggedRequest(now, request.method, asked, 0))
            await _break(scope, send)
            return
        if fault is not None and fault.kind in {"html", "notice"}:
            text = _HTML if fault.kind == "html" else "Notice: Undefined index: id in /var/www\n{}"
            await self._answer(shop, request, asked, Answer(text=text), send)
            return
        if fault is not None and fault.kind in _STATUS:
            await self._answer(shop, request, asked, Answer(status=_STATUS[fault.kind]), send)
            return
        await self._answer(shop, request, asked, self._found(shop, request, asked, now), send)

    def _found(self, shop: SimulatedShop, request: _Request, asked: str, now: float) -> Answer:
        access = shop.settings.access
        if isinstance(access, Expiring) and asked.partition("?")[0] == access.token_path:
            if not access.grants(request.body.decode("latin-1")):
                return Answer(status=401, body={"error": "invalid_client"})
            token = shop.issue(now, access.life)
            return Answer(body={"access_token": token, "token_type": "bearer", "expires_in": access.life})
        if shop.is_over_limit(now):
            return Answer(status=429, body={"message": "too many requests"})
        if not access.lets_in(request, now, shop.takes):
            return Answer(status=401, body={"message": "wrong credentials"})
        path, _, query = asked.partition("?")
        register, held = self.registers.get(shop), self.newsletters.get(shop)
        said = None if register is None else register.answer(request.method, asked, request.body)
        if said is None and held is not None:
            lists = shop.settings.lists is not None
            about = ShopRequest(request.method, path, query, request.body, now, lists)
            said = forms.answer(held, about, shop.bucket)
        if said is None:
            said = shop.listed(request.method, asked, request.headers, request.body, now)
        if said is not None:
            return said
        named = operation(request.body) if asked.endswith("/graphql.json") else ""
        name = unquote(asked) + (f"#{named}" if named else "")
        return shop.answer(name, request.method, request.body, now)

    async def _answer(
        self, shop: SimulatedShop, request: _Request, asked: str, answer: Answer, send: Send
    ) -> None:
        shop.answered(LoggedRequest(self._clock(), request.method, asked, answer.status))
        limit = shop.settings.limit
        more = tuple((name.lower().encode(), value.encode()) for name, value in answer.headers.items())
        if answer.status == 429 and limit is not None and limit.retry_after is not None:  # noqa: PLR2004
            more = (*more, (b"retry-after", f"{limit.retry_after:g}".encode()))
        if answer.status == 204:  # noqa: PLR2004
            await respond(send, answer.status, headers=more)
        elif answer.text is not None:
            await respond(send, answer.status, answer.text.encode(), b"text/html; charset=utf-8", more)
        else:
            await respond(send, answer.status, json.dumps(answer.body).encode(), b"application/json", more)

    # Its control.

    def _control(self, request: _Request) -> tuple[int, Any]:
        name, _, what = request.path.removeprefix(CONTROL).partition("/")
        try:
            if request.method == "PUT" and not what:
                self._made(name, ShopSettings.model_validate_json(request.body or b"{}"))
                return 200, {}
            shop = self.shops.get(name)
            if shop is None:
                return 404, {"message": f"there is no shop {name}"}
            return self._of_shop(shop, name, what, request)
        except ValidationError as error:
            return 422, {
                "message": error.errors(include_url=False, include_context=False, include_input=False)
            }

    def _made(self, name: str, settings: ShopSettings) -> None:
        shop = self.shops[name] = SimulatedShop(settings)
        if settings.webhooks is not None:
            self.registers[shop] = WebhookRegister(settings.webhooks)

    def _of_shop(self, shop: SimulatedShop, name: str, what: str, request: _Request) -> tuple[int, Any]:
        match request.method, what:
            case "GET", "":
                return 200, shop.figures(log=request.query != "log=0")
            case "PUT", "newsletter":
                settings = NewsletterSettings.model_validate_json(request.body)
                self.newsletters[shop] = Newsletter(settings)
            case "GET", "newsletter" if shop in self.newsletters:
                return 200, self.newsletters[shop].figures()
            case "DELETE", "":
                self.registers.pop(self.shops.pop(name), None)
            case "GET" | "PUT", "webhooks" if shop in self.registers:
                if request.method == "PUT":
                    self.registers[shop].hold(_WEBHOOKS.validate_json(request.body))
                return 200, self.registers[shop].rows
            case "POST" | "DELETE", "queue" | "journal" | "faults":
                if not _troubles_and_feeds(shop, request.method, what, request.body):
                    return 404, {"message": "no such control"}
            case "PUT", "documents" | "rows":
                _hold(shop, what, request.body)
            case _:
                return 404, {"message": "no such control"}
        return 200, {}


def _hold(shop: SimulatedShop, what: str, body: bytes) -> None:
    """Let the shop have documents, or rows of its lists."""
    if what == "documents":
        for document in _DOCUMENTS.validate_json(body):
            shop.hold(document.path, document.answers)
    else:
        for rows in _ROWS.validate_json(body):
            shop.hold_rows(rows.list, rows.rows, rows.gone)


def _troubles_and_feeds(shop: SimulatedShop, method: str, what: str, body: bytes) -> bool:
    """Let something go wrong, or add to a feed; whether the shop has it."""
    match method, what:
        case "POST", "faults":
            shop.add_fault(Fault.model_validate_json(body))
        case "DELETE", "faults":
            shop.clear_faults()
        case "POST", "queue" if shop.queue is not None:
            shop.queue.add(_ENTRIES.validate_json(body))
        case "POST", "journal" if shop.journal is not None:
            shop.journal.add(_ENTRIES.validate_json(body))
        case "DELETE", "journal" if shop.journal is not None:
            shop.journal.expire()
        case _:
            return False
    return True


async def _body(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY or not message.get("more_body"):
            return b"".join(parts)


async def _break(scope: Scope, send: Send) -> None:
    """Break the connection where the server can; else say that the shop is away."""
    abort = scope.get("extensions", {}).get(_ABORT)
    if abort is not None:
        abort()
    else:
        await respond(send, 503, b"")


async def _send_json(send: Send, status: int, said: Any) -> None:
    await respond(send, status, json.dumps(said).encode(), b"application/json")
