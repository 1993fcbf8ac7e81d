"""What an account holds and what was done to it, as JSON a judge can page through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl

from pipeline.sandbox.connectif.http.account import Account
from pipeline.sandbox.connectif.http.responses import refuse
from pipeline.sandbox.connectif.http.routes import table
from pipeline.sandbox.connectif.model.field_types import iso
from pipeline.sandbox.connectif.model.storage import Entry, Shelf
from pipeline.sandbox.connectif.simulation.state import World

#: Elements of one answer, so that it stays quick whatever the account holds.
MAX_PAGE = 50_000
_NUMBER = re.compile(r"[0-9]{1,9}")
_KINDS = ("contacts", "products", "purchases", "coupons")


@dataclass(frozen=True, slots=True)
class Query:
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
            Refusal: 422.
        """
        values = dict(parse_qsl(query_string.decode("latin-1")))
        unknown = values.keys() - {"account", "kind", "calls", "bodies", "offset", "limit"}
        if unknown or values.get("kind", "contacts") not in _KINDS:
            raise refuse(422, f"Unknown: {', '.join(sorted(unknown)) or values['kind']}.")
        numbers = {name: values.get(name, default) for name, default in (("offset", "0"), ("limit", "1000"))}
        flags = {name: values.get(name, default) for name, default in (("calls", "0"), ("bodies", "1"))}
        if not all(_NUMBER.fullmatch(text) for text in numbers.values()):
            raise refuse(422, "offset and limit are whole numbers.")
        if not all(text in ("0", "1") for text in flags.values()):
            raise refuse(422, "calls and bodies are 0 or 1.")
        return cls(
            account=values.get("account"),
            kind=values.get("kind"),
            calls=flags["calls"] == "1",
            bodies=flags["bodies"] == "1",
            offset=int(numbers["offset"]),
            limit=min(int(numbers["limit"]), MAX_PAGE),
        )


def ledger(account: Account, query: Query) -> dict[str, Any]:
    """The account's elements and, where asked for, its calls."""
    account.imports.settle(account.world.now())
    answer: dict[str, Any] = {"account": account.name, "counts": _counts(account)}
    for name, shelf in account.shelves().items():
        if query.kind in (None, name):
            answer[name] = _page(shelf, query)
    if query.calls:
        answer["calls"] = _calls(account, query)
    return answer


def stats(world: World, accounts: Mapping[str, Account], unauthorised: int) -> dict[str, Any]:
    """Counts of every account."""
    return {
        "now": iso(world.now()),
        "speed": world.speed,
        "window_seconds": world.window,
        "window": world.switches.window,
        "unauthorised": unauthorised,
        "accounts": {name: _account_stats(account) for name, account in accounts.items()},
    }


def _account_stats(account: Account) -> dict[str, Any]:
    account.imports.settle(account.world.now())
    log = account.log
    purchases = account.purchases.shelf
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
        "max_admitted_in_a_window": account.bucket.most_admitted,
        "activities": dict(account.activities),
    }


def _counts(account: Account) -> dict[str, int]:
    return {name: shelf.held for name, shelf in account.shelves().items()}


def _page(shelf: Shelf, query: Query) -> dict[str, Any]:
    items = [_element(entry, bodies=query.bodies) for entry in shelf.page(query.offset, query.limit)]
    return {"held": shelf.held, "total": len(shelf), "offset": query.offset, "items": items}


def _element(entry: Entry, *, bodies: bool) -> dict[str, Any]:
    element = {
        "key": entry.key.removeprefix("\0"),
        "id": entry.id,
        "writes": entry.writes,
        "creates": entry.creates,
        "deleted": entry.deleted,
        "createdAt": iso(entry.created),
        "updatedAt": iso(entry.updated),
    }
    if bodies and not entry.deleted:
        element["body"] = entry.body
    return element


def _calls(account: Account, query: Query) -> dict[str, Any]:
    log = account.log
    items = [
        {
            "time": call.time,
            "method": table.ALL[call.route].method,
            "route": table.ALL[call.route].template,
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
    route = table.ALL[number]
    return f"{route.method} {route.template}".strip()
