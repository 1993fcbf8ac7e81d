"""What Connectif must hold of consent: the newest word, whoever heard it, and a withdrawal in a tie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Protocol

from pipeline.deliver.state.consent import CLOCKS_MS, WITHDRAWN
from pipeline.records import ContactRecord, Op, Origin, Receipt, Record, RecordKind
from tests.simulation.consent_log import ConsentLog

#: So long after a question what rests on its answer may arrive: a call, or an export and imports.
CALL_MS, EXPORT_MS = 90_000, 900_000
STATUS = "_newsletterSubscriptionStatus"


class Checked(Protocol):
    """What was said, and what Connectif holds."""

    said: list[Record]

    def holds(self, kind: str, account: str) -> dict[str, dict[str, Any]]:
        """Bodies by key."""

    def made(self, kind: str, account: str) -> dict[str, int]:
        """How often each key was created."""

    def consent_log(self, account: str) -> ConsentLog | None:
        """What was heard of consent; None where nobody withdraws in Connectif."""

    def receipts(self) -> list[Receipt]:
        """Every receipt."""

    def fresh(self) -> float:
        """Seconds within which `subscribed` is sent without a question."""


class _Person:
    """What was said of one."""

    def __init__(self) -> None:
        self.words: dict[Origin, tuple[int, bool]] = {}
        self.moments: list[int] = []
        self.left = False

    def hear(self, record: ContactRecord) -> None:
        if record.op is Op.RETRACT:
            self.words.clear()
        elif record.body.newsletter is not None:
            moment = record.body.newsletter_ms or record.version
            word = moment, record.body.newsletter == "unsubscribed"
            self.words[record.origin] = max(word, self.words.get(record.origin, word))
            self.left |= word[1]
            if not word[1]:
                self.moments.append(moment)

    @property
    def word(self) -> tuple[int, bool] | None:
        return self.words.get(Origin.CUSTOMER, self.words.get(Origin.ORDER))


def check_consent(environment: Checked, account: str, said: Sequence[ContactRecord]) -> None:
    """Compare; asserts that nobody is subscribed, or was, against a withdrawal that is not older."""
    held, consent_log = environment.holds("contacts", account), environment.consent_log(account)
    people: defaultdict[str, _Person] = defaultdict(_Person)
    for record in said:
        people[record.id].hear(record)
    for email, person in people.items():
        if email not in held:
            continue  # deleted: checked elsewhere
        status = held[email].get(STATUS, "none")
        left = [] if consent_log is None else _distinct(environment, email, consent_log.withdrawn[email])
        crossed = consent_log is not None and _crossed(consent_log, left, email, person, environment.fresh())
        wanted = _wanted(person, max(left, default=None))
        if crossed or wanted is None or status == wanted:
            continue
        # An answer that was lost, and a withdrawal that the shop had sent itself: the safe side is kept.
        safe = status != "subscribed" and person.left and _kept_back(environment, email)
        assert safe, f"{email} is {status}, not {wanted}; said {person.words}, left {left}"


def _kept_back(environment: Checked, email: str) -> bool:
    receipts = (one for one in environment.receipts() if one.kind is RecordKind.CONTACT and one.id == email)
    return any(WITHDRAWN in receipt.notes for receipt in receipts)


def _wanted(person: _Person, left: float | None) -> str | None:
    """What must be held; None where a tie lets both be."""
    if person.word is None:
        return "none" if left is None else "unsubscribed"
    moment, unsubscribed = person.word
    if unsubscribed:
        return "unsubscribed"
    if left is None or left < moment - CLOCKS_MS - 1_000:
        return "subscribed"
    return "unsubscribed" if left >= moment else None


def _distinct(environment: Checked, email: str, withdrawn: Sequence[float]) -> list[float]:
    """Without those made just as Connectif was sent an older one: its date is the same for both."""
    if not withdrawn:
        return []
    ours = [
        (
            one.unsubscribing_ms,
            one.at_ms,
        )  # all clocks are one here: a withdrawal outside of it is the person's
        for one in environment.receipts()
        if one.kind is RecordKind.CONTACT and one.id == email and one.unsubscribing_ms is not None
    ]
    return [left for left in withdrawn if not any(begin <= left <= end for begin, end in ours)]


def _crossed(
    consent_log: ConsentLog, withdrawn: Sequence[float], email: str, person: _Person, seconds: float
) -> bool:
    """Whether a withdrawal and `subscribed` crossed on their ways, as they may; asserts that they may."""
    crossed = False
    for left in withdrawn:
        newest = max(person.moments, default=0)
        for sent_at in (at for at in consent_log.subscribed[email] if at > left):
            if newest > left:
                continue  # a newer word, or a tie
            fresh = sent_at - newest <= seconds * 1_000 + CALL_MS
            before = [asked for asked in consent_log.asked(email) if asked.at_ms <= sent_at]
            asked = any(
                one.at_ms <= left and sent_at - one.at_ms <= (EXPORT_MS if one.everybody else CALL_MS)
                for one in before[-1:] or ()
            )
            words = (
                f"{email} was subscribed at {sent_at}, having left at {left}; newest word {newest}, {before}"
            )
            assert fresh or asked, words
            crossed = True
    return crossed
