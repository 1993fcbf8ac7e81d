"""Why a call is made, or rows wait: the scheduler's decisions with their figures, for `explain`."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Method(enum.Enum):
    """How the waiting rows of one kind and lane are sent."""

    SINGLY = "singly"
    IMPORT = "import"
    WAIT = "wait"  # by the next import, which is not due


class Rule(enum.Enum):
    """The rule that decided."""

    CONFIRMS = "confirms"  # with those that Kafka confirms in a moment, an import costs fewer calls
    FEW = "few"  # an import costs no fewer calls
    FITS = "fits"  # all of it can go before an import would be over
    GATHERS = "gathers"  # the next import shall be larger than what is in flight
    RUNS_DRY = "runs_dry"  # the purchases that are ready will be sent before it is over
    WAITED = "waited"  # as long as it may
    NOT_YET = "not_yet"  # enough purchases are ready
    AGAIN = "again"  # rows of an import that said nothing of them, or of a file that was too large
    NO_OTHER = "no_other"  # coupons go by import only
    LEFT_OVER = "left_over"  # what an import cannot express
    TURN = "turn"  # the oldest purchase that is ready
    WANTED = "wanted"  # nothing else can use the slot, and a purchase waits for it
    SPARE = "spare"  # nothing else can use the slot
    EARLY = "early"  # its contact is in an import that is late


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision and its figures; those that its rule does not use are 0.

    Attributes:
        rule: the rule.
        method: of waiting rows.
        rows: that wait.
        worth: from how many rows on an import costs fewer calls.
        takes: seconds an import of them is expected to take.
        load: calls, if all that waits in this lane and those before it went one by one.
        slots: to be had before an import would be over.
        under_way: rows of this kind and lane in imports.
        ahead: purchases that keep the budget busy until an import would be over.
        ready: purchases that may go, of those checked.
        age: seconds the oldest row has waited.
        patience: seconds it may.
    """

    rule: Rule
    method: Method = Method.SINGLY
    rows: int = 0
    worth: int = 0
    takes: float = 0.0
    load: int = 0
    slots: int = 0
    under_way: int = 0
    ahead: int = 0
    ready: int = 0
    age: float = 0.0
    patience: float = 0.0


AGAIN, NO_OTHER = Decision(Rule.AGAIN, Method.IMPORT), Decision(Rule.NO_OTHER, Method.IMPORT)
LEFT_OVER, TURN = Decision(Rule.LEFT_OVER), Decision(Rule.TURN)
WANTED, SPARE, EARLY = Decision(Rule.WANTED), Decision(Rule.SPARE), Decision(Rule.EARLY)
