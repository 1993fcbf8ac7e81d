"""What was last sent to Connectif, one small value per key.

Hashes instead of values: enough to see that nothing changed, and no second copy of personal data.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pipeline.deliver.state.contact import Consent, ContactState, consent_of, newest, word_of
from pipeline.deliver.state.owners import NOBODY, UNNAMED, Owners
from pipeline.deliver.state.product import is_anothers
from pipeline.deliver.state.states import OWN, Base, canonical
from pipeline.records import RecordKind

#: The fingerprint of what was deleted.
RETRACTED = "retracted"


def digest(value: Any) -> str:
    """8 bytes of hash, as text."""
    return hashlib.blake2b(canonical(value), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class LastSentContact:
    """Per field the version and the value's hash; consent in clear, as it is compared by rank and moment.

    Attributes:
        fields: name -> (version, hash).
        consent: the statements sent or found unchanged; a withdrawal for an address that its customer left
            stays in them.
        retracted: version of the newest deletion that Connectif was sent, 0 for none.
        owners: the owners of the address.
        withdrew: the last unsubscription sent: when that call began and when it had its answer, epoch ms.
            Connectif dates it in between, whenever the person unsubscribed, and keeps that date.
        left_ms: the newest withdrawal that Connectif ever showed, epoch ms; 0 for none. An order's newer
            statement may have been sent since, and Connectif may have another date by now.
    """

    kind: ClassVar = RecordKind.CONTACT
    fields: dict[str, tuple[int, str]] = field(default_factory=dict)
    consent: Consent = field(default_factory=dict)
    retracted: int = 0
    owners: Owners = NOBODY
    withdrew: tuple[int, int] | None = None
    left_ms: int = 0

    def is_news(self, name: str, version: int, value: str, *, maybe_sent: bool) -> bool:
        """Whether a field's value is neither older than what was sent nor, for certain, the same."""
        sent_version, sent_digest = self.fields.get(name, (0, ""))
        return version >= sent_version and (maybe_sent or digest(value) != sent_digest)

    @property
    def newsletter(self) -> str | None:
        """The consent that was sent; None if there was no statement."""
        return word_of(self.consent)

    def lost(self) -> LastSentContact:
        """What is known of a contact that was made again: its fields are lost, its statements are kept."""
        return LastSentContact(
            consent=self.consent, retracted=self.retracted, owners=self.owners, left_ms=self.left_ms
        )

    def deletion(self, state: ContactState) -> int:
        """The version of a deletion that Connectif is to be sent with a state; 0 where there is none."""
        retracted = self.owners.merge(state.owners).retracted
        return retracted if retracted > self.retracted else 0

    def with_consent(self, state: ContactState) -> Consent:
        """The consent that counts once the state is merged in."""
        return consent_of(newest(self.consent, state.consent), self.owners.merge(state.owners))

    def to_json(self) -> list[Any]:
        consent = [[rank, *said] for rank, said in self.consent.items()]
        return [self.fields, consent, self.retracted, self.owners.to_json(), self.withdrew, self.left_ms]

    @classmethod
    def from_json(cls, data: list[Any]) -> LastSentContact:
        fields, consent, retracted, *rest = data
        # Earlier releases had no owners: a deletion of theirs has none, and counts.
        owners = Owners.from_json(rest[0] if rest else retracted)
        withdrew = rest[1] if len(rest) > 1 else None
        return cls(
            {name: (version, last_sent) for name, (version, last_sent) in fields.items()},
            {rank: (moment, unsubscribed) for rank, moment, unsubscribed in consent},
            retracted,
            owners,
            tuple(withdrew) if withdrew else None,
            rest[2] if len(rest) > 2 else 0,  # noqa: PLR2004 - the third of the fields added later
        )


@dataclass(frozen=True, slots=True)
class LastSentProduct:
    """The whole statement last sent, and the single fields sent after it.

    Attributes:
        rank: whether it was the product's own event, or only a stub from orders.
        version: its version.
        fingerprint: of its fields; `RETRACTED` where the product was deleted.
        overlay: name -> (version, hash) of the fields changed since.
        owner: the shop's product that made the statement.
    """

    kind: ClassVar = RecordKind.PRODUCT
    rank: int
    version: int
    fingerprint: str
    overlay: dict[str, tuple[int, str]] = field(default_factory=dict)
    owner: str = UNNAMED

    @property
    def gone(self) -> bool:
        """Whether it was deleted."""
        return self.fingerprint == RETRACTED

    def takes(self, base: Base) -> bool:
        """Whether a whole statement counts more than the one sent; a stub never does for a known product."""
        if base.rank != OWN:
            return self.gone
        if base.fields is None and self.is_anothers(base.owner):
            return False
        return self.rank != OWN or base.version >= self.version

    def is_anothers(self, owner: str) -> bool:
        """Whether a deletion or `HIDE` by `owner` names a product id that another product owns by now."""
        return not self.gone and is_anothers(owner, Base(self.rank, self.version, {}, self.owner))

    def to_json(self) -> list[Any]:
        return [self.rank, self.version, self.fingerprint, self.overlay, self.owner]

    @classmethod
    def from_json(cls, data: list[Any]) -> LastSentProduct:
        rank, version, fingerprint, overlay, *rest = data
        changes = {name: (v, h) for name, (v, h) in overlay.items()}
        return cls(rank, version, fingerprint, changes, *rest)


@dataclass(frozen=True, slots=True)
class LastSentPurchase:
    """The purchase as a whole.

    Attributes:
        version: by the shop's clock.
        fingerprint: `RETRACTED` once it was deleted, empty where it is not known.
        owner: the order that has this id, or had it.
        heard: when what was sent arrived, epoch ms.
    """

    kind: ClassVar = RecordKind.PURCHASE
    version: int
    fingerprint: str
    owner: str = UNNAMED
    heard: int = 0

    def to_json(self) -> list[Any]:
        return [self.version, self.fingerprint, self.owner, self.heard]

    @classmethod
    def from_json(cls, data: list[Any]) -> LastSentPurchase:
        return cls(*data)


@dataclass(frozen=True, slots=True)
class LastSentCoupon:
    """That the code was imported."""

    kind: ClassVar = RecordKind.COUPON

    def to_json(self) -> list[Any]:
        return []

    @classmethod
    def from_json(cls, data: list[Any]) -> LastSentCoupon:
        return cls(*data)


LastSent = LastSentContact | LastSentProduct | LastSentPurchase | LastSentCoupon
_TOLD: dict[RecordKind, type[LastSent]] = {
    RecordKind.CONTACT: LastSentContact,
    RecordKind.PRODUCT: LastSentProduct,
    RecordKind.PURCHASE: LastSentPurchase,
    RecordKind.COUPON: LastSentCoupon,
}


def last_sent_from_json(kind: RecordKind, data: list[Any]) -> LastSent:
    """What `to_json` wrote."""
    return _TOLD[kind].from_json(data)
