"""What shops say of a person, of one address in Connectif: the state that waiting versions merge into."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from pipeline.deliver.state.owners import ERASED, NOBODY, UNNAMED, Owners
from pipeline.records import ContactRecord, Op, Origin, RecordKind

#: Which statement counts more: the entity's own event, or an order that mentions it.
OWN, SEEN = 1, 0

#: Rank -> (moment in epoch ms, whether it is an unsubscription).
Consent = dict[int, tuple[int, bool]]


def rank_of(origin: Origin) -> int:
    """`OWN` for the entity's own event, `SEEN` for an order's mention."""
    return SEEN if origin is Origin.ORDER else OWN


@dataclass(frozen=True, slots=True)
class ContactState:
    """Field by field the newest version wins; of equal versions, the customer's own statement.

    Consent is ordered separately: per rank the newest statement, an unsubscription winning ties; the
    customer's own statement counts more than any order's, however new.

    Attributes:
        by_email: whether the contact is identified by e-mail, or by external id.
        fields: name -> (version, rank, value), deleted ones too: which count is decided when they are sent.
        consent: rank -> statement, as with `fields`.
        owners: the customers of the address, those who have left it, and those deleted.
        heard: rank -> statement, of those in `consent` that Connectif itself made.
    """

    kind: ClassVar = RecordKind.CONTACT
    by_email: bool
    fields: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    consent: Consent = field(default_factory=dict)
    owners: Owners = NOBODY
    heard: Consent = field(default_factory=dict)

    @classmethod
    def of(cls, record: ContactRecord) -> Self:
        """The state of one record. Consent without a moment of its own has the record's version."""
        body, rank, version = record.body, rank_of(record.origin), record.version
        by_email = bool(body.email)
        owner = f"{record.store}|{record.owner}" if record.owner else UNNAMED
        moment = version if body.newsletter_ms is None else body.newsletter_ms
        if record.op is Op.ERASE:
            return cls(by_email, owners=Owners(gone={ERASED: version}))
        if record.op is Op.RETRACT:
            return cls(by_email, owners=Owners(gone={owner: version}))
        if record.op is Op.PATCH:
            return cls(by_email, owners=Owners(left={owner: moment}))
        if record.heard:
            said_there = {rank: (moment, body.newsletter == "unsubscribed")}
            return cls(by_email, consent=said_there, heard=said_there)
        values: dict[str, str | None] = {
            "external_id": body.external_id if by_email else None,
            "name": body.name,
            "surname": body.surname,
            "birthdate": body.birthdate,
            "mobile_phone": body.mobile_phone,
            **{f"custom.{name}": value for name, value in body.custom.items()},
        }
        fields = {name: (version, rank, value) for name, value in values.items() if value}
        consent = {} if body.newsletter is None else {rank: (moment, body.newsletter == "unsubscribed")}
        claim = (version, 0) if rank == OWN else (0, version)
        said = {owner: moment} if consent and rank == OWN else {}
        return cls(by_email, fields, consent, Owners({owner: claim}, said=said) if owner else NOBODY)

    def merge(self, other: Self) -> Self:
        return type(self)(
            self.by_email or other.by_email,
            newest(self.fields, other.fields),
            newest(self.consent, other.consent),
            self.owners.merge(other.owners),
            newest(self.heard, other.heard),
        )

    @property
    def live_fields(self) -> dict[str, tuple[int, int, str]]:
        """The fields that no deletion took back."""
        retracted = self.owners.retracted
        return {name: value for name, value in self.fields.items() if value[0] > retracted}

    @property
    def erased(self) -> int:
        """The moment of an erasure in it, epoch ms; 0 where there is none."""
        return self.owners.gone.get(ERASED, 0)

    def to_json(self) -> list[Any]:
        consent = [[rank, *statement] for rank, statement in self.consent.items()]
        heard = [[rank, *statement] for rank, statement in self.heard.items()]
        # Rows of most have none, and are written as before.
        return [self.by_email, self.fields, consent, self.owners.to_json(), *([heard] if heard else [])]

    @classmethod
    def from_json(cls, data: list[Any]) -> Self:
        by_email, fields, consent, owners, *rest = data
        return cls(
            by_email,
            {name: (version, rank, value) for name, (version, rank, value) in fields.items()},
            {rank: (moment, unsubscribed) for rank, moment, unsubscribed in consent},
            Owners.from_json(owners),
            {rank: (moment, unsubscribed) for rank, moment, unsubscribed in (rest or [()])[0]},
        )


def consent_of(consent: Consent, owners: Owners) -> Consent:
    """The statements that count: none older than a deletion, nor of owners who left or were deleted."""
    withdrawn, forgotten, retracted = owners.withdrawn, owners.forgotten, owners.retracted
    if withdrawn:
        consent = newest(consent, {OWN: (withdrawn, True)})
    if OWN in consent and consent[OWN][0] <= forgotten:
        consent = {**consent, OWN: (forgotten, True)}
    return {rank: said for rank, said in consent.items() if said[0] > retracted} if retracted else consent


def statement_of(consent: Consent) -> tuple[int, int, bool] | None:
    """The statement that counts, as (rank, moment, unsubscribed); None if there is none."""
    if not consent:
        return None
    rank = max(consent)
    return (rank, *consent[rank])


def word_of(consent: Consent) -> str | None:
    """The statement that counts, as it is sent to Connectif."""
    counts = statement_of(consent)
    return None if counts is None else "unsubscribed" if counts[2] else "subscribed"


def newest(one: dict[Any, Any], two: dict[Any, Any]) -> dict[Any, Any]:
    """The greater value of each key of both."""
    return {key: max(value, two.get(key, value)) for key, value in (two | one).items()}
