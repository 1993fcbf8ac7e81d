"""One call of the API: counted, admitted or refused, carried out with or without a fault, and logged."""

from __future__ import annotations

import asyncio
import contextlib

from pipeline.metrics import SANDBOX_CALLS, Counter
from pipeline.sandbox.connectif.http import malformed_responses, request_body
from pipeline.sandbox.connectif.http.api_keys import ApiKey
from pipeline.sandbox.connectif.http.call_log import LoggedCall
from pipeline.sandbox.connectif.http.rate_limit import rate_headers
from pipeline.sandbox.connectif.http.request import ApiRequest, IncomingRequest, MultipartForm
from pipeline.sandbox.connectif.http.responses import (
    PLAIN_TEXT,
    ApiResponse,
    Header,
    RawResponseError,
    error_response,
    http_error_response,
)
from pipeline.sandbox.connectif.http.routes import table
from pipeline.sandbox.connectif.http.sending import hang, send_response
from pipeline.sandbox.connectif.model.api_errors import ApiError
from pipeline.sandbox.connectif.model.field_types import split_commas
from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour
from pipeline.sandbox.connectif.simulation.faults import FaultRule, InjectedFault

_WITH_BODY = frozenset({"POST", "PATCH"})
_LIMITED = 429
_CLIENT_ERRORS = range(400, 500)


class RequestProcessor:
    """A call by a known key."""

    def __init__(self, incoming: IncomingRequest, key: ApiKey) -> None:
        self._incoming = incoming
        self._key = key
        self._account = key.account
        self._simulation = key.account.simulation
        self._behaviour = self._simulation.behaviour
        self._method: str = incoming.scope["method"]
        self._route = table.NO_ROUTE
        self._read = self._method not in _WITH_BODY
        self._request: ApiRequest | None = None
        self._override: tuple[Header, ...] = ()
        self._decision = self._account.rate_limiter.register(
            incoming.now, self._account.limit, self._behaviour
        )

    async def run(self) -> None:
        """Answer the call.

        Raises:
            ConnectionDroppedError: a fault broke the connection.
        """
        self._account.log.record_arrival(self._incoming.now, refused=not self._decision.admitted)
        try:
            response = await self._response()
        except ApiError as error:
            response = error_response(error)
            if not self._read:
                await request_body.drain(self._incoming.receive)
        uncounted = response.status in _CLIENT_ERRORS and not self._behaviour.client_errors_count
        if self._decision.admitted and uncounted:
            self._decision = self._account.rate_limiter.uncount(self._decision)
        self._record(response.status)
        now = self._simulation.now()
        headers = rate_headers(self._decision, now, self._behaviour)
        await send_response(self._incoming.send, response, now, headers, override=self._override)

    async def _response(self) -> ApiResponse:
        scope = self._incoming.scope
        self._route, params = table.match(self._method, scope["raw_path"])
        if not self._decision.admitted:
            raise RawResponseError(limited(self._behaviour))
        self._check_scope()
        template = self._route.template
        fault = self._simulation.faults.choose(self._account.name, self._method, template, self._incoming.now)
        if fault is not None:
            self._account.log.injected += 1
            self._override = fault.rule.sent_headers
            await self._apply_fault(fault.rule)
        body, form = await self._body()
        request = ApiRequest(
            account=self._account,
            params=params,
            query_string=scope["query_string"],
            media_type=self._media_type(),
            body=body,
            form=form,
            base_url=self._incoming.base_url,
            now=self._simulation.now(),
            fault=fault,
        )
        self._request = request
        for _ in self._account.imports.catch_up_in_steps(request.now):
            await asyncio.sleep(0)
        response = self._carry_out(request, fault)
        if fault is not None and fault.rule.effect == "timeout_after_store":
            await self._drop_connection(fault.rule.seconds)
        if fault is not None and fault.rule.effect == "close_after_store":
            await self._drop_connection(0.0)
        return response

    def _carry_out(self, request: ApiRequest, fault: InjectedFault | None) -> ApiResponse:
        replacement = malformed_responses.REPLACEMENTS.get(fault.rule.effect) if fault is not None else None
        if fault is None or replacement is None:
            return self._route.handler(request)
        response = replacement(fault.rule, request)
        if fault.rule.carried_out:
            with contextlib.suppress(ApiError):
                self._route.handler(request)
        elif request.form is not None and request.form.file is not None:
            request.form.file.file.close()
        return response

    async def _apply_fault(self, rule: FaultRule) -> None:
        """What a fault does before the call is carried out."""
        effect, seconds = rule.effect, rule.seconds
        if effect == "slow":
            await self._simulation.clock.sleep(seconds)
        elif effect == "timeout":
            await self._drop_connection(seconds)
        elif effect == "reset":
            await self._drop_connection(0.0)
        elif effect == "error":
            raise ApiError(rule.status, rule.detail)
        elif effect == "bad_gateway":
            raise RawResponseError(malformed_responses.html_page(502))
        elif effect == "no_server":
            raise RawResponseError(malformed_responses.html_page(404))
        elif effect == "unauthorised":
            raise RawResponseError(unauthorised(self._behaviour))
        elif effect == "forbidden":
            raise ApiError(403, "Permission not granted to the API Key or account has been blocked.")
        elif effect == "too_many_requests":
            limiter = self._account.rate_limiter
            self._decision = limiter.exhausted(self._incoming.now, self._account.limit, self._behaviour)
            raise RawResponseError(limited(self._behaviour))

    async def _drop_connection(self, seconds: float) -> None:
        self._record(0)
        if not self._read:
            self._read = True
            await request_body.drain(self._incoming.receive)
        await hang(self._incoming.scope, self._incoming.receive, self._simulation.clock, seconds)

    def _check_scope(self) -> None:
        scope = self._route.scope
        allowed = self._key.scopes is None or not scope or scope in self._key.scopes
        if not allowed or (
            self._behaviour.denied_scopes and scope in split_commas(self._behaviour.denied_scopes)
        ):
            raise ApiError(403, f"Permission {scope} not granted to the API Key.")

    async def _body(self) -> tuple[bytes, MultipartForm | None]:
        if self._read:
            return b"", None
        receive, content_type = self._incoming.receive, self._incoming.headers.get(b"content-type", b"")
        multipart = self._media_type() == "multipart/form-data"
        if self._route is table.IMPORT and not multipart:
            raise ApiError(415, "Content type is not multipart/form-data.")
        self._read = True
        if multipart and self._route is table.IMPORT:
            return b"", await request_body.read_form(receive, content_type, self._behaviour.import_max_bytes)
        return await request_body.read_body(receive, self._behaviour.max_json_bytes), None

    def _media_type(self) -> str:
        content_type = self._incoming.headers.get(b"content-type", b"").decode("latin-1")
        return content_type.partition(";")[0].strip().lower()

    def _record(self, status: int) -> None:
        start, route = self._incoming.now, self._route
        element = self._request.key if self._request is not None else None
        self._account.log.record(
            LoggedCall(start, route.number, status, self._simulation.now() - start, element)
        )
        labels = (self._account.name, route.template, str(status))
        counter = _COUNTERS.get(labels)
        if counter is None:
            counter = _COUNTERS[labels] = SANDBOX_CALLS.labels(*labels)
        counter.inc()


#: Looking a series up by its labels costs more than the rest of a small call's record.
_COUNTERS: dict[tuple[str, str, str], Counter] = {}


def unauthorised(behaviour: ApiBehaviour) -> ApiResponse:
    """A 401."""
    return _plain(401, "Unauthorized", "Not authorized to access API.", behaviour.unauthorised_body)


def limited(behaviour: ApiBehaviour) -> ApiResponse:
    """A 429."""
    return _plain(_LIMITED, "Too Many Requests", "Requests rate limit reached.", behaviour.limited_body)


def _plain(status: int, text: str, detail: str, form: str) -> ApiResponse:
    if form == "json":
        return http_error_response(status, detail)
    return ApiResponse(status, text.encode() if form == "text" else b"", PLAIN_TEXT)
