"""What an account holds and what was done to it, as JSON that tests page through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl

from pipeline.sandbox.connectif.http.account import SimulatedAccount
from pipeline.sandbox.connectif.http.routes import table
from pipeline.sandbox.connectif.model.api_errors import ApiError
from pipeline.sandbox.connectif.model.field_types import iso
from pipeline.sandbox.connectif.model.storage import ElementStorage, StoredElement
from pipeline.sandbox.connectif.simulation.state import SimulationState

#: Elements of one response, so that it stays quick whatever the account holds.
MAX_PAGE = 50_000
_NUMBER = re.compile(r"[0-9]{1,9}")
_KINDS = ("contacts", "products", "purchases", "coupons")


@dataclass(frozen=True, slots=True)
class LedgerQuery:
    """What part of the ledger is wanted; `offset` and `limit` hold for each list in it."""

    account: str | None = None
    kind: str | None = None
    calls: bool = False
    bodies: bool = True
    offset: int = 0
    limit: int = 1_000

    @classmethod
    def read(cls, query_string: bytes) -> Self:
        """Read a query.

        Raises:
            ApiError: 422.
        """
        values = dict(parse_qsl(query_string.decode("latin-1")))
        unknown = values.keys() - {"account", "kind", "calls", "bodies", "offset", "limit"}
        if unknown or values.get("kind", "contacts") not in _KINDS:
            raise ApiError(422, f"Unknown: {', '.join(sorted(unknown)) or values['kind']}.")
        numbers = {name: values.get(name, default) for name, default in (("offset", "0"), ("limit", "1000"))}
        flags = {name: values.get(name, default) for name, default in (("calls", "0"), ("bodies", "1"))}
        if not all(_NUMBER.fullmatch(text) for text in numbers.values()):
            raise ApiError(422, "offset and limit are whole numbers.")
        if not all(text in ("0", "1") for text in flags.values()):
            raise ApiError(422, "calls and bodies are 0 or 1.")
        return cls(
            account=values.get("account"),
            kind=values.get("kind"),
            calls=flags["calls"] == "1",
            bodies=flags["bodies"] == "1",
            offset=int(numbers["offset"]),
            limit=min(int(numbers["limit"]), MAX_PAGE),
        )


def account_ledger(account: SimulatedAccount, query: LedgerQuery) -> dict[str, Any]:
    """The account's elements and, where asked for, its calls."""
    account.imports.catch_up(account.simulation.now())
    shown: dict[str, Any] = {"account": account.name, "counts": _counts(account)}
    for name, storage in account.data.storages().items():
        if query.kind in (None, name):
            shown[name] = _page(storage, query)
    if query.calls:
        shown["calls"] = _calls(account, query)
    return shown


def stats(
    simulation: SimulationState, accounts: Mapping[str, SimulatedAccount], unauthorised: int
) -> dict[str, Any]:
    """Counts of every account."""
    return {
        "now": iso(simulation.now()),
        "speed": simulation.speed,
        "window_seconds": simulation.window,
        "window": simulation.behaviour.window,
        "unauthorised": unauthorised,
        "accounts": {name: _account_stats(account) for name, account in accounts.items()},
    }


def _account_stats(account: SimulatedAccount) -> dict[str, Any]:
    account.imports.catch_up(account.simulation.now())
    log = account.log
    purchases = account.data.purchases.storage
    by_route: dict[str, dict[str, int]] = {}
    for (number, status), count in sorted(log.by_route.items()):
        by_route.setdefault(_route(number), {})[str(status) if status else "dropped"] = count
    return {
        "limit": account.limit,
        "counts": _counts(account),
        "purchases_created": purchases.created,
        "purchases_created_again": purchases.recreated,
        "imports": account.imports.counts(),
        "calls": by_route,
        "calls_total": log.total,
        "refused": log.refused,
        "refused_at": [iso(at) for at in log.refused_at],
        "injected": log.injected,
        "max_calls_in_any_window": log.most_in_any_window,
        "max_admitted_in_a_window": account.rate_limiter.most_admitted,
        "activities": dict(account.data.activities),
    }


def _counts(account: SimulatedAccount) -> dict[str, int]:
    return {name: storage.held for name, storage in account.data.storages().items()}


def _page(storage: ElementStorage, query: LedgerQuery) -> dict[str, Any]:
    items = [_element(element, bodies=query.bodies) for element in storage.page(query.offset, query.limit)]
    return {"held": storage.held, "total": len(storage), "offset": query.offset, "items": items}


def _element(element: StoredElement, *, bodies: bool) -> dict[str, Any]:
    item = {
        "key": element.key.removeprefix("\0"),
        "id": element.id,
        "writes": element.writes,
        "creates": element.creates,
        "deleted": element.deleted,
        "createdAt": iso(element.created),
        "updatedAt": iso(element.updated),
    }
    if bodies and not element.deleted:
        item["body"] = element.body
    return item


def _calls(account: SimulatedAccount, query: LedgerQuery) -> dict[str, Any]:
    log = account.log
    items = [
        {
            "time": call.time,
            "method": table.ALL_ROUTES[call.route].method,
            "route": table.ALL_ROUTES[call.route].template,
            "status": call.status or None,
            "duration": round(call.duration, 6),
            "key": call.key,
        }
        for call in log.page(query.offset, query.limit)
    ]
    return {
        "total": log.total,
        "forgotten": log.forgotten,
        "offset": query.offset,
        "windows": log.windows(),
        "items": items,
    }


def _route(number: int) -> str:
    route = table.ALL_ROUTES[number]
    return f"{route.method} {route.template}".strip()
