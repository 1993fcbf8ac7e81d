"""A contact's calls: old consent is asked for, and what Connectif refuses of a person is left out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.connectif.payloads import contact_payload
from pipeline.deliver.partition.partition_state import PartitionState
from pipeline.deliver.send.admission import CONSENT, TELL, WITHOUT, Permit
from pipeline.deliver.send.consent_export import Withdrawals
from pipeline.deliver.send.health import Sign, sign_of
from pipeline.deliver.send.record_calls import Result, Retry, result_of
from pipeline.deliver.send.refused_fields import is_anothers_id, notes_of, refused_fields
from pipeline.deliver.send.unsubscribing import UnsubscribingCalls
from pipeline.deliver.state.commands import Command, PutContact, Unchanged
from pipeline.deliver.state.consent import (
    NOBODY,
    OVERTAKEN,
    SUBSCRIBED,
    UNSUBSCRIBED,
    WITHDRAWN,
    Said,
    is_fresh,
    is_of_an_order,
    known_withdrawal,
    left_before,
    moment_of,
    read_said,
    sends_subscribed,
    withdrawal,
    without_consent,
)
from pipeline.deliver.state.contact import ContactState, word_of
from pipeline.deliver.state.ending import Ending
from pipeline.deliver.state.entry import Waiting
from pipeline.deliver.state.key import Key
from pipeline.deliver.state.last_sent import LastSentContact
from pipeline.records import Outcome, RecordKind


@dataclass(frozen=True, slots=True)
class ConsentDecision:
    """What is sent of a contact once consent was read from Connectif.

    Attributes:
        command: what remains to be done.
        note: why its `subscribed` is left out; empty where it is sent.
        withdrawn_ms: when the person withdrew in Connectif, see `Receipt`.
    """

    command: Command
    note: str = ""
    withdrawn_ms: int | None = None

    def tells_nothing(self, said: Said) -> bool:
        """Whether nothing is left to send of a contact that Connectif has already."""
        return bool(self.note) and self.command == PutContact({}) and said is not NOBODY

    def on(self, ending: Ending) -> Ending:
        """The ending, with a note of what was left out, and the withdrawal in Connectif."""
        if self.withdrawn_ms is None and not self.note:
            return ending  # most
        notes = (*ending.notes, self.note) if self.note else ending.notes
        withdrawn_ms = max(
            self.withdrawn_ms or 0, ending.withdrawn_ms or 0
        )  # the answer may show a newer one
        return replace(ending, notes=notes, withdrawn_ms=withdrawn_ms or None)


@dataclass(slots=True)
class _Findings:
    """What earlier tasks found out, for this version or one merged into it.

    Attributes:
        said: the consent in Connectif that kept `subscribed` back: after a deletion it cannot be read again.
        refused: values it refused, by field.
        words: Connectif's message.
    """

    said: Said | None = None
    refused: dict[str, str] = field(default_factory=dict)
    words: str = ""


class ContactSync:
    """One account's.

    Args:
        account: its name.
        partition_state: its records.
        client: its API.
        fresh: seconds within which `subscribed` is sent without reading Connectif's consent.
        wall: epoch seconds.
        unsubscribing: calls that sent unsubscriptions, of earlier processes too.
    """

    def __init__(
        self,
        account: str,
        partition_state: PartitionState,
        client: ConnectifClient,
        *,
        fresh: float,
        wall: Callable[[], float],
        unsubscribing: UnsubscribingCalls,
    ) -> None:
        self._account = account
        self._partition_state = partition_state
        self.client = client
        self._fresh = fresh
        self._wall = wall
        self.unsubscribing = unsubscribing
        self.withdrawals = Withdrawals(account, fresh)
        self._kept: dict[Key, _Findings] = {}

    async def send(
        self, key: Key, waiting: Waiting, state: ContactState, command: PutContact, permit: Permit
    ) -> Result:
        """Write a contact, or delete it, or one after the other."""
        findings = self._kept.setdefault(key, _Findings())
        return await _ContactCalls(self, key, waiting, findings, permit, state.by_email).send(command)

    def ended(self, key: Key) -> None:
        """The record has ended: forget what was kept for it."""
        self._kept.pop(key, None)

    def settled(self, key: Key) -> None:
        """Its receipt was read back: when it was unsubscribed is known from there."""
        self.ended(key)
        if key.kind is RecordKind.CONTACT:
            self.unsubscribing.end([key.id])

    # Deciding.

    def known(self, key: Key, waiting: Waiting) -> Said | None:
        """What the last export of contacts says of a person; None where it does not count, or any more."""
        by_email = isinstance(waiting.state, ContactState) and waiting.state.by_email
        ours, now = self.ours(key, self.last_sent(key)), asyncio.get_running_loop().time()
        since_ms = 0 if ours is None else ours[1]
        return self.withdrawals.said(key.id, now, by_email=by_email, since_ms=since_ms)

    def asks(self, key: Key, waiting: Waiting, command: Command) -> bool:
        """Whether Connectif is to be asked before the command's `subscribed` is sent."""
        if not sends_subscribed(command):
            return False  # most: nothing is read for them
        last_sent = self.last_sent(key)
        moment = moment_of(last_sent, waiting, command)
        if moment is None:
            return False
        if not command.delete_first and known_withdrawal(last_sent, moment) is not None:
            return True
        return not is_fresh(moment, waiting, self.now_ms(), self._fresh, doubtful=self._doubtful(key))

    def decide(self, key: Key, waiting: Waiting, said: Said) -> ConsentDecision:
        """Decide what is sent, by Connectif's consent and by what came in while it was read."""
        last_sent = self.last_sent(key)
        command = self._partition_state.diff(self._account, key, waiting, last_sent)
        moment = moment_of(last_sent, waiting, command)
        if moment is None or not isinstance(command, PutContact):
            return ConsentDecision(command)
        ours = self.ours(key, last_sent)
        withdrawn_ms = withdrawal(said, moment, ours)
        before = None if command.delete_first else last_sent
        if withdrawn_ms is None:
            withdrawn_ms = known_withdrawal(before, moment)
        if withdrawn_ms is not None:
            may_be_sent = self._doubtful(key) or is_of_an_order(before, moment, said, ours)
            rest = without_consent(command, said, may_be_sent=may_be_sent)
            return ConsentDecision(rest, WITHDRAWN, withdrawn_ms)
        overruled_ms = left_before(said, ours)
        if self._overtaken(key, waiting, last_sent):
            return ConsentDecision(
                without_consent(command, NOBODY, may_be_sent=False), OVERTAKEN, overruled_ms
            )
        return ConsentDecision(command, withdrawn_ms=overruled_ms)

    def _overtaken(self, key: Key, waiting: Waiting, last_sent: LastSentContact | None) -> bool:
        """Whether what came in meanwhile, and is sent next, is a withdrawal."""
        state, following = waiting.state, self._partition_state.entry(self._account, key).next
        if following is None or not isinstance(following.state, ContactState):
            return False
        both = following.state.merge(state) if isinstance(state, ContactState) else following.state
        return word_of((last_sent or LastSentContact()).with_consent(both)) == UNSUBSCRIBED

    def ours(self, key: Key, last_sent: LastSentContact | None) -> tuple[int, int] | None:
        """Between which moments an unsubscription may have been sent by us, and dated by Connectif."""
        before = None if last_sent is None else last_sent.withdrew
        began_ms = self.unsubscribing.began(key.id)
        if began_ms is None or (before is not None and began_ms <= before[1]):
            return before
        return began_ms, self.now_ms()

    def last_sent(self, key: Key) -> LastSentContact | None:
        """What was last sent of a contact."""
        last_sent = self._partition_state.last_sent(self._account, key)
        return last_sent if isinstance(last_sent, LastSentContact) else None

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return int(self._wall() * 1_000)

    def _doubtful(self, key: Key) -> bool:
        return self._partition_state.index(self._account)[key.kind].maybe_sent(key.id)


@dataclass(frozen=True, slots=True)
class _ContactCalls:
    """One contact's."""

    contacts: ContactSync
    key: Key
    waiting: Waiting
    kept: _Findings
    permit: Permit
    by_email: bool

    async def send(self, command: PutContact) -> Result:
        decision, said = ConsentDecision(command), NOBODY
        if self.contacts.asks(self.key, self.waiting, command):
            answer = await self._ask()
            if isinstance(answer, Retry):
                return answer
            said = answer
            decision = self.contacts.decide(self.key, self.waiting, said)
        if isinstance(decision.command, Unchanged):
            return Ending(Outcome.UNCHANGED, decision.command.reason)
        command = decision.command if isinstance(decision.command, PutContact) else command
        if decision.tells_nothing(said):
            return decision.on(Ending(Outcome.UNCHANGED, decision.note))
        result = await self._write(command)
        return decision.on(result) if isinstance(result, Ending) else result

    async def _ask(self) -> Said | Retry:
        """What Connectif says of the person."""
        kept, client = self.kept, self.contacts.client
        if kept.said is not None:
            if self.contacts.decide(self.key, self.waiting, kept.said).note == WITHDRAWN:
                return kept.said
            kept.said = None
        known = self.contacts.known(self.key, self.waiting)
        if known is not None:
            kept.said = known
            return known
        answer = await self.permit.call(
            "contacts",
            lambda: client.get_contact(self.key.id, by_email=self.by_email),
            may_be_absent=True,
            purpose=CONSENT,
        )
        if answer.good and isinstance(answer.body, Mapping):
            kept.said = read_said(answer.body)
            return kept.said
        if answer.kind in (AnswerKind.ABSENT, AnswerKind.INVALID):
            return NOBODY  # one that cannot be read for its key cannot be written either: that answer counts
        return Retry(sign_of(answer, may_be_absent=True), reason="unreadable", detail=answer.detail)

    async def _write(self, command: PutContact) -> Result:
        if command.delete_first:
            client = self.contacts.client
            answer = await self.permit.call(
                "contacts",
                lambda: client.delete_contact(self.key.id, by_email=self.by_email),
                may_be_absent=True,
            )
            result = result_of(answer, "deleted", deletes=True)
            if command.fields is None or isinstance(result, Retry) or result.outcome is Outcome.DEAD:
                return result
        fields = command.fields or {}
        left = {name: value for name, value in fields.items() if self.kept.refused.get(name) != value}
        result, answer = await self._put(left, touched=command.delete_first)
        if is_anothers_id(answer, left):
            doubt = await self._give_address(left["external_id"])
            if doubt is not None:
                return doubt
            result, answer = await self._put(left, touched=True)
            if is_anothers_id(answer, left):
                result, answer = await self._put_without({"external_id"}, left, answer)
        refused = set() if self.kept.refused.keys() - {"external_id"} else refused_fields(answer, left)
        if refused:
            result, answer = await self._put_without(refused, left, answer, touched=command.delete_first)
        if not isinstance(result, Ending) or result.outcome is not Outcome.DELIVERED:
            return result
        if self.kept.refused:
            result = replace(result, detail=self.kept.words, notes=notes_of(self.kept.refused))
        if left.get("newsletter") == SUBSCRIBED and isinstance(answer.body, Mapping):
            return await self._confirm(command, read_said(answer.body), result)
        return result

    async def _put_without(
        self, refused: set[str], left: dict[str, str], answer: Answer, *, touched: bool = True
    ) -> tuple[Ending | Retry, Answer]:
        """Once more without what this answer refused."""
        self.kept.refused |= {name: left.pop(name) for name in refused}
        self.kept.words = answer.detail
        return await self._put(left, touched=touched, purpose=WITHOUT)

    async def _give_address(self, external_id: str) -> Retry | None:
        """Give a contact without an address, known by the shop's id alone, the one it has now.

        One that has an address keeps it, as it may be another person's by now. So does one whose new address
        Connectif refuses because that is a contact already: two contacts cannot be merged.
        """
        client, spoken = self.contacts.client, contact_payload({"email": self.key.id})
        found = await self.permit.call(
            "contacts",
            lambda: client.get_contact(external_id, by_email=False),
            may_be_absent=True,
            purpose=WITHOUT,
        )
        if found.good and isinstance(found.body, Mapping) and not found.body.get("_email"):
            found = await self.permit.call(
                "contacts",
                lambda: client.put_contact(external_id, spoken, by_email=False),
                purpose=WITHOUT,
            )
        sign = sign_of(found, may_be_absent=True)
        return None if sign is Sign.WELL else Retry(sign, tried=True, detail=found.detail)

    async def _confirm(self, command: PutContact, said: Said, last_sent: Ending) -> Result:
        """`subscribed` was sent, and the answer shows a withdrawal that was not known: that one counts."""
        before = self.contacts.last_sent(self.key)
        moment = moment_of(before, self.waiting, command)
        if moment is None or said.withdrawn_ms is None:
            return last_sent
        ours = self.contacts.ours(self.key, before)
        withdrawn_ms = withdrawal(said, moment, ours)
        if withdrawn_ms is None:
            return ConsentDecision(command, withdrawn_ms=left_before(said, ours)).on(last_sent)
        result, _ = await self._put({"newsletter": UNSUBSCRIBED}, touched=True, purpose=CONSENT)
        if not isinstance(result, Ending) or result.outcome is not Outcome.DELIVERED:
            return result
        undone = replace(last_sent, unsubscribing_ms=result.unsubscribing_ms)
        return ConsentDecision(command, WITHDRAWN, withdrawn_ms).on(undone)

    async def _put(
        self, fields: Mapping[str, str], *, touched: bool, purpose: str = TELL
    ) -> tuple[Ending | Retry, Answer]:
        payload, client = contact_payload(fields), self.contacts.client
        leaves = fields.get("newsletter") == UNSUBSCRIBED
        calls = self.contacts.unsubscribing
        first = calls.begin([self.key.id] if leaves else (), self.contacts.now_ms())
        answer = await self.permit.call(
            "contacts",
            lambda: client.put_contact(self.key.id, payload, by_email=self.by_email),
            purpose=purpose,
        )
        if answer.carried_out is False:
            calls.end(first)
        result = result_of(
            answer, "created" if answer.kind is AnswerKind.CREATED else "updated", touched=touched
        )
        if isinstance(result, Ending):
            result = replace(result, unsubscribing_ms=calls.began(self.key.id))
        return result, answer
