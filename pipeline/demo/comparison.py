"""Compares what the sandbox's accounts hold with what must be there. No record of the pipeline's is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from pipeline.demo.expectations import (
    Expected,
    ExpectedContact,
    ExpectedProduct,
    OrderStatement,
    Statement,
    expected,
)

Document = Mapping[str, Any]


class LedgerDifference(NamedTuple):
    """One thing that is not as it must be."""

    account: str
    what: str
    must: str
    found: str


@dataclass(frozen=True, slots=True)
class LedgerContents:
    """What one account of the sandbox holds: documents as its API shows them, by the shop's ids."""

    purchases: Mapping[str, Document] = field(default_factory=dict)
    contacts: Mapping[str, Document] = field(default_factory=dict)
    products: Mapping[str, Document] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        return {
            "purchases": len(self.purchases),
            "contacts": len(self.contacts),
            "products": len(self.products),
        }


def of_all(statements: Iterable[Statement], held: Mapping[str, LedgerContents]) -> list[LedgerDifference]:
    """Everything that differs in any account that the statements name.

    Args:
        statements: all that was said.
        held: what each account holds, by its name.
    """
    found: list[LedgerDifference] = []
    for name, one in expected(statements).items():
        found += differences(name, one, held.get(name, LedgerContents()))
    return found


def differences(account: str, wanted: Expected, held: LedgerContents) -> list[LedgerDifference]:
    """Everything that differs, purchases first."""
    found = [
        *_purchases(wanted, held),
        *_kind("contact", wanted.contacts, wanted.allowed_contacts, held.contacts),
        *_kind("product", wanted.products, wanted.allowed_products, held.products),
    ]
    return [LedgerDifference(account, *one) for one in found]


def _purchases(wanted: Expected, held: LedgerContents) -> Iterator[tuple[str, str, str]]:
    for order in sorted(wanted.purchases.keys() | held.purchases.keys()):
        must, there = wanted.purchases.get(order), held.purchases.get(order)
        if must is None:
            yield f"purchase {order}", "absent", "there"
        elif there is None:
            yield f"purchase {order}", "there", "missing"
        else:
            for name, one, other in _purchase(must, there):
                if one != other:
                    yield f"purchase {order}: {name}", str(one), str(other)


def _purchase(must: OrderStatement, there: Document) -> Iterator[tuple[str, object, object]]:
    yield "total", must.total, Decimal(str(there["totalPrice"]))
    yield "buyer", must.buyer, there.get("contactEmail")
    yield "date", must.placed, datetime.fromisoformat(str(there["purchaseDate"]))
    yield "units", must.units, there.get("totalQuantity")
    yield "products", sorted(must.articles), sorted(str(line["productId"]) for line in there["products"])


def _kind(
    kind: str,
    required: Mapping[str, ExpectedContact] | Mapping[str, ExpectedProduct],
    allowed: set[str],
    held: Mapping[str, Document],
) -> Iterator[tuple[str, str, str]]:
    for key in sorted(required.keys() - held.keys()):
        yield f"{kind} {key}", "there", "missing"
    for key in sorted(held.keys() - allowed):
        yield f"{kind} {key}", "absent", "there"
    for key in sorted(required.keys() & held.keys()):
        must = required[key]
        check = _contact(must, held[key]) if isinstance(must, ExpectedContact) else _product(must, held[key])
        for name, one, other in check:
            yield f"{kind} {key}: {name}", one, other


def _contact(must: ExpectedContact, there: Document) -> Iterator[tuple[str, str, str]]:
    name = (there.get("_name") or "", there.get("_surname") or "")
    if name not in must.names:
        yield "name", " or ".join(map(repr, sorted(must.names))), repr(name)
    newsletter = there.get("_newsletterSubscriptionStatus") or "none"
    if newsletter not in must.newsletter:
        yield "newsletter", " or ".join(sorted(must.newsletter)), str(newsletter)


def _product(must: ExpectedProduct, there: Document) -> Iterator[tuple[str, str, str]]:
    if must.title is not None and there.get("name") != must.title:
        yield "name", must.title, str(there.get("name"))
    if must.price is not None and Decimal(str(there.get("unitPrice"))) != must.price:
        yield "price", str(must.price), str(there.get("unitPrice"))
    if must.in_stock is not None and (there.get("availability") == "instock") != must.in_stock:
        yield "availability", "instock" if must.in_stock else "outofstock", str(there.get("availability"))
    if bool(there.get("isBlacklisted")) == must.listed:
        yield "recommended", str(must.listed), str(not there.get("isBlacklisted"))
