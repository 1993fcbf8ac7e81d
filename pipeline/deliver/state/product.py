"""A shop's statements about one product: the state that waiting versions merge into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import orjson

from pipeline.deliver.state.contact import OWN, rank_of
from pipeline.deliver.state.owners import UNNAMED
from pipeline.records import Op, Origin, ProductRecord, RecordKind


def canonical(value: Any) -> bytes:
    """Equal values have equal bytes; used to break ties and to hash."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class Base:
    """A whole statement of a product: the catalogue's counts more than any stub, then the newest.

    `fields` is None if the product is to be deleted. `owner` is the shop's product that made the statement; a
    variant may move from one product to another, which owns it then.
    """

    rank: int
    version: int
    fields: dict[str, Any] | None
    owner: str = UNNAMED

    @property
    def order(self) -> tuple[int, int, bool, bytes, str]:
        return self.rank, self.version, self.fields is None, canonical(self.fields), self.owner


def is_anothers(owner: str, base: Base | None) -> bool:
    """Whether a deletion or `HIDE` by `owner` names a product id that another product owns by now."""
    return (
        base is not None
        and base.rank == OWN
        and base.fields is not None
        and UNNAMED not in {owner, base.owner}
        and base.owner != owner
    )


@dataclass(frozen=True, slots=True)
class ProductState:
    """A product: the statement that counts, and single fields changed since (`PATCH`, `HIDE`).

    Attributes:
        base: None if only single fields are known; they are sent only if Connectif has the product.
        overlay: (name, owner if only the owner may change it) -> (version, value). Which changes count is
            decided when they are sent.
    """

    kind: ClassVar = RecordKind.PRODUCT
    base: Base | None
    overlay: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, record: ProductRecord) -> Self:
        """The state of one record."""
        given = record.body.model_dump(mode="json", exclude_none=True, exclude={"product_id"})
        fields = {name: value for name, value in given.items() if value not in ("", [])}
        owner = (
            f"{record.store}|{record.owner}"
            if record.owner and record.origin is Origin.CATALOGUE
            else UNNAMED
        )
        if record.op in (Op.PATCH, Op.HIDE):
            whose = owner if record.op is Op.HIDE else UNNAMED
            return cls(None, {(name, whose): (record.version, value) for name, value in fields.items()})
        whole = None if record.op is Op.RETRACT else fields
        return cls(Base(rank_of(record.origin), record.version, whole, owner))

    def merge(self, other: Self) -> Self:
        bases = sorted(
            (base for base in (self.base, other.base) if base is not None), key=lambda base: base.order
        )
        base = bases[-1] if bases else None
        if base is not None and base.fields is None and is_anothers(base.owner, bases[0]):
            base = bases[0]
        overlay = {
            key: max(change, other.overlay.get(key, change), key=_change_order)
            for key, change in (other.overlay | self.overlay).items()
        }
        if base is not None and base.rank == OWN:
            overlay = {
                key: change
                for key, change in overlay.items()
                if change[0] > base.version and not is_anothers(key[1], base)
            }
        return type(self)(base, overlay)

    def changes(self, is_anothers: Callable[[str], bool]) -> dict[str, tuple[int, Any]]:
        """Name -> (version, value) of the newest change of each field, without those of other owners."""
        found: dict[str, tuple[int, Any]] = {}
        for (name, owner), change in self.overlay.items():
            if not is_anothers(owner):
                found[name] = max(change, found.get(name, change), key=_change_order)
        return found

    @property
    def op(self) -> Op:
        """UPSERT if it can be created from this, RETRACT if it is to be deleted, else PATCH."""
        if self.base is None:
            return Op.PATCH
        return Op.RETRACT if self.base.fields is None else Op.UPSERT

    @property
    def fields(self) -> dict[str, Any]:
        """What Connectif is to hold."""
        base = (self.base.fields if self.base is not None else None) or {}
        changes = self.changes(lambda owner: is_anothers(owner, self.base))
        return base | {name: value for name, (_, value) in changes.items()}

    def to_json(self) -> list[Any]:
        base = self.base and [self.base.rank, self.base.version, self.base.fields, self.base.owner]
        return [base, [[*key, *change] for key, change in self.overlay.items()]]

    @classmethod
    def from_json(cls, data: list[Any]) -> Self:
        base, overlay = data
        if isinstance(overlay, dict):  # by name alone, as earlier releases wrote it
            overlay = [
                [name, *(owner or [UNNAMED]), version, value]
                for name, (version, value, *owner) in overlay.items()
            ]
        changes = {(name, owner): (version, value) for name, owner, version, value in overlay}
        return cls(base and Base(*base), changes)


def _change_order(change: tuple[int, Any]) -> tuple[int, bytes]:
    return change[0], canonical(change[1])
