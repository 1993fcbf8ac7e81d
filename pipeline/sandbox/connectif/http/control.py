"""`/_sandbox/`: what a test or an operator asks of the sandbox itself. It takes no key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pipeline.errors import SettingsError
from pipeline.sandbox.connectif.http import ledger, request_body
from pipeline.sandbox.connectif.http.account import SimulatedAccount
from pipeline.sandbox.connectif.http.request import IncomingRequest
from pipeline.sandbox.connectif.http.responses import (
    ApiResponse,
    error_response,
    http_error_response,
    json_response,
)
from pipeline.sandbox.connectif.http.simulated_connectif import SimulatedConnectif
from pipeline.sandbox.connectif.jobs.callback_urls import CallbackUrls, put_urls, with_url
from pipeline.sandbox.connectif.jobs.callbacks import Callback, send_callback
from pipeline.sandbox.connectif.model.api_errors import ApiError, not_found
from pipeline.sandbox.connectif.model.coupons import CouponSetDefinition
from pipeline.sandbox.connectif.model.initial_data import InitialData, load_initial_data
from pipeline.sandbox.connectif.simulation.faults import FaultRule

_MAX_BODY = 10_000_000
T = TypeVar("T")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ResetRequest(_Strict):
    """What to forget; no account named: everything."""

    account: str | None = None


class KeyRequest(_Strict):
    """One more API key of an account; no scopes named: it may do everything."""

    account: str
    api_key: str
    scopes: frozenset[str] | None = None


class FaultsRequest(_Strict):
    """Rules to activate, in addition to the present ones or instead of them."""

    rules: tuple[FaultRule, ...]
    replace: bool = False


class ClearFaultsRequest(_Strict):
    """The rule to take out of force; none named: all."""

    id: int | None = None


_FAULTS: TypeAdapter[FaultsRequest | tuple[FaultRule, ...]] = TypeAdapter(
    FaultsRequest | tuple[FaultRule, ...]
)
_SWITCHES: TypeAdapter[dict[str, object]] = TypeAdapter(dict[str, object])
_Handler = Callable[[IncomingRequest], Awaitable[ApiResponse]]


class ControlApi:
    """The routes under `/_sandbox/`."""

    def __init__(self, connectif: SimulatedConnectif) -> None:
        self._connectif = connectif
        self._routes: dict[tuple[str, str], _Handler] = {
            ("GET", "ledger"): self._ledger,
            ("GET", "stats"): self._stats,
            ("GET", "switches"): self._get_switches,
            ("POST", "switches"): self._set_switches,
            ("GET", "faults"): self._get_faults,
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "reset"): self._reset,
            ("POST", "keys"): self._add_key,
            ("POST", "coupon-sets"): self._add_coupon_set,
            ("POST", "callbacks"): self._callback,
            ("POST", "callback-urls"): self._callback_urls,
            ("POST", "seed"): self._seed,
        }

    async def handle(self, incoming: IncomingRequest) -> ApiResponse:
        """Answer a request under `/_sandbox/`."""
        name = incoming.scope["path"].removeprefix("/_sandbox/").rstrip("/")
        handler = self._routes.get((incoming.scope["method"], name))
        try:
            if handler is None:
                raise not_found("Sandbox route")
            return await handler(incoming)
        except ApiError as error:
            return error_response(error)
        except SettingsError as error:
            return http_error_response(422, error.message)

    async def _ledger(self, incoming: IncomingRequest) -> ApiResponse:
        query = ledger.LedgerQuery.read(incoming.scope["query_string"])
        if query.account is not None:
            return json_response(ledger.account_ledger(self._account(query.account), query))
        accounts = self._connectif.accounts.values()
        return json_response(
            {"accounts": {account.name: ledger.account_ledger(account, query) for account in accounts}}
        )

    async def _stats(self, _: IncomingRequest) -> ApiResponse:
        return json_response(
            ledger.stats(self._connectif.simulation, self._connectif.accounts, self._connectif.unauthorised)
        )

    async def _get_switches(self, _: IncomingRequest) -> ApiResponse:
        return json_response(self._connectif.simulation.behaviour.model_dump())

    async def _set_switches(self, incoming: IncomingRequest) -> ApiResponse:
        simulation = self._connectif.simulation
        values = await _read(incoming, _SWITCHES)
        simulation.behaviour = simulation.behaviour.changed(values)
        return json_response(simulation.behaviour.model_dump())

    async def _get_faults(self, _: IncomingRequest) -> ApiResponse:
        return json_response({"rules": self._connectif.simulation.faults.report()})

    async def _add_faults(self, incoming: IncomingRequest) -> ApiResponse:
        request = await _read(incoming, _FAULTS)
        if isinstance(request, FaultsRequest) and request.replace:
            self._connectif.simulation.faults.clear()
        rules = request.rules if isinstance(request, FaultsRequest) else request
        for rule in rules:
            if rule.account is not None:
                self._account(rule.account)
        self._connectif.simulation.faults.add(rules)
        return await self._get_faults(incoming)

    async def _clear_faults(self, incoming: IncomingRequest) -> ApiResponse:
        request = await _read(incoming, TypeAdapter(ClearFaultsRequest), empty=ClearFaultsRequest())
        self._connectif.simulation.faults.clear(request.id)
        return await self._get_faults(incoming)

    async def _reset(self, incoming: IncomingRequest) -> ApiResponse:
        request = await _read(incoming, TypeAdapter(ResetRequest), empty=ResetRequest())
        if request.account is not None:
            self._account(request.account)
        self._connectif.reset(request.account)
        return json_response({"reset": request.account or "everything"})

    async def _add_key(self, incoming: IncomingRequest) -> ApiResponse:
        request = await _read(incoming, TypeAdapter(KeyRequest))
        self._connectif.keys.add(request.api_key, self._account(request.account), request.scopes)
        return json_response({"account": request.account}, 201)

    async def _add_coupon_set(self, incoming: IncomingRequest) -> ApiResponse:
        definition = await _read(incoming, TypeAdapter(CouponSetDefinition))
        made = self._account(definition.account).data.coupon_sets.make(definition, incoming.now)
        return json_response(made.to_json(incoming.now, 0.0), 201)

    async def _callback(self, incoming: IncomingRequest) -> ApiResponse:
        request = await _read(incoming, TypeAdapter(Callback))
        data = self._account(request.account).data
        request = with_url(request, data)
        return json_response(await send_callback(request, data, self._connectif.callback_transport))

    async def _callback_urls(self, incoming: IncomingRequest) -> ApiResponse:
        urls = await _read(incoming, TypeAdapter(CallbackUrls))
        put_urls(urls, self._account(urls.account).data, self._connectif.callback_transport)
        return json_response(urls.model_dump())

    async def _seed(self, incoming: IncomingRequest) -> ApiResponse:
        initial = await _read(incoming, TypeAdapter(InitialData))
        return json_response(
            load_initial_data(initial, self._account(initial.account).data, incoming.now), 201
        )

    def _account(self, name: str) -> SimulatedAccount:
        account = self._connectif.accounts.get(name)
        if account is None:
            raise not_found(f"Account {name}")
        return account


async def _read(incoming: IncomingRequest, adapter: TypeAdapter[T], empty: T | None = None) -> T:
    """The JSON body in its typed form; `empty`: the value for no body.

    Raises:
        ApiError: 400 or 422, which says what is wrong.
    """
    body = await request_body.read_body(incoming.receive, _MAX_BODY)
    if not body and empty is not None:
        return empty
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        found: list[dict[str, Any]] = orjson.loads(error.json(include_url=False, include_input=False))
        status: Literal[400, 422] = 400 if any(one["type"] == "json_invalid" for one in found) else 422
        raise ApiError(status, "The order cannot be read.", errors=found) from None
