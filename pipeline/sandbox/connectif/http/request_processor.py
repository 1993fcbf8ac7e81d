"""One call from its arrival to its answer: counted, let in or not, spoilt or not, carried out, recorded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import NamedTuple

from pipeline.metrics import SANDBOX_CALLS, Counter
from pipeline.observe import Receive, Scope, Send
from pipeline.sandbox.connectif.http import malformed_responses, request_body
from pipeline.sandbox.connectif.http.call_log import LoggedCall
from pipeline.sandbox.connectif.http.rate_limit import rate_headers
from pipeline.sandbox.connectif.http.request import Call, Form
from pipeline.sandbox.connectif.http.responses import TEXT, Answer, Header, Refusal, problem, refuse
from pipeline.sandbox.connectif.http.routes import table
from pipeline.sandbox.connectif.http.sending import hang, send_answer
from pipeline.sandbox.connectif.model.field_types import names
from pipeline.sandbox.connectif.simulation.behaviour import Switches
from pipeline.sandbox.connectif.simulation.faults import FaultRule, Strike
from pipeline.sandbox.connectif.simulation.state import Key

_WITH_BODY = frozenset({"POST", "PATCH"})
_LIMITED = 429
_CLIENT_ERRORS = range(400, 500)


class Incoming(NamedTuple):
    """A request, with what its headers and the clock say. Names of headers are lower-case."""

    scope: Scope
    receive: Receive
    send: Send
    headers: Mapping[bytes, bytes]
    base_url: str
    now: float


class Visit:
    """A call by a known key."""

    def __init__(self, incoming: Incoming, key: Key) -> None:
        self._incoming = incoming
        self._key = key
        self._account = key.account
        self._world = key.account.world
        self._switches = self._world.switches
        self._method: str = incoming.scope["method"]
        self._route = table.NO_ROUTE
        self._read = self._method not in _WITH_BODY
        self._call: Call | None = None
        self._put: tuple[Header, ...] = ()
        self._verdict = self._account.bucket.take(incoming.now, self._account.limit, self._switches)

    async def run(self) -> None:
        """Answer the call.

        Raises:
            DroppedError: a fault broke the connection.
        """
        self._account.log.arrive(self._incoming.now, refused=not self._verdict.admitted)
        try:
            answer = await self._answer()
        except Refusal as refusal:
            answer = refusal.answer
            if not self._read:
                await request_body.drain(self._incoming.receive)
        uncounted = answer.status in _CLIENT_ERRORS and not self._switches.client_errors_count
        if self._verdict.admitted and uncounted:
            self._verdict = self._account.bucket.give_back(self._verdict)
        self._record(answer.status)
        now = self._world.now()
        headers = rate_headers(self._verdict, now, self._switches)
        await send_answer(self._incoming.send, answer, now, headers, put=self._put)

    async def _answer(self) -> Answer:
        scope = self._incoming.scope
        self._route, params = table.match(self._method, scope["raw_path"])
        if not self._verdict.admitted:
            raise Refusal(limited(self._switches))
        self._check_scope()
        template = self._route.template
        strike = self._world.faults.strike(self._account.name, self._method, template, self._incoming.now)
        if strike is not None:
            self._account.log.injected += 1
            self._put = strike.rule.sent_headers
            await self._spoil(strike.rule)
        body, form = await self._body()
        call = Call(
            account=self._account,
            params=params,
            query_string=scope["query_string"],
            media_type=self._media_type(),
            body=body,
            form=form,
            base_url=self._incoming.base_url,
            now=self._world.now(),
            strike=strike,
        )
        self._call = call
        for _ in self._account.imports.steps(call.now):
            await asyncio.sleep(0)
        answer = self._carry_out(call, strike)
        if strike is not None and strike.rule.effect == "timeout_after_store":
            await self._drop(strike.rule.seconds)
        if strike is not None and strike.rule.effect == "close_after_store":
            await self._drop(0.0)
        return answer

    def _carry_out(self, call: Call, strike: Strike | None) -> Answer:
        instead = malformed_responses.INSTEAD.get(strike.rule.effect) if strike is not None else None
        if strike is None or instead is None:
            return self._route.handler(call)
        answer = instead(strike.rule, call)
        if strike.rule.carried_out:
            with contextlib.suppress(Refusal):
                self._route.handler(call)
        elif call.form is not None and call.form.file is not None:
            call.form.file.file.close()
        return answer

    async def _spoil(self, rule: FaultRule) -> None:
        """What a fault does before the call is carried out."""
        effect, seconds = rule.effect, rule.seconds
        if effect == "slow":
            await self._world.clock.sleep(seconds)
        elif effect == "timeout":
            await self._drop(seconds)
        elif effect == "reset":
            await self._drop(0.0)
        elif effect == "error":
            raise refuse(rule.status, rule.detail)
        elif effect == "bad_gateway":
            raise Refusal(malformed_responses.page(502))
        elif effect == "no_server":
            raise Refusal(malformed_responses.page(404))
        elif effect == "unauthorised":
            raise Refusal(unauthorised(self._switches))
        elif effect == "forbidden":
            raise refuse(403, "Permission not granted to the API Key or account has been blocked.")
        elif effect == "too_many_requests":
            bucket = self._account.bucket
            self._verdict = bucket.peek(self._incoming.now, self._account.limit, self._switches)
            raise Refusal(limited(self._switches))

    async def _drop(self, seconds: float) -> None:
        self._record(0)
        if not self._read:
            self._read = True
            await request_body.drain(self._incoming.receive)
        await hang(self._incoming.scope, self._incoming.receive, self._world.clock, seconds)

    def _check_scope(self) -> None:
        scope = self._route.scope
        allowed = self._key.scopes is None or not scope or scope in self._key.scopes
        if not allowed or (self._switches.denied_scopes and scope in names(self._switches.denied_scopes)):
            raise refuse(403, f"Permission {scope} not granted to the API Key.")

    async def _body(self) -> tuple[bytes, Form | None]:
        if self._read:
            return b"", None
        receive, content_type = self._incoming.receive, self._incoming.headers.get(b"content-type", b"")
        multipart = self._media_type() == "multipart/form-data"
        if self._route is table.IMPORT and not multipart:
            raise refuse(415, "Content type is not multipart/form-data.")
        self._read = True
        if multipart and self._route is table.IMPORT:
            return b"", await request_body.read_form(receive, content_type, self._switches.import_max_bytes)
        return await request_body.read_body(receive, self._switches.max_json_bytes), None

    def _media_type(self) -> str:
        content_type = self._incoming.headers.get(b"content-type", b"").decode("latin-1")
        return content_type.partition(";")[0].strip().lower()

    def _record(self, status: int) -> None:
        start, route = self._incoming.now, self._route
        element = self._call.key if self._call is not None else None
        self._account.log.end(LoggedCall(start, route.number, status, self._world.now() - start, element))
        labels = (self._account.name, route.template, str(status))
        counter = _COUNTERS.get(labels)
        if counter is None:
            counter = _COUNTERS[labels] = SANDBOX_CALLS.labels(*labels)
        counter.inc()


#: Looking a series up by its labels costs more than the rest of a small call's record.
_COUNTERS: dict[tuple[str, str, str], Counter] = {}


def unauthorised(switches: Switches) -> Answer:
    """A 401."""
    return _plain(401, "Unauthorized", "Not authorized to access API.", switches.unauthorised_body)


def limited(switches: Switches) -> Answer:
    """A 429."""
    return _plain(_LIMITED, "Too Many Requests", "Requests rate limit reached.", switches.limited_body)


def _plain(status: int, text: str, detail: str, form: str) -> Answer:
    if form == "json":
        return problem(status, detail)
    return Answer(status, text.encode() if form == "text" else b"", TEXT)
