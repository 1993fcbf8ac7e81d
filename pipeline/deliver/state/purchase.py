"""The orders' claims to one purchase id: the state that waiting versions merge into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import orjson

from pipeline.deliver.state.owners import ERASED, UNNAMED
from pipeline.records import Op, PurchaseRecord, RecordKind

#: Orders kept per purchase id, those with the latest events: renumbering gives a number to another order.
MAX_CLAIMS = 8


class Claim(NamedTuple):
    """One order's claim to the purchase id.

    Attributes:
        version: by the shop's clock; comparable among versions of one order only.
        offset: of the raw event; the later of equal versions counts.
        body: None if the purchase is to be deleted.
        heard: when the event arrived, epoch ms: of two orders, the one with the later event counts.
        trigger: whether its creation may start workflows.
    """

    version: int
    offset: int
    body: dict[str, Any] | None
    heard: int = 0
    trigger: bool = True

    @property
    def order(self) -> tuple[int, int, bytes, int, bool]:
        return self.version, self.offset, _bytes(self.body), self.heard, self.trigger


@dataclass(frozen=True, slots=True)
class PurchaseState:
    """Per order its newest version, whole; an order that is cancelled deletes nothing of another one's.

    Attributes:
        claims: owner (`store|order|id`) -> its claim.
    """

    kind: ClassVar = RecordKind.PURCHASE
    claims: dict[str, Claim]

    @classmethod
    def of(cls, record: PurchaseRecord) -> Self:
        """The state of one record."""
        keep = record.body is not None and record.op not in {Op.RETRACT, Op.ERASE}
        body = record.body.model_dump(mode="json", exclude_none=True) if record.body and keep else None
        owner = f"{record.store}|{record.owner}" if record.owner else UNNAMED
        if record.op is Op.ERASE:
            owner = ERASED
        claim = Claim(record.version, record.source.offset, body, record.received_ms, record.trigger)
        return cls({owner: claim})

    def merge(self, other: Self) -> Self:
        claims = dict(self.claims)
        for owner, claim in other.claims.items():
            known = claims.get(owner)
            claims[owner] = claim if known is None else max(known, claim, key=lambda said: said.order)
        if UNNAMED in claims and len(claims) > 1:
            # Written by a release that named no orders: one of these is the same order, so the newest counts.
            unnamed = claims.pop(UNNAMED)
            if unnamed.version > max(claim.version for claim in claims.values()):
                claims = {UNNAMED: unnamed}
        if len(claims) > MAX_CLAIMS:
            latest = sorted(claims.items(), key=lambda item: (item[1].heard, item[0]))[-MAX_CLAIMS:]
            claims = dict(latest)
        return type(self)(claims)

    @property
    def owner(self) -> str:
        """The order that counts: of those sold, else of all, the one with the latest event."""
        return next(iter(self.claims)) if len(self.claims) == 1 else max(self.claims, key=self._rank)

    @property
    def claim(self) -> Claim:
        """The claim of the order that counts."""
        return self.claims[self.owner]

    @property
    def body(self) -> dict[str, Any] | None:
        """The purchase as it should be; None if it is to be deleted."""
        return self.claim.body

    @property
    def version(self) -> int:
        """The version of `body`."""
        return self.claim.version

    @property
    def erased(self) -> int:
        """The moment of an erasure of its buyer, epoch ms; 0 where there is none."""
        claim = self.claims.get(ERASED)
        return 0 if claim is None else claim.version

    def _rank(self, owner: str) -> tuple[bool, int, int, str]:
        claim = self.claims[owner]
        return claim.body is not None, claim.heard, claim.version, owner

    def to_json(self) -> list[Any]:
        return [{owner: list(claim) for owner, claim in self.claims.items()}]

    @classmethod
    def from_json(cls, data: list[Any]) -> Self:
        if len(data) == 1:
            return cls({owner: Claim(*claim) for owner, claim in data[0].items()})
        version, offset, body = data  # as earlier releases wrote it
        return cls({UNNAMED: Claim(version, offset, body)})


def _bytes(body: dict[str, Any] | None) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
