"""Two versions of one record -> one, so that waiting records of a key cost one call together.

Each state is a join semilattice: `merge` is commutative, associative and idempotent, so neither the order of
arrival nor a repeat after a crash changes what Connectif ends up with. Values are JSON values, as the
records' `model_dump(mode="json")` gives them; what says nothing (None, empty) is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import orjson

from pipeline.records import (
    ContactRecord,
    CouponRecord,
    Op,
    Origin,
    ProductRecord,
    PurchaseRecord,
    Record,
    RecordKind,
)

#: Who is believed: the element's own event over an order that names it in passing.
OWN, SEEN = 1, 0


def rank_of(origin: Origin) -> int:
    """`OWN` for the element's own event, `SEEN` for an order's mention."""
    return SEEN if origin is Origin.ORDER else OWN


def canonical(value: Any) -> bytes:
    """Equal values have equal bytes; used to break ties and to hash."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class ContactState:
    """What shops say of a person, field by field: the newest version wins, then the customer's own word.

    Consent is ordered apart from it: per rank the newest statement, an unsubscription winning ties; the
    customer's own statement is believed over any order's, however new.

    Attributes:
        by_email: whether the contact is found by e-mail, or by external id.
        fields: name -> (version, rank, value).
        consent: rank -> (moment in epoch ms, whether it is an unsubscription).
        retracted: version of the newest deletion, 0 for none; older fields are gone with it.
    """

    kind: ClassVar = RecordKind.CONTACT
    by_email: bool
    fields: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    consent: dict[int, tuple[int, bool]] = field(default_factory=dict)
    retracted: int = 0

    @classmethod
    def of(cls, record: ContactRecord) -> Self:
        """The state one record makes. Consent that has no moment of its own is as old as the record."""
        body, rank = record.body, rank_of(record.origin)
        by_email = bool(body.email)
        if record.op is Op.RETRACT:
            return cls(by_email, retracted=record.version)
        values: dict[str, str | None] = {
            "external_id": body.external_id if by_email else None,
            "name": body.name,
            "surname": body.surname,
            "birthdate": body.birthdate,
            "mobile_phone": body.mobile_phone,
            **{f"custom.{name}": value for name, value in body.custom.items()},
        }
        fields = {name: (record.version, rank, value) for name, value in values.items() if value}
        consent = {}
        if body.newsletter is not None:
            moment = record.version if body.newsletter_ms is None else body.newsletter_ms
            consent[rank] = (moment, body.newsletter == "unsubscribed")
        return cls(by_email, fields, consent)

    def merge(self, other: Self) -> Self:
        retracted = max(self.retracted, other.retracted)
        return type(self)(
            self.by_email or other.by_email,
            {k: v for k, v in _newest(self.fields, other.fields).items() if v[0] > retracted},
            {k: v for k, v in _newest(self.consent, other.consent).items() if v[0] > retracted},
            retracted,
        )

    @property
    def newsletter(self) -> tuple[int, int, bool] | None:
        """The statement that counts, as (rank, moment, unsubscribed); None where nobody made one."""
        if not self.consent:
            return None
        rank = max(self.consent)
        return (rank, *self.consent[rank])

    @property
    def word(self) -> str | None:
        """The statement that counts, as Connectif is told it."""
        counts = self.newsletter
        return None if counts is None else "unsubscribed" if counts[2] else "subscribed"

    def to_json(self) -> list[Any]:
        consent = [[rank, *statement] for rank, statement in self.consent.items()]
        return [self.by_email, self.fields, consent, self.retracted]

    @classmethod
    def from_json(cls, data: list[Any]) -> Self:
        by_email, fields, consent, retracted = data
        return cls(
            by_email,
            {name: (version, rank, value) for name, (version, rank, value) in fields.items()},
            {rank: (moment, unsubscribed) for rank, moment, unsubscribed in consent},
            retracted,
        )


@dataclass(frozen=True, slots=True)
class Base:
    """A product as one event states it whole: the catalogue's word beats any stub, then the newest wins.

    `fields` is None where the product is to be deleted.
    """

    rank: int
    version: int
    fields: dict[str, Any] | None

    @property
    def order(self) -> tuple[int, int, bool, bytes]:
        return self.rank, self.version, self.fields is None, canonical(self.fields)


@dataclass(frozen=True, slots=True)
class ProductState:
    """A product: the statement that counts, and single fields changed since (`PATCH`, `HIDE`).

    Attributes:
        base: None where only single fields are known; they reach Connectif only if it knows the product.
        overlay: name -> (version, value).
    """

    kind: ClassVar = RecordKind.PRODUCT
    base: Base | None
    overlay: dict[str, tuple[int, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, record: ProductRecord) -> Self:
        """The state one record makes."""
        given = record.body.model_dump(mode="json", exclude_none=True, exclude={"product_id"})
        fields = {name: value for name, value in given.items() if value not in ("", [])}
        if record.op in (Op.PATCH, Op.HIDE):
            return cls(None, {name: (record.version, value) for name, value in fields.items()})
        whole = None if record.op is Op.RETRACT else fields
        return cls(Base(rank_of(record.origin), record.version, whole))

    def merge(self, other: Self) -> Self:
        bases = [base for base in (self.base, other.base) if base is not None]
        base = max(bases, key=lambda base: base.order, default=None)
        overlay = {
            name: max(change, other.overlay.get(name, change), key=_change_order)
            for name, change in (other.overlay | self.overlay).items()
        }
        if base is not None and base.rank == OWN:
            overlay = {name: change for name, change in overlay.items() if change[0] > base.version}
        return type(self)(base, overlay)

    @property
    def op(self) -> Op:
        """UPSERT where it can be created from this, RETRACT where it is to go, else PATCH."""
        if self.base is None:
            return Op.PATCH
        return Op.RETRACT if self.base.fields is None else Op.UPSERT

    @property
    def fields(self) -> dict[str, Any]:
        """What Connectif is to hold."""
        base = (self.base.fields if self.base is not None else None) or {}
        return base | {name: value for name, (_, value) in self.overlay.items()}

    def to_json(self) -> list[Any]:
        base = self.base and [self.base.rank, self.base.version, self.base.fields]
        return [base, self.overlay]

    @classmethod
    def from_json(cls, data: list[Any]) -> Self:
        base, overlay = data
        changes = {name: (version, value) for name, (version, value) in overlay.items()}
        return cls(base and Base(*base), changes)


@dataclass(frozen=True, slots=True)
class PurchaseState:
    """A purchase: the newest version counts whole, ties go to the later raw event.

    `body` is None where the purchase is to go.
    """

    kind: ClassVar = RecordKind.PURCHASE
    version: int
    offset: int
    body: dict[str, Any] | None

    @classmethod
    def of(cls, record: PurchaseRecord) -> Self:
        """The state one record makes."""
        keep = record.body is not None and record.op is not Op.RETRACT
        body = record.body.model_dump(mode="json", exclude_none=True) if record.body and keep else None
        return cls(record.version, record.source.offset, body)

    def merge(self, other: Self) -> Self:
        return max(self, other, key=lambda state: (state.version, state.offset, canonical(state.body)))

    def to_json(self) -> list[Any]:
        return [self.version, self.offset, self.body]

    @classmethod
    def from_json(cls, data: list[Any]) -> Self:
        return cls(*data)


@dataclass(frozen=True, slots=True)
class CouponState:
    """A code for a coupon set; it never changes."""

    kind: ClassVar = RecordKind.COUPON
    coupon_set_id: str
    code: str

    @classmethod
    def of(cls, record: CouponRecord) -> Self:
        """The state one record makes."""
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
    """The state one record makes."""
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


def _newest(one: dict[Any, Any], two: dict[Any, Any]) -> dict[Any, Any]:
    return {key: max(value, two.get(key, value)) for key, value in (two | one).items()}


def _change_order(change: tuple[int, Any]) -> tuple[int, bytes]:
    return change[0], canonical(change[1])
