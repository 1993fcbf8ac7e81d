"""How a record ended: what its receipt will say."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.deliver.state.key import Key
from pipeline.records import Outcome

#: A reason is a metric label; Connectif's own message is in the detail.
SUPERSEDED = "newer"
#: Of a dead purchase that Connectif answered with failures only.
UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a record ended, before its receipt is written.

    `repaired` names contacts and products that Connectif had lost and that were made again for it; `notes`
    says what was left out when it was sent. The others: see `Receipt`.
    """

    outcome: Outcome
    reason: str
    detail: str = ""
    status: int | None = None
    calls: int = 0
    fingerprint: str = ""
    repaired: tuple[Key, ...] = ()
    notes: tuple[str, ...] = ()
    withdrawn_ms: int | None = None
    unsubscribing_ms: int | None = None
