"""Which ids web tracking sends, told by the purchases of recent orders that Connectif has.

Also whether a purchase with an order's id is that order's: another shop may feed the account with the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pipeline.check.store.context import AccountCalls, StoreCheck
from pipeline.check.store.result import Step, by_hand, fault, ok, skipped, warning
from pipeline.connectif.answers import AnswerKind
from pipeline.shops.examination import KnownOrder, ShopExamination, at, said
from pipeline.sync import answers

PURCHASES, PRODUCTS, COLLISIONS = "ids of purchases", "ids of products", "ids of other stores"
CONNECTORS = "Connectif's own connector"
#: Orders that are asked for, and calls for all of them together.
ORDERS, MOST_CALLS = 3, 10
#: A purchase of the same id that was placed longer before or after is another order's; zones differ.
APART = timedelta(days=3)
_NOT_TOLD = "no recent order of the shop is in Connectif under any of its ids"


class Hit(NamedTuple):
    """A purchase that Connectif has under an id of an order's.

    Attributes:
        setting: the value of `purchase_id` that sends this id; another name where none does.
        id: it.
        body: what Connectif says of it.
    """

    setting: str
    id: str
    body: Any


async def tracking(check: StoreCheck) -> list[Step]:
    """Compare the ids of the latest orders with what Connectif has."""
    examination = check.platform.examination
    if examination is None or check.shop is None:
        todo = "" if examination is None else f"set {examination.lacking}"
        said = "without the shop's API no recent order is known; compare the id on a confirmation page"
        return [skipped(PURCHASES, said, todo)]
    answer = await check.shop.send(examination.recent(check.store, datetime.now(UTC)))
    if not isinstance(answer, answers.Found):
        return [skipped(PURCHASES, f"recent orders cannot be read ({answers.label(answer)})")]
    orders = examination.orders(check.store, answer.value)[:ORDERS]
    steps = [*_connectors(orders)]
    account = next(iter(check.accounts.values()))
    if len(check.accounts) > 1:
        return [*steps, by_hand(PURCHASES, "of each account: the id on a confirmation page is the setting's")]
    order, hits = await _first_told(check, account, orders)
    if order is None:
        return [*steps, by_hand(PURCHASES, f"{_NOT_TOLD}: compare the id on a confirmation page")]
    steps += _purchases(check, order, hits)
    order = await _with_lines(check, examination, order)
    return [*steps, *_collisions(check, order, hits), *_products(check, order, hits)]


async def _with_lines(check: StoreCheck, examination: ShopExamination[Any], order: KnownOrder) -> KnownOrder:
    """The order with its lines, which are asked for where the shop's list of orders names none."""
    number = order.purchase.get("id")
    if examination.lines is None or order.products or check.shop is None or number is None:
        return order
    answer = await check.shop.send(examination.lines.request(number))
    return (
        replace(order, products=examination.lines.read(answer.value))
        if isinstance(answer, answers.Found)
        else order
    )


async def _first_told(
    check: StoreCheck, account: AccountCalls, orders: Sequence[KnownOrder]
) -> tuple[KnownOrder | None, list[Hit]]:
    """The latest order that Connectif has, with all it has of it."""
    calls = 0
    for order in orders:
        hits: list[Hit] = []
        for setting, ident in _candidates(check, order):
            if calls == MOST_CALLS:
                return None, []
            calls += 1
            answer = await account.call(lambda client, ident=ident: client.get_purchase(ident))  # type: ignore[misc]
            if answer.good:
                hits.append(Hit(setting, ident, answer.body))
            elif answer.kind is not AnswerKind.ABSENT:
                return None, []
        if hits:
            return order, hits
    return None, []


def _candidates(check: StoreCheck, order: KnownOrder) -> Iterator[tuple[str, str]]:
    """What may be the order's id in Connectif, with the setting that sends it; each id once."""
    prefix, seen = check.store.id_prefix, set[str]()
    own = {name: prefix + ident for name, ident in order.purchase.items()}
    plain = {f"{name}, without id_prefix": ident for name, ident in order.purchase.items() if prefix}
    first = _sent(check, order)
    for name, ident in ((first[0], prefix + first[1]), *own.items(), *order.others.items(), *plain.items()):
        if ident not in seen:
            seen.add(ident)
            yield name, ident


def _sent(check: StoreCheck, order: KnownOrder) -> tuple[str, str]:
    """The id that the store's setting sends; platforms without it send the next best."""
    wanted = check.store.purchase_id
    for name in (wanted, *({"number": ("name",), "name": ("number",)}.get(wanted, ()))):
        if name in order.purchase:
            return wanted, order.purchase[name]
    return next(iter(order.purchase.items()), (wanted, ""))


def _purchases(check: StoreCheck, order: KnownOrder, hits: Sequence[Hit]) -> Iterator[Step]:
    configured = check.store.purchase_id
    expected = check.store.id_prefix + _sent(check, order)[1]
    ours = [hit for hit in hits if hit.id == expected]
    others = [hit for hit in hits if hit.id != expected]
    if ours and others:
        names = ", ".join(f"{hit.id} ({hit.setting})" for hit in others)
        told = f"an order is in Connectif twice: as {ours[0].id} ({configured}), and as {names}"
        yield fault(PURCHASES, told, f"{_setting(others[0].setting)}, if web tracking sends {others[0].id}")
    elif others:
        told = f"an order is in Connectif as {others[0].id}, and the store's setting would make it {expected}"
        yield fault(PURCHASES, told, _setting(others[0].setting))
    else:
        yield ok(
            PURCHASES, f'a recent order is in Connectif as {ours[0].id}: purchase_id = "{configured}" fits'
        )


def _setting(name: str) -> str:
    if name in {"id", "number", "name"}:
        return f'set purchase_id = "{name}"'
    if name.endswith("id_prefix"):
        return f'set purchase_id = "{name.partition(",")[0]}", and let web tracking send the id_prefix, too'
    return f"no setting sends the {name}: let web tracking send another id"


def _collisions(check: StoreCheck, order: KnownOrder, hits: Sequence[Hit]) -> Iterator[Step]:
    for hit in hits:
        placed = _moment(at(hit.body, "purchaseDate"))
        if order.placed is None or placed is None:
            continue
        if abs(placed - order.placed) > APART:
            told = (
                f"purchase {hit.id} in Connectif was placed on {placed:%Y-%m-%d}, the shop's order on "
                f"{order.placed:%Y-%m-%d}: another shop feeds the account with the same ids"
            )
            todo = "give each store an account of its own, or this one an `id_prefix` that web tracking sends"
            yield fault(COLLISIONS, told, todo)
            return
    shared = [
        name
        for name, store in check.settings.stores.items()
        if name != check.name and set(store.accounts) & set(check.store.accounts)
    ]
    beside = (
        f"beside {', '.join(shared)}, whose ids cannot meet" if shared else "no other store of the settings"
    )
    yield ok(COLLISIONS, f"{beside} in the account; purchases are of this shop's orders")


def _moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(said(value))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _products(check: StoreCheck, order: KnownOrder, hits: Sequence[Hit]) -> Iterator[Step]:
    """The ids of the purchase's lines are the products' own."""
    told = at(hits[0].body, "products")
    have = (
        {said(at(line, "productId")) for line in told if isinstance(line, dict)}
        if isinstance(told, list)
        else set()
    )
    by_setting = {name: _lines(check, order.products, name) for name in ("product", "variant", "sku")}
    configured = check.store.product_id
    if not have or not any(by_setting.values()):
        return
    fitting = [name for name, ids in by_setting.items() if ids & have]
    if configured in fitting:
        yield ok(PRODUCTS, f'lines are known by product_id = "{configured}"')
    elif fitting:
        told_as = f'lines are known by {fitting[0]}; the store sends product_id = "{configured}"'
        yield fault(PRODUCTS, told_as, f'set product_id = "{fitting[0]}"')
    else:
        unknown = "lines of a purchase have ids that are no product's, variant's or SKU of the order"
        yield warning(PRODUCTS, unknown, "compare a product page's tag with `pipeline check page`")


def _lines(check: StoreCheck, lines: Sequence[Mapping[str, str]], setting: str) -> set[str]:
    return {check.store.id_prefix + line[setting] for line in lines if setting in line}


def _connectors(orders: Sequence[KnownOrder]) -> Iterator[Step]:
    if any(order.by_connectif for order in orders):
        told = "orders carry isTrackedPurchase: Connectif's own app tells of them, too"
        todo = "switch its purchases off, or leave `purchases` to it"
        yield warning(CONNECTORS, told, todo)
