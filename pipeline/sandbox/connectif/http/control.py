"""`/_sandbox/`: what a test or an operator asks of the sandbox itself. It takes no key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pipeline.errors import SettingsError
from pipeline.sandbox.connectif.http import ledger, request_body
from pipeline.sandbox.connectif.http.account import Account
from pipeline.sandbox.connectif.http.request_processor import Incoming
from pipeline.sandbox.connectif.http.responses import Answer, Refusal, absent, ok, problem, refuse
from pipeline.sandbox.connectif.jobs.callbacks import Callback, send_callback
from pipeline.sandbox.connectif.model.coupons import CouponSetSeed
from pipeline.sandbox.connectif.model.initial_data import Seed, plant
from pipeline.sandbox.connectif.simulation.faults import FaultRule

if TYPE_CHECKING:
    from pipeline.sandbox.connectif.http.app import Sandbox

_MAX_BODY = 10_000_000
T = TypeVar("T")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ResetOrder(_Strict):
    """What to forget; no account named: everything."""

    account: str | None = None


class KeyOrder(_Strict):
    """One more API key of an account; no scopes named: it may do everything."""

    account: str
    api_key: str
    scopes: frozenset[str] | None = None


class FaultOrder(_Strict):
    """Rules to put in force, besides those there are or in their place."""

    rules: tuple[FaultRule, ...]
    replace: bool = False


class Clearing(_Strict):
    """The rule to take out of force; none named: all."""

    id: int | None = None


_FAULTS: TypeAdapter[FaultOrder | tuple[FaultRule, ...]] = TypeAdapter(FaultOrder | tuple[FaultRule, ...])
_SWITCHES: TypeAdapter[dict[str, object]] = TypeAdapter(dict[str, object])
_Handler = Callable[[Incoming], Awaitable[Answer]]


class Control:
    """The routes under `/_sandbox/`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
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
            ("POST", "seed"): self._seed,
        }

    async def answer(self, incoming: Incoming) -> Answer:
        """Answer a request under `/_sandbox/`."""
        name = incoming.scope["path"].removeprefix("/_sandbox/").rstrip("/")
        handler = self._routes.get((incoming.scope["method"], name))
        try:
            if handler is None:
                raise absent("Sandbox route")
            return await handler(incoming)
        except Refusal as refusal:
            return refusal.answer
        except SettingsError as error:
            return problem(422, error.message)

    async def _ledger(self, incoming: Incoming) -> Answer:
        query = ledger.Query.read(incoming.scope["query_string"])
        if query.account is not None:
            return ok(ledger.ledger(self._account(query.account), query))
        accounts = self._sandbox.accounts.values()
        return ok({"accounts": {one.name: ledger.ledger(one, query) for one in accounts}})

    async def _stats(self, _: Incoming) -> Answer:
        return ok(ledger.stats(self._sandbox.world, self._sandbox.accounts, self._sandbox.unauthorised))

    async def _get_switches(self, _: Incoming) -> Answer:
        return ok(self._sandbox.world.switches.model_dump())

    async def _set_switches(self, incoming: Incoming) -> Answer:
        world = self._sandbox.world
        values = await _read(incoming, _SWITCHES)
        world.switches = world.switches.changed(values)
        return ok(world.switches.model_dump())

    async def _get_faults(self, _: Incoming) -> Answer:
        return ok({"rules": self._sandbox.world.faults.report()})

    async def _add_faults(self, incoming: Incoming) -> Answer:
        order = await _read(incoming, _FAULTS)
        if isinstance(order, FaultOrder) and order.replace:
            self._sandbox.world.faults.clear()
        rules = order.rules if isinstance(order, FaultOrder) else order
        for rule in rules:
            if rule.account is not None:
                self._account(rule.account)
        self._sandbox.world.faults.add(rules)
        return await self._get_faults(incoming)

    async def _clear_faults(self, incoming: Incoming) -> Answer:
        order = await _read(incoming, TypeAdapter(Clearing), empty=Clearing())
        self._sandbox.world.faults.clear(order.id)
        return await self._get_faults(incoming)

    async def _reset(self, incoming: Incoming) -> Answer:
        order = await _read(incoming, TypeAdapter(ResetOrder), empty=ResetOrder())
        if order.account is not None:
            self._account(order.account)
        self._sandbox.reset(order.account)
        return ok({"reset": order.account or "everything"})

    async def _add_key(self, incoming: Incoming) -> Answer:
        order = await _read(incoming, TypeAdapter(KeyOrder))
        self._sandbox.keys.add(order.api_key, self._account(order.account), order.scopes)
        return ok({"account": order.account}, 201)

    async def _add_coupon_set(self, incoming: Incoming) -> Answer:
        seed = await _read(incoming, TypeAdapter(CouponSetSeed))
        made = self._account(seed.account).coupon_sets.make(seed, incoming.now)
        return ok(made.shown(incoming.now, 0.0), 201)

    async def _callback(self, incoming: Incoming) -> Answer:
        order = await _read(incoming, TypeAdapter(Callback))
        sandbox = self._sandbox
        account = self._account(order.account)
        return ok(await send_callback(order, account, sandbox.callback_transport))

    async def _seed(self, incoming: Incoming) -> Answer:
        seed = await _read(incoming, TypeAdapter(Seed))
        return ok(plant(seed, self._account(seed.account), incoming.now), 201)

    def _account(self, name: str) -> Account:
        account = self._sandbox.accounts.get(name)
        if account is None:
            raise absent(f"Account {name}")
        return account


async def _read(incoming: Incoming, adapter: TypeAdapter[T], empty: T | None = None) -> T:
    """The JSON body in its typed form; `empty` stands for no body.

    Raises:
        Refusal: 400 or 422, which says what is wrong.
    """
    body = await request_body.read_body(incoming.receive, _MAX_BODY)
    if not body and empty is not None:
        return empty
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        found: list[dict[str, Any]] = orjson.loads(error.json(include_url=False, include_input=False))
        status: Literal[400, 422] = 400 if any(one["type"] == "json_invalid" for one in found) else 422
        raise refuse(status, "The order cannot be read.", errors=found) from None
