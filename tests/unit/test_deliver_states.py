"""Versions of one key: any order of arrival, with any repeats, gives the same record."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.deliver.state.contact import consent_of, statement_of
from pipeline.deliver.state.owners import Owners
from pipeline.deliver.state.states import (
    OWN,
    SEEN,
    Base,
    Claim,
    ContactState,
    CouponState,
    ProductState,
    PurchaseState,
    State,
    merged,
    state_from_json,
)
from pipeline.records import Op

_versions = st.integers(1, 4)
_ranks = st.sampled_from([SEEN, OWN])
_texts = st.sampled_from(["a", "b"])
_owners = st.sampled_from(["s|customer|1", "s|customer|2", "guest"])
_fields = st.dictionaries(st.sampled_from(["name", "surname"]), _texts, max_size=2)


@st.composite
def _contacts(draw: st.DrawFn) -> ContactState:
    """As one record makes it, or a deletion."""
    version, rank = draw(_versions), draw(_ranks)
    if draw(st.booleans()) and draw(st.booleans()):
        return ContactState(by_email=True, owners=Owners(gone={draw(_owners): version}))
    fields = {name: (version, rank, value) for name, value in draw(_fields).items()}
    said = draw(st.none() | st.tuples(_versions, st.booleans()))
    owner = draw(_owners)
    claim = (version, 0) if rank == OWN else (0, version)
    left = draw(st.none() | _versions)
    owners = Owners({owner: claim}, {} if left is None else {owner: left})
    return ContactState(True, fields, {} if said is None else {rank: said}, owners)


@st.composite
def _products(draw: st.DrawFn) -> ProductState:
    version, fields = draw(_versions), draw(_fields)
    kind = draw(st.sampled_from(["own", "stub", "patch", "delete"]))
    if kind == "patch":
        owner = draw(st.sampled_from(["", "s|product|1", "s|product|2"]))
        return ProductState(None, {(name, owner): (version, value) for name, value in fields.items()})
    if kind == "delete":
        return ProductState(Base(OWN, version, None))
    return ProductState(Base(OWN if kind == "own" else SEEN, version, fields))


def _purchase(
    version: int, offset: int, body: dict[str, Any] | None, owner: str = "s|order|1"
) -> PurchaseState:
    return PurchaseState({owner: Claim(version, offset, body)})


_purchases = st.builds(
    _purchase,
    _versions,
    st.integers(0, 3),
    st.none() | st.fixed_dictionaries({"total_price": _texts}),
    st.sampled_from(["s|order|1", "s|order|2"]),
)
_coupons = st.builds(CouponState, _texts, _texts)
_STATES: list[st.SearchStrategy[Any]] = [_contacts(), _products(), _purchases, _coupons]
_all_kinds = pytest.mark.parametrize("states", _STATES, ids=["contact", "product", "purchase", "coupon"])


@_all_kinds
@given(data=st.data())
def test_neither_order_nor_repeats_matter(states: st.SearchStrategy[Any], data: st.DataObject) -> None:
    versions = data.draw(st.lists(states, min_size=1, max_size=4))
    wanted = _fold(merged, versions)
    for order in itertools.permutations(versions):
        assert _fold(merged, [*order, *order[:1]]) == wanted


@_all_kinds
@given(data=st.data())
def test_the_place_of_the_brackets_does_not_matter(
    states: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    one, two, three = (data.draw(states) for _ in range(3))
    assert merged(merged(one, two), three) == merged(one, merged(two, three))


@_all_kinds
@given(data=st.data())
def test_a_state_survives_its_json(states: st.SearchStrategy[Any], data: st.DataObject) -> None:
    state: State = merged(data.draw(states), data.draw(states))
    assert state_from_json(state.kind, state.to_json()) == state


def test_states_of_two_kinds_do_not_merge() -> None:
    with pytest.raises(TypeError):
        merged(CouponState("s", "c"), _purchase(1, 0, None))


def test_the_newest_value_of_each_field_wins() -> None:
    old = ContactState(True, {"name": (1, OWN, "Ann"), "surname": (1, OWN, "Old")})
    new = ContactState(True, {"name": (2, SEEN, "Anna")})
    both = old.merge(new)
    assert {name: value for name, (_, _, value) in both.fields.items()} == {"name": "Anna", "surname": "Old"}


def test_the_customers_own_consent_is_believed_over_a_newer_order() -> None:
    own, order = ContactState(True, consent={OWN: (1, True)}), ContactState(True, consent={SEEN: (9, False)})
    assert statement_of(own.merge(order).consent) == (OWN, 1, True)


def test_an_unsubscription_wins_a_tie() -> None:
    one, two = ContactState(True, consent={OWN: (5, False)}), ContactState(True, consent={OWN: (5, True)})
    assert statement_of(one.merge(two).consent) == (OWN, 5, True)


def test_a_deletion_takes_older_fields_along_and_leaves_newer_ones() -> None:
    old = ContactState(True, {"name": (1, OWN, "Ann")}, {OWN: (1, False)})
    new = ContactState(True, {"surname": (3, OWN, "Jones")})
    both = old.merge(ContactState(True, owners=Owners(gone={"": 2}))).merge(new)
    assert both.live_fields == {"surname": (3, OWN, "Jones")}
    assert consent_of(both.consent, both.owners) == {}


def test_a_stub_never_changes_what_the_catalogue_says() -> None:
    own = ProductState(Base(OWN, 1, {"name": "Shirt"}))
    stub = ProductState(Base(SEEN, 9, {"name": "shirt?", "is_blacklisted": True}))
    assert own.merge(stub).fields == {"name": "Shirt"}


def test_single_fields_overlay_an_older_whole_and_make_no_product_alone() -> None:
    patch = ProductState(None, {("availability", ""): (2, "outofstock")})
    assert patch.op is Op.PATCH
    both = patch.merge(ProductState(Base(OWN, 1, {"name": "Shirt", "availability": "instock"})))
    assert (both.op, both.fields) == (Op.UPSERT, {"name": "Shirt", "availability": "outofstock"})
    newer = both.merge(ProductState(Base(OWN, 3, {"name": "Shirt", "availability": "instock"})))
    assert newer.fields["availability"] == "instock"


def test_of_two_purchases_of_one_version_the_later_event_counts() -> None:
    early, late = _purchase(1, 5, {"total_price": "1"}), _purchase(1, 6, {"total_price": "2"})
    assert late.merge(early) == late


def _fold(join: Callable[[State, State], State], states: list[State]) -> State:
    result = states[0]
    for state in states[1:]:
        result = join(result, state)
    return result


def test_single_fields_that_earlier_releases_wrote_by_name_alone_are_read() -> None:
    written = [None, {"availability": [2, "outofstock", "s|product|1"], "is_blacklisted": [2, True]}]
    state = ProductState.from_json(written)
    assert state.fields == {"availability": "outofstock", "is_blacklisted": True}
    assert ProductState.from_json(state.to_json()) == state
