"""A shop's `subscribed` against the consent that Connectif itself has. Pure.

People unsubscribe in Connectif's own mails, and shops are not notified. So a `subscribed` counts from the
moment it was given, and consent is read from Connectif before one that is not fresh is sent (docs/adr/0009).
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
#: On a receipt: `subscribed` was left out, as Connectif has a withdrawal that is not older.
WITHDRAWN = "consent_withdrawn_in_connectif"
#: On a receipt: `subscribed` was left out, as a withdrawal came in while consent was read from Connectif.
OVERTAKEN = "consent_overtaken"
STATUS, DATE = "_newsletterSubscriptionStatus", "_emailLastUnsubscribedDate"
#: The shop's clock and Connectif's may differ by this: a withdrawal up to this much older still counts.
CLOCKS_MS = 5_000


@dataclass(frozen=True, slots=True)
class Said:
    """A person's consent as Connectif has it.

    Attributes:
        status: subscribed, unsubscribed, none; empty where it does not say.
        withdrawn_ms: when the person last withdrew, epoch ms; None: never, or not known when.
    """

    status: str
    withdrawn_ms: int | None = None


#: Of a person who is no contact in Connectif.
NOBODY = Said("")


def read_said(contact: Mapping[str, Any]) -> Said:
    """The consent of a contact, as GET, PATCH or an export shows it; an unreadable date counts as unknown."""
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
    """Whether a command sends `subscribed`."""
    return isinstance(command, PutContact) and (command.fields or {}).get("newsletter") == SUBSCRIBED


def moment_of(last_sent: LastSentContact | None, waiting: Waiting, command: Command) -> int | None:
    """When the `subscribed` that a command sends was given, epoch ms; None where it sends none.

    It is never later than the event's arrival: a shop's clock that runs ahead does not win over a withdrawal.
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
    """Whether a `subscribed` may be sent without reading Connectif's consent first.

    If it lies ahead of our clock, the clock was set back, and its age is not known: it is not fresh.

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
    """When the person withdrew, if that counts more than a `subscribed`; None: `subscribed` may be sent.

    An unsubscription wins within the same second, and within what the clocks may differ by.

    Args:
        said: by Connectif.
        moment: when `subscribed` was given, epoch ms.
        ours: start and end of the call by which we sent an unsubscription, which Connectif dates itself: that
            one is the shop's statement, which is older than `subscribed`.
    """
    if said.withdrawn_ms is None:
        return moment if said.status == UNSUBSCRIBED and ours is None else None
    if ours is not None and _within(said.withdrawn_ms, ours):
        return None
    later = said.withdrawn_ms // 1_000 >= (moment - CLOCKS_MS) // 1_000
    return said.withdrawn_ms if later else None


def known_withdrawal(last_sent: LastSentContact | None, moment: int) -> int | None:
    """As `withdrawal`, by the newest one that Connectif showed before: it may have another date by now."""
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
    """Whether we sent an order's `subscribed` that no longer counts, as the customer's own is older.

    Args:
        last_sent: what was last sent.
        moment: when the `subscribed` that counts was given, epoch ms: a newer one sent is an order's.
        said: by Connectif: a withdrawal after the order's statement, too, was undone by another program.
        ours: see `withdrawal`.
    """
    before = None if last_sent is None else statement_of(last_sent.consent)
    if before is None or before[2] or before[1] <= moment:
        return False
    return withdrawal(said, before[1], ours) is None


def _within(moment: int, ours: tuple[int, int]) -> bool:
    """Whether a date lies within a call of ours; if clocks differ it does not: then the withdrawal counts."""
    begins = ours[0] if moment % 1_000 else ours[0] - ours[0] % 1_000
    return begins <= moment <= ours[1]


def without_consent(command: PutContact, said: Said, *, may_be_sent: bool) -> PutContact:
    """The command without its `subscribed`.

    If one that does not count may have been sent before, and Connectif shows it, the withdrawal is sent.
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
        withdrawn_ms: the withdrawal that Connectif had: no statement counts any more that it counts against,
            and no older one of the customer's, whatever an order says meanwhile.
        unsubscribing_ms: when the call began that sent an unsubscription, if one did.
        at_ms: when it had its answer.
    """
    if withdrawn_ms is not None:
        left = Said(UNSUBSCRIBED, withdrawn_ms)
        consent = {
            rank: said if withdrawal(left, said[0], None) is None else (max(said[0], withdrawn_ms), True)
            for rank, said in last_sent.consent.items()
        }
        last_sent = replace(last_sent, consent=consent, left_ms=max(last_sent.left_ms, withdrawn_ms))
    return last_sent if unsubscribing_ms is None else replace(last_sent, withdrew=(unsubscribing_ms, at_ms))
