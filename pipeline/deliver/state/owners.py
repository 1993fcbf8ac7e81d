"""The owners of an address: a customer changes to another address, and another customer gets the old one.

A contact in Connectif is an address, a customer in a shop is a person. What a customer's event says of an
address the customer has left, or of a deleted customer's addresses, counts only while no other owner has
named the address since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

#: Owners kept per address, those that named it last: families and call centres share one.
MAX_OWNERS = 16

#: The owner of records of earlier releases, which name none.
UNNAMED = ""
#: The owner whose deletion is an erasure: no store's owner is named so, and nobody's claim stands against it.
ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Owners:
    """The statements of the owners of one address; a join semilattice like the states it is part of.

    Attributes:
        claims: owner -> newest version at which its own event named the address, and at which its order did.
        left: owner -> moment (epoch ms) at which it withdrew its consent or left the address. Counts while
            the owner has not named the address since; only against its own statements once another has.
        gone: owner -> version of its deletion. Counts while no other owner has named the address since, nor
            has it at the same time; and after that against its own statements.
        said: owner -> newest moment (epoch ms) at which it said something of newsletters by its own event.
    """

    claims: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    left: Mapping[str, int] = field(default_factory=dict)
    gone: Mapping[str, int] = field(default_factory=dict)
    said: Mapping[str, int] = field(default_factory=dict)

    def merge(self, other: Self) -> Self:
        """The statements of both."""
        if not other.claims and not other.left and not other.gone and not other.said:
            return self
        claims = {**self.claims}
        for owner, (own, passing) in other.claims.items():
            known = claims.get(owner, (0, 0))
            claims[owner] = max(own, known[0]), max(passing, known[1])
        if len(claims) > MAX_OWNERS:
            newest = sorted(claims.items(), key=lambda item: (max(item[1]), item[0]))[-MAX_OWNERS:]
            claims = dict(newest)
        said = _newest(self.said, other.said)
        said = {owner: moment for owner, moment in said.items() if owner in claims}
        return type(self)(claims, _newest(self.left, other.left), _newest(self.gone, other.gone), said)

    def without(self, owner: str) -> Self:
        """The statements of the others."""
        return type(self)(
            {name: claim for name, claim in self.claims.items() if name != owner},
            {name: moment for name, moment in self.left.items() if name != owner},
            {name: version for name, version in self.gone.items() if name != owner},
            {name: moment for name, moment in self.said.items() if name != owner},
        )

    @property
    def retracted(self) -> int:
        """Version of the newest deletion that counts, 0 for none: what is older is deleted with it."""
        if not self.gone:
            return 0
        return max(
            (version for owner, version in self.gone.items() if not self._is_anothers(owner)), default=0
        )

    @property
    def withdrawn(self) -> int:
        """Moment up to which owners who left the address have withdrawn consent; 0 for none."""
        if not self.left:
            return 0
        return max((self._withdrawn_by(owner, moment) for owner, moment in self.left.items()), default=0)

    @property
    def forgotten(self) -> int:
        """Moment of the latest statement of a deleted owner about the address; 0 for none."""
        if not self.gone:
            return 0
        return max(
            (
                self.said.get(owner, 0)
                for owner, version in self.gone.items()
                if self.claims.get(owner, (0, 0))[0] <= version
            ),
            default=0,
        )

    def _is_anothers(self, owner: str) -> bool:
        """Whether another owner, who is not deleted, named the address after this one did, or has it as well.

        A shop of several websites has one person as several customers, each with the same address.
        """
        if owner in {UNNAMED, ERASED}:
            return False
        since = max(self.claims.get(owner, (0, 0)))
        return any(
            (max(claim) >= since and max(claim) > self.gone.get(other, 0)) or self._has(other)
            for other, claim in self.claims.items()
            if other != owner
        )

    def _has(self, owner: str) -> bool:
        """Whether the customer named the address itself, and has neither left it since nor is gone."""
        own = self.claims[owner][0]
        return own > max(self.gone.get(owner, 0), self.left.get(owner, 0))

    def _withdrawn_by(self, owner: str, moment: int) -> int:
        """The moment of the owner's withdrawal; 0 if the owner named the address again.

        Once another customer has named the address after it, it withdraws only the owner's own statements:
        the other customer keeps its own.
        """
        own = self.claims.get(owner, (0, 0))[0]
        if own > moment:
            return 0
        followed = any(claim > own for other, (claim, _) in self.claims.items() if other != owner)
        return own if followed else moment

    def to_json(self) -> list[Any]:
        """As stored; empty if nothing is known."""
        known = self.claims or self.left or self.gone
        return [self.claims, self.left, self.gone, self.said] if known else []

    @classmethod
    def from_json(cls, data: list[Any] | int) -> Self:
        """What `to_json` wrote, or the version of a deletion, as earlier releases wrote it."""
        if isinstance(data, int):
            return cls(gone={UNNAMED: data} if data else {})
        if not data:
            return cls()
        claims, left, gone, *said = data
        # Earlier releases did not say when an owner spoke of newsletters: perhaps whenever it spoke.
        spoke = said[0] if said else {owner: own for owner, (own, _) in claims.items() if own}
        return cls({owner: (own, passing) for owner, (own, passing) in claims.items()}, left, gone, spoke)


def _newest(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, int]:
    return {owner: max(one.get(owner, 0), two.get(owner, 0)) for owner in {**one, **two}}


NOBODY = Owners()
