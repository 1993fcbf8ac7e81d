"""The simulated lists of each platform, and how an entity of `tests/shop_bodies` stands in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, cast

from pipeline.events import Kind
from pipeline.sandbox.shops.generic_pages import GenericLists
from pipeline.sandbox.shops.magento_pages import MagentoLists
from pipeline.sandbox.shops.prestashop_pages import PrestashopLists
from pipeline.sandbox.shops.quirks import Quirks
from pipeline.sandbox.shops.shop import Lists
from pipeline.sandbox.shops.vtex_pages import VtexLists
from tests.platforms import IN_TESTS
from tests.shop_bodies import Article, Person, Sale, Sent


class Simulated(NamedTuple):
    """How a platform's lists are simulated.

    Attributes:
        lists: new ones, without rows.
        put: lists an entity, in the place of what was listed under its id.
        take: takes an entity out.
        quirk: lets the lists behave so.
    """

    lists: Callable[[], Lists]
    put: Callable[[Any, Kind, Sent], None]
    take: Callable[[Any, Kind, str], None]
    quirk: Callable[[Any, Quirks], None]


def said(platform: str, kind: Kind, entity: str, changed: datetime, *, consent: Any = None) -> Sent:
    """What a shop says of an entity that was changed then."""
    bodies = IN_TESTS[platform].bodies
    if kind is Kind.ORDER:
        return bodies.order(replace(Sale(), id=entity, placed=changed, changed=changed))
    if kind is Kind.CUSTOMER:
        return bodies.customer(
            replace(Person(), id=entity, changed=changed, consent=consent, birthday="1990-02-28")
        )
    return bodies.product(replace(Article(), id=entity, variant=f"{entity}0", changed=changed))


def _set_quirks(lists: Any, quirks: Quirks) -> None:
    lists.quirks = quirks


def _vtex_table(lists: Any, kind: Kind) -> dict[str, Any]:
    of = cast("VtexLists", lists)
    tables: dict[Kind, dict[str, Any]] = {Kind.ORDER: of.orders, Kind.CUSTOMER: of.clients}
    return tables.get(kind, cast("dict[str, Any]", of.products))


def vtex_row(kind: Kind, sent: Sent) -> tuple[str, Any]:
    """The list that has an entity, and its row there as the sandbox's control takes it."""
    document = sent.document
    if kind is Kind.ORDER:
        listed = ("orderId", "creationDate", "authorizedDate", "status", "sequence")
        return "orders", {**{name: document[name] for name in listed}, "items": None, "invoicedDate": None}
    if kind is Kind.CUSTOMER:
        return "customers", document
    return "products", {"id": str(document["ProductId"]), "articles": [document["Id"]]}


def _put_vtex(lists: Any, kind: Kind, sent: Sent) -> None:
    name, row = vtex_row(kind, sent)
    cast("VtexLists", lists).hold(name, [row], ())


def _by_kind(lists: Any, kind: Kind) -> dict[str, Any]:
    table: dict[str, Any] = getattr(lists, f"{kind}s")
    return table


def _put(lists: Any, kind: Kind, sent: Sent) -> None:
    lists.hold(f"{kind}s", [sent.document], ())


def _put_prestashop(lists: Any, kind: Kind, sent: Sent) -> None:
    lists.hold(f"{kind}s", [sent.document[kind]], ())


SIMULATED: Mapping[str, Simulated] = {
    "vtex": Simulated(
        VtexLists,
        _put_vtex,
        lambda lists, kind, entity: _vtex_table(lists, kind).pop(entity, None),
        _set_quirks,
    ),
    "magento": Simulated(
        MagentoLists,
        _put,
        lambda lists, kind, entity: _by_kind(lists, kind).pop(entity, None),
        _set_quirks,
    ),
    "prestashop": Simulated(
        PrestashopLists,
        _put_prestashop,
        lambda lists, kind, entity: _by_kind(lists, kind).pop(entity, None),
        _set_quirks,
    ),
    "generic": Simulated(
        GenericLists,
        _put,
        lambda lists, kind, entity: _by_kind(lists, kind).pop(entity, None),
        _set_quirks,
    ),
}
