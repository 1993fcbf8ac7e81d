"""A shop's `subscribed` against what Connectif itself knows. Pure.

People unsubscribe in Connectif's own mails, and no shop hears of it. So what says `subscribed` counts from
the moment it was given, and Connectif is asked before one that is not fresh is sent (docs/adr/0009).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeGuard

from pipeline.deliver.state.commands import Command, PutContact
from pipeline.deliver.state.contact import ContactState, statement_of
from pipeline.deliver.state.entry import Waiting
from pipeline.deliver.state.last_sent import LastSentContact
from pipeline.events import Lane

SUBSCRIBED, UNSUBSCRIBED = "subscribed", "unsubscribed"
#: On a receipt: `subscribed` was left out, as Connectif knows of a withdrawal that is not older.
WITHDRAWN = "consent_withdrawn_in_connectif"
#: On a receipt: `subscribed` was left out, as a withdrawal came in while Connectif was asked.
OVERTAKEN = "consent_overtaken"
STATUS, DATE = "_newsletterSubscriptionStatus", "_emailLastUnsubscribedDate"
#: The shop's clock and Connectif's may differ by so much: a withdrawal up to this much older still counts.
CLOCKS_MS = 5_000


@dataclass(frozen=True, slots=True)
class Said:
    """What Connectif says of a person's consent.

    Attributes:
        status: subscribed, unsubscribed, none; empty where it does not say.
        withdrawn_ms: when the person last withdrew, epoch ms; None: never, or not known when.
    """

    status: str
    withdrawn_ms: int | None = None


#: Of somebody whom Connectif does not know.
NOBODY = Said("")


def read_said(contact: Mapping[str, Any]) -> Said:
    """What a contact says, as GET, PATCH or an export shows it; a date nobody can read is one not known."""
    status, date = str(contact.get(STATUS) or "").casefold(), contact.get(DATE)
    if not date:
        return Said(status)
    try:
        moment = datetime.fromisoformat(str(date))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return Said(status, int(moment.timestamp() * 1_000))
    except (ValueError, OverflowError):
        return Said(UNSUBSCRIBED)


def sends_subscribed(command: Command) -> TypeGuard[PutContact]:
    """Whether a verdict tells `subscribed`."""
    return isinstance(command, PutContact) and (command.fields or {}).get("newsletter") == SUBSCRIBED


def moment_of(last_sent: LastSentContact | None, waiting: Waiting, command: Command) -> int | None:
    """When the `subscribed` that a command sends was given, epoch ms; None where it sends none.

    Nothing is given after it was received: a shop's clock that runs ahead beats no withdrawal.
    """
    state = waiting.state
    if not sends_subscribed(command) or not isinstance(state, ContactState):
        return None
    known = last_sent or LastSentContact()
    if command.delete_first:
        known = LastSentContact(owners=known.owners)
    said = statement_of(known.with_consent(state))
    return None if said is None else min(said[1], waiting.stamp.received_ms)


def is_fresh(moment: int, waiting: Waiting, now_ms: int, bound: float, *, doubtful: bool) -> bool:
    """Whether a `subscribed` may be sent unasked.

    Where it lies ahead of our clock, that one was set back, and how old it is is not known.

    Args:
        moment: when it was given, epoch ms.
        waiting: its record.
        now_ms: epoch ms.
        bound: how old it may be, in seconds.
        doubtful: whether it may have been sent before without our knowing: the person may have left since.
    """
    live = not waiting.quiet and waiting.lane is not Lane.BACKFILL
    return live and not doubtful and abs(now_ms - moment) <= bound * 1_000


def withdrawal(said: Said, moment: int, ours: tuple[int, int] | None) -> int | None:
    """Since when the person has withdrawn, where that counts more than a `subscribed`; None: it may be sent.

    An unsubscription wins a tie of seconds, and what the clocks may differ by.

    Args:
        said: by Connectif.
        moment: when `subscribed` was given, epoch ms.
        ours: between which moments we sent an unsubscription, which it dates itself: that
            one is the shop's word, which is older than `subscribed`.
    """
    if said.withdrawn_ms is None:
        return moment if said.status == UNSUBSCRIBED and ours is None else None
    if ours is not None and _within(said.withdrawn_ms, ours):
        return None
    later = said.withdrawn_ms // 1_000 >= (moment - CLOCKS_MS) // 1_000
    return max(said.withdrawn_ms, moment) if later else None


def known_withdrawal(last_sent: LastSentContact | None, moment: int) -> int | None:
    """As `withdrawal`, by what Connectif was seen to know before: its date may be another one by now."""
    left_ms = 0 if last_sent is None else last_sent.left_ms
    return withdrawal(Said(UNSUBSCRIBED, left_ms), moment, None) if left_ms else None


def left_before(said: Said, ours: tuple[int, int] | None) -> int | None:
    """When the person withdrew in Connectif, epoch ms; None: never, or it is a withdrawal that we sent."""
    if said.withdrawn_ms is None or (ours is not None and _within(said.withdrawn_ms, ours)):
        return None
    return said.withdrawn_ms


def is_of_an_order(
    last_sent: LastSentContact | None, moment: int, said: Said, ours: tuple[int, int] | None
) -> bool:
    """Whether we sent `subscribed` for an order's word that counts no more, as the customer said it before.

    Args:
        last_sent: what was last sent.
        moment: when the `subscribed` that counts was given, epoch ms: a newer one sent is an order's.
        said: by Connectif: who left after the order's word too, and is subscribed, is so by another hand.
        ours: see `withdrawal`.
    """
    before = None if last_sent is None else statement_of(last_sent.consent)
    if before is None or before[2] or before[1] <= moment:
        return False
    return withdrawal(said, before[1], ours) is None


def _within(moment: int, ours: tuple[int, int]) -> bool:
    """Whether a date lies in a call of ours; where clocks differ it does not, and a withdrawal is safer."""
    begins = ours[0] if moment % 1_000 else ours[0] - ours[0] % 1_000
    return begins <= moment <= ours[1]


def without_consent(command: PutContact, said: Said, *, may_be_sent: bool) -> PutContact:
    """The command without its `subscribed`.

    Where one that does not count may have been sent before, and Connectif has it so, the withdrawal is sent.
    """
    fields = {name: value for name, value in (command.fields or {}).items() if name != "newsletter"}
    if may_be_sent and said.status == SUBSCRIBED:
        fields["newsletter"] = UNSUBSCRIBED
    return PutContact(fields, command.delete_first)


def remembered(
    last_sent: LastSentContact, *, withdrawn_ms: int | None, unsubscribing_ms: int | None, at_ms: int
) -> LastSentContact:
    """What is known of a contact once a receipt is read.

    Args:
        last_sent: with the record on it.
        withdrawn_ms: the withdrawal that Connectif knew of: from here on only a newer statement is news, and
            no older one of the customer's counts against it, whatever an order says meanwhile.
        unsubscribing_ms: when the call began that sent an unsubscription, if one did.
        at_ms: when it had its answer.
    """
    if withdrawn_ms is not None:
        consent = {rank: max(said, (withdrawn_ms, True)) for rank, said in last_sent.consent.items()}
        last_sent = replace(last_sent, consent=consent, left_ms=max(last_sent.left_ms, withdrawn_ms))
    return last_sent if unsubscribing_ms is None else replace(last_sent, withdrew=(unsubscribing_ms, at_ms))
