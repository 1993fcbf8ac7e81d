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
        gone: owner -> version of its deletion. Counts while no other owner has named the address since, and
            after that against its own statements.
    """

    claims: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    left: Mapping[str, int] = field(default_factory=dict)
    gone: Mapping[str, int] = field(default_factory=dict)

    def merge(self, other: Self) -> Self:
        """The statements of both."""
        if not other.claims and not other.left and not other.gone:
            return self
        claims = {**self.claims}
        for owner, (own, passing) in other.claims.items():
            known = claims.get(owner, (0, 0))
            claims[owner] = max(own, known[0]), max(passing, known[1])
        if len(claims) > MAX_OWNERS:
            newest = sorted(claims.items(), key=lambda item: (max(item[1]), item[0]))[-MAX_OWNERS:]
            claims = dict(newest)
        return type(self)(claims, _newest(self.left, other.left), _newest(self.gone, other.gone))

    def without(self, owner: str) -> Self:
        """The statements of the others."""
        return type(self)(
            {name: said for name, said in self.claims.items() if name != owner},
            {name: said for name, said in self.left.items() if name != owner},
            {name: said for name, said in self.gone.items() if name != owner},
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
        said = ((self.claims.get(owner, (0, 0))[0], version) for owner, version in self.gone.items())
        return max((own for own, version in said if own <= version), default=0)

    def _is_anothers(self, owner: str) -> bool:
        """Whether another owner, who is not deleted, named the address after this one did."""
        if owner in {UNNAMED, ERASED}:
            return False
        since = max(self.claims.get(owner, (0, 0)))
        return any(
            max(claim) >= since and max(claim) > self.gone.get(other, 0)
            for other, claim in self.claims.items()
            if other != owner
        )

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
        return [self.claims, self.left, self.gone] if self.claims or self.left or self.gone else []

    @classmethod
    def from_json(cls, data: list[Any] | int) -> Self:
        """What `to_json` wrote, or the version of a deletion, as earlier releases wrote it."""
        if isinstance(data, int):
            return cls(gone={UNNAMED: data} if data else {})
        if not data:
            return cls()
        claims, left, gone = data
        return cls({owner: (own, passing) for owner, (own, passing) in claims.items()}, left, gone)


def _newest(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, int]:
    return {owner: max(one.get(owner, 0), two.get(owner, 0)) for owner in {**one, **two}}


NOBODY = Owners()
