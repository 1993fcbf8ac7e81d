"""Whose a purchase id is, of orders that claim it at the same time. Pure.

Some shops give one number to two orders: each store view of an installation has numbers of its own, or a
reference is of a whole cart. The order that was told first keeps the id. One that had another id before was
renumbered by the shop, and takes the id over: `PurchaseState` says which of those counts.
"""

from __future__ import annotations

from pipeline.deliver.state.entry import Entry, Waiting
from pipeline.deliver.state.last_sent import RETRACTED, LastSent, LastSentPurchase
from pipeline.deliver.state.owners import UNNAMED
from pipeline.deliver.state.purchase import Claim, PurchaseState

#: The reason of the dead letter: a metric's label.
TAKEN = "purchase_id_taken"
TAKEN_DETAIL = "another order of the shop was told under this purchase id before"


def holder_of(new: Waiting, entry: Entry, last_sent: LastSent | None) -> str | None:
    """The order that has the purchase id, where a new record is of another one; None where it is free.

    Args:
        new: a record as it came.
        entry: what waits under its id.
        last_sent: what was last sent under it.
    """
    if not isinstance(new.state, PurchaseState):
        return None
    [(owner, claim)] = new.state.claims.items()
    if owner == UNNAMED or claim.body is None or not claim.trigger:
        return None
    claims = _claims(entry)
    was = (
        last_sent if isinstance(last_sent, LastSentPurchase) and last_sent.fingerprint != RETRACTED else None
    )
    holders = [other for other, said in claims.items() if said.body is not None]
    if was is not None and was.owner not in claims:
        holders.append(was.owner)
    if not holders or owner in holders or UNNAMED in holders:
        return None
    return holders[0]


def _claims(entry: Entry) -> dict[str, Claim]:
    """What the orders say whose records wait."""
    claims: dict[str, Claim] = {}
    for part in (entry.current, entry.next):
        if part is not None and isinstance(part.state, PurchaseState):
            claims |= part.state.claims
    return claims
