"""What the sandbox says over HTTP: what each account holds, and how its budget was used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from pipeline.demo.comparison import LedgerContents
from pipeline.demo.further import ACCESS
from pipeline.demo.shops import FURTHER
from pipeline.demo.traffic import Traffic

PAGE = 20_000


@dataclass(frozen=True, slots=True)
class Budget:
    """How an account's calls were used.

    Attributes:
        limit: calls a minute (of the sandbox's minutes) allows.
        most: the most it let in in one minute.
        refused: calls it answered with 429: there is to be none.
        calls: all.
        orders: purchases it holds.
        created_again: purchases deleted and created again, which is how one is changed.
    """

    limit: int
    most: int
    refused: int
    calls: int
    orders: int
    created_again: int

    @property
    def calls_per_order(self) -> float | None:
        """All calls over all purchases held; None where there is none."""
        return self.calls / self.orders if self.orders else None


async def open_shops(url: str, made: Traffic) -> None:
    """Let the sandbox answer as the APIs of shops, which let in as the demo's settings have it.

    Args:
        url: the sandbox's.
        made: what the APIs answer and list.
    """
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:

        async def put(path: str, said: Any) -> None:
            (await client.put(f"/_sandbox/shops/{path}", json=said)).raise_for_status()

        for shop in FURTHER:
            access = {"access": ACCESS[shop.platform], "lists": {"platform": shop.platform}}
            answers = made.documents.get(shop.name, {}).items()
            await put(shop.name, access)
            await put(
                f"{shop.name}/documents",
                [{"path": path, "answers": [{"body": body}]} for path, body in answers],
            )
            rows = [{"list": name, "rows": found} for name, found in made.lists[shop.name].items()]
            await put(f"{shop.name}/rows", rows)
        if made.newsletter is not None:
            kept = {"form": "generic", "people": made.newsletter.people}
            await put(f"{made.newsletter.shop}/newsletter", kept)


async def budgets(client: httpx.AsyncClient) -> dict[str, Budget]:
    """The budget of every account."""
    answer = (await client.get("/_sandbox/stats")).raise_for_status().json()
    return {
        name: Budget(
            limit=one["limit"],
            most=one["max_admitted_in_a_window"],
            refused=one["refused"],
            calls=one["calls_total"],
            orders=one["counts"]["purchases"],
            created_again=one["purchases_created_again"],
        )
        for name, one in answer["accounts"].items()
    }


async def held(client: httpx.AsyncClient, account: str) -> LedgerContents:
    """All that an account holds now."""
    return LedgerContents(
        purchases=await _elements(client, account, "purchases"),
        contacts=await _elements(client, account, "contacts"),
        products=await _elements(client, account, "products"),
    )


async def _elements(client: httpx.AsyncClient, account: str, kind: str) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    offset, total = 0, 1
    while offset < total:
        query = {"account": account, "kind": kind, "offset": str(offset), "limit": str(PAGE)}
        page = (await client.get("/_sandbox/ledger", params=query)).raise_for_status().json()[kind]
        found |= {one["key"]: one["body"] for one in page["items"] if not one["deleted"]}
        offset, total = offset + PAGE, page["total"]
    return found
