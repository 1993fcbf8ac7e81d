"""What Connectif was last told, one small value per key.

Hashes stand for values: enough to see that nothing changed, and no second copy of personal data.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pipeline.deliver.merge import OWN, Base, ContactState, canonical
from pipeline.records import RecordKind

#: The fingerprint of what was deleted.
RETRACTED = "retracted"


def digest(value: Any) -> str:
    """8 bytes of hash, as text."""
    return hashlib.blake2b(canonical(value), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class ContactTold:
    """Per field the version and the value's hash; consent in clear, as it is compared by rank and moment.

    `withdrew`: the last unsubscription told, if nothing else was since: when that call began and when it had
    its answer, epoch ms. Connectif dates it in between, whenever the person said it.
    """

    kind: ClassVar = RecordKind.CONTACT
    fields: dict[str, tuple[int, str]] = field(default_factory=dict)
    consent: dict[int, tuple[int, bool]] = field(default_factory=dict)
    retracted: int = 0
    withdrew: tuple[int, int] | None = None

    def is_news(self, name: str, version: int, value: str, *, maybe_sent: bool) -> bool:
        """Whether a field's value is neither older than what was told nor, for certain, the same."""
        told_version, told_digest = self.fields.get(name, (0, ""))
        newest = version > self.retracted and version >= told_version
        return newest and (maybe_sent or digest(value) != told_digest)

    @property
    def newsletter(self) -> str | None:
        """The consent that was told; None where nobody said anything of it."""
        return ContactState(by_email=True, consent=self.consent).word

    def lost(self) -> ContactTold:
        """What is known of one that was made again: its fields are gone, and nothing that was said is."""
        return ContactTold(consent=self.consent, retracted=self.retracted)

    def with_consent(self, state: ContactState) -> ContactState:
        """What both say of consent."""
        said = ContactState(state.by_email, consent=state.consent, retracted=self.retracted)
        return said.merge(ContactState(state.by_email, consent=self.consent))

    def to_json(self) -> list[Any]:
        consent = [[rank, *said] for rank, said in self.consent.items()]
        return [self.fields, consent, self.retracted, *([self.withdrew] if self.withdrew else [])]

    @classmethod
    def from_json(cls, data: list[Any]) -> ContactTold:
        fields, consent, retracted, *withdrew = data
        return cls(
            {name: (version, told) for name, (version, told) in fields.items()},
            {rank: (moment, unsubscribed) for rank, moment, unsubscribed in consent},
            retracted,
            tuple(withdrew[0]) if withdrew else None,
        )


@dataclass(frozen=True, slots=True)
class ProductTold:
    """The statement told whole, and the single fields told after it.

    Attributes:
        rank: whether it was the product's own event, or only a stub from orders.
        version: its version.
        fingerprint: of its fields; `RETRACTED` where the product was deleted.
        overlay: name -> (version, hash) of the fields changed since.
    """

    kind: ClassVar = RecordKind.PRODUCT
    rank: int
    version: int
    fingerprint: str
    overlay: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def gone(self) -> bool:
        """Whether Connectif was told to delete it."""
        return self.fingerprint == RETRACTED

    def takes(self, base: Base) -> bool:
        """Whether a whole statement counts more than the one told: no stub does for a known product."""
        if base.rank != OWN:
            return self.gone
        return self.rank != OWN or base.version >= self.version

    def to_json(self) -> list[Any]:
        return [self.rank, self.version, self.fingerprint, self.overlay]

    @classmethod
    def from_json(cls, data: list[Any]) -> ProductTold:
        rank, version, fingerprint, overlay = data
        return cls(rank, version, fingerprint, {name: (v, h) for name, (v, h) in overlay.items()})


@dataclass(frozen=True, slots=True)
class PurchaseTold:
    """The purchase as a whole; `fingerprint` is `RETRACTED` once it was deleted."""

    kind: ClassVar = RecordKind.PURCHASE
    version: int
    fingerprint: str

    def to_json(self) -> list[Any]:
        return [self.version, self.fingerprint]

    @classmethod
    def from_json(cls, data: list[Any]) -> PurchaseTold:
        return cls(*data)


@dataclass(frozen=True, slots=True)
class CouponTold:
    """That the code was imported."""

    kind: ClassVar = RecordKind.COUPON

    def to_json(self) -> list[Any]:
        return []

    @classmethod
    def from_json(cls, data: list[Any]) -> CouponTold:
        return cls(*data)


Told = ContactTold | ProductTold | PurchaseTold | CouponTold
_TOLD: dict[RecordKind, type[Told]] = {
    RecordKind.CONTACT: ContactTold,
    RecordKind.PRODUCT: ProductTold,
    RecordKind.PURCHASE: PurchaseTold,
    RecordKind.COUPON: CouponTold,
}


def told_from_json(kind: RecordKind, data: list[Any]) -> Told:
    """What `to_json` wrote."""
    return _TOLD[kind].from_json(data)
