"""Merges two versions of one record, so that waiting records of a key cost one call together.

Each state is a join semilattice: `merge` is commutative, associative and idempotent, so neither the order of
arrival nor a repeat after a crash changes what Connectif holds in the end. (But if an id moves between
owners, it also depends on what was sent in between: `owners.py`.) Values are JSON values, as the records'
`model_dump(mode="json")` gives them; None and empty values are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pipeline.deliver.state.contact import OWN, SEEN, ContactState, rank_of
from pipeline.deliver.state.product import Base, ProductState, canonical
from pipeline.deliver.state.purchase import Claim, PurchaseState
from pipeline.records import ContactRecord, CouponRecord, ProductRecord, PurchaseRecord, Record, RecordKind


@dataclass(frozen=True, slots=True)
class CouponState:
    """A code for a coupon set; it never changes."""

    kind: ClassVar = RecordKind.COUPON
    coupon_set_id: str
    code: str

    @classmethod
    def of(cls, record: CouponRecord) -> Self:
        """The state of one record."""
        return cls(record.body.coupon_set_id, record.body.code)

    def merge(self, other: Self) -> Self:
        return max(self, other, key=lambda state: (state.coupon_set_id, state.code))

    def to_json(self) -> list[Any]:
        return [self.coupon_set_id, self.code]

    @classmethod
    def from_json(cls, data: list[Any]) -> Self:
        return cls(*data)


State = ContactState | ProductState | PurchaseState | CouponState


def state_of(record: Record) -> State:
    """The state of one record."""
    match record:
        case ContactRecord():
            return ContactState.of(record)
        case ProductRecord():
            return ProductState.of(record)
        case PurchaseRecord():
            return PurchaseState.of(record)
        case CouponRecord():
            return CouponState.of(record)


def merged(one: State, two: State) -> State:
    """`one.merge(two)` for states of one kind.

    Raises:
        TypeError: they are of different kinds.
    """
    match one, two:
        case (
            (ContactState(), ContactState())
            | (ProductState(), ProductState())
            | (PurchaseState(), PurchaseState())
            | (CouponState(), CouponState())
        ):
            return one.merge(two)  # type: ignore[arg-type]  # the pattern pairs equal types
    raise TypeError(f"a {one.kind} cannot be merged with a {two.kind}")


_STATES: dict[RecordKind, type[State]] = {
    RecordKind.CONTACT: ContactState,
    RecordKind.PRODUCT: ProductState,
    RecordKind.PURCHASE: PurchaseState,
    RecordKind.COUPON: CouponState,
}


def state_from_json(kind: RecordKind, data: list[Any]) -> State:
    """The state `to_json` wrote."""
    return _STATES[kind].from_json(data)


__all__ = [
    "OWN",
    "SEEN",
    "Base",
    "Claim",
    "ContactState",
    "CouponState",
    "ProductState",
    "PurchaseState",
    "State",
    "canonical",
    "merged",
    "rank_of",
    "state_from_json",
    "state_of",
]
