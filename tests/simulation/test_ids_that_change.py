"""Whatever ids a shop's orders and customers trade, Connectif ends with what the shop has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.simulation.on_lists import OnLists, moment

ORDERS = ("7001", "7002", "7003")
NUMBERS = ("1", "2", "3", "7001", "7002")
ANA, BEA = "ana@mail.example", "bea@mail.example"
ADDRESSES = (ANA, BEA, "cleo@mail.example")
CUSTOMERS = {3001: "Ana", 3002: "Bea"}


def order(order_id: str, number: str, minute: int, *, status: str) -> dict[str, Any]:
    """An order of WooCommerce whose total names it."""
    changed = moment(minute).strftime("%Y-%m-%dT%H:%M:%S")
    total = f"{order_id}.00"
    return {
        "id": int(order_id),
        "parent_id": 0,
        "number": number,
        "status": status,
        "currency": "EUR",
        "prices_include_tax": True,
        "total": total,
        "date_created_gmt": "2023-11-14T20:00:00",
        "date_modified_gmt": changed,
        "customer_id": 0,
        "billing": {"first_name": "Ann", "email": "ann@mail.example", "country": "ES"},
        "refunds": [],
        "line_items": [
            {
                "id": 1,
                "name": "Mug",
                "product_id": 501,
                "quantity": 1,
                "subtotal": total,
                "subtotal_tax": "0.00",
                "total": total,
                "total_tax": "0.00",
            }
        ],
    }


#: One renumbering: orders in the order of their webhooks, each with its number, its status, and whether what
#: waits is delivered then. No two orders have one number once it is over; on the way they may.
Renumbering = list[tuple[str, str, str, bool]]


@st.composite
def renumberings(draw: st.DrawFn) -> Renumbering:
    """Some orders get numbers, or keep those they have; a status that is none deletes the order."""
    chosen = draw(st.permutations(ORDERS))
    numbers = draw(st.permutations(NUMBERS))
    statuses = st.sampled_from(("processing", "processing", "completed", "cancelled", ""))
    return [
        (order_id, number, draw(statuses), draw(st.booleans()))
        for order_id, number in zip(chosen, numbers, strict=False)
    ]


@settings(max_examples=200, deadline=None)
@given(st.lists(renumberings(), min_size=1, max_size=5))
def test_an_order_has_one_purchase_under_the_number_it_has_now_whatever_it_had_before(
    history: list[Renumbering],
) -> None:
    store = OnLists("woocommerce", purchase_id="number")
    minute = 0
    for renumbering in history:
        for order_id, number, status, delivered in renumbering:
            minute += 1
            if status:
                body = order(order_id, number, minute, status=status)
                store.hears("order.updated", body, minute + 0.1)
            else:
                store.hears("order.deleted", {"id": int(order_id)}, minute + 0.1)
            if delivered:
                store.deliver()
    store.deliver()
    sold = {
        number: f"{order_id}.00"
        for order_id, number, status, _ in history[-1]
        if status in ("processing", "completed")
    }
    assert {number: body["total_price"] for number, body in store.purchases.items()} == sold


@dataclass
class Customer:
    """A customer as the shop has it, and since when what was said of newsletters was said of this address."""

    address: str | None = None
    deleted: bool = False
    newest: str = ""
    here: str = ""


@dataclass
class Trading:
    """Two customers of a Shopify shop, where an address is one customer's at a time."""

    store: OnLists = field(default_factory=lambda: OnLists("shopify", on_customer_deleted="delete"))
    people: dict[int, Customer] = field(default_factory=lambda: {ident: Customer() for ident in CUSTOMERS})
    had: dict[str, set[int]] = field(default_factory=lambda: {address: set() for address in ADDRESSES})
    minute: int = 0

    def owner(self, address: str) -> int | None:
        """Whose it is now."""
        return next((ident for ident, one in self.people.items() if one.address == address), None)

    def run_scenario(self, ident: int, step: str) -> None:
        """One step of one customer, where the shop allows it: an address, a statement, or the deletion."""
        self.minute += 1
        person, at = self.people[ident], moment(self.minute).isoformat()
        if person.deleted:
            return
        if step in ADDRESSES:
            if self.owner(step) in (None, ident):
                self._move(ident, person, step, at)
        elif person.address is not None and step == "deleted":
            self.store.hears("customers/delete", {"id": ident}, self.minute + 0.1)
            person.address, person.deleted = None, True
        elif person.address is not None:
            statement = {"state": step, "consent_updated_at": at}
            body = {
                "customer_id": ident,
                "email_address": person.address,
                "email_marketing_consent": statement,
            }
            self.store.hears("customers_email_marketing_consent/update", body, self.minute + 0.1)
            person.newest = person.here = step

    def _move(self, ident: int, person: Customer, address: str, at: str) -> None:
        body = {
            "id": ident,
            "email": address,
            "first_name": CUSTOMERS[ident],
            "last_name": f"{self.minute}",
            "updated_at": at,
        }
        self.store.hears("customers/update", body, self.minute + 0.1)
        if address != person.address:
            person.here = ""
        person.address = address
        self.had[address].add(ident)


Steps = Sequence[tuple[int, str, bool]]
steps = st.lists(
    st.tuples(
        st.sampled_from(tuple(CUSTOMERS)),
        st.sampled_from((*ADDRESSES, *ADDRESSES, "subscribed", "subscribed", "unsubscribed", "deleted")),
        st.booleans(),
    ),
    min_size=2,
    max_size=14,
)


def played(history: Steps, *, prompt: bool) -> Trading:
    """The end of a history; `prompt`: all is delivered before the next step, else where a step says so."""
    trading = Trading()
    for ident, step, delivered in history:
        trading.run_scenario(ident, step)
        if delivered or prompt:
            trading.store.deliver()
    trading.store.deliver()
    return trading


def assert_their_own(trading: Trading) -> None:
    """Each address is what its owner of now made of it, and nobody's is subscribed."""
    for address in ADDRESSES:
        held = trading.store.contacts.get(address)
        word = (held or {}).get("newsletter")
        owner = trading.owner(address)
        if owner is None:
            assert word != "subscribed", f"{address} is nobody's and still subscribed"
            if trading.had[address] and all(trading.people[ident].deleted for ident in trading.had[address]):
                assert held is None, f"{address} is left of customers who were deleted"
            continue
        assert held is not None, f"{address} is {owner}'s and missing"
        assert held["name"] == CUSTOMERS[owner]
        person = trading.people[owner]
        if person.newest == "subscribed" == person.here:
            assert word == "subscribed", f"{owner} subscribed with {address}"
        elif person.newest != "subscribed":
            assert word != "subscribed", f"{owner} never said so of {address}, or withdrew it"


@settings(max_examples=200, deadline=None)
@given(steps)
def test_two_customers_who_trade_addresses_keep_what_is_their_own(history: Steps) -> None:
    assert_their_own(played(history, prompt=True))


@settings(max_examples=200, deadline=None)
@example([(3002, BEA, False), (3002, "subscribed", False), (3002, ANA, False), (3001, BEA, False)])
@example([(3002, BEA, False), (3002, "subscribed", False), (3002, "deleted", False), (3001, BEA, False)])
@given(steps)
def test_two_customers_who_trade_addresses_while_it_all_waits_keep_what_is_their_own(history: Steps) -> None:
    assert_their_own(played(history, prompt=False))
