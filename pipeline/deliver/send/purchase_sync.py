"""A purchase's calls: POST, or DELETE and POST, and repairs of contacts and products that Connectif has lost.

There is no update, and no bulk. A repeated POST is answered 409, so it may be repeated when an answer was
lost. A 409 is then a success, unless another version may exist or the purchase was deleted: then it is read
and compared. If we cannot have sent what exists, it is read as well before it counts. What each correction
costs and what a crash leaves: docs/corrections.md.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.connectif.payloads import contact_payload, purchase_payload, same_purchase
from pipeline.deliver.schedule.pending_index import PendingIndex
from pipeline.deliver.schedule.pending_queue import Phase
from pipeline.deliver.send.admission import COMPARE, REPAIR, Permit
from pipeline.deliver.send.health import Sign, sign_of
from pipeline.deliver.send.record_calls import Blocked, Result, Retry, put_product, result_of
from pipeline.deliver.state.commands import CreatePurchase, DeletePurchase, ReplacePurchase
from pipeline.deliver.state.ending import Ending
from pipeline.deliver.state.key import Key
from pipeline.deliver.state.last_sent import LastSentContact
from pipeline.deliver.state.purchase_parts import contact_of, products_of, stub_of
from pipeline.records import Outcome, RecordKind

#: A purchase lacks its contact once and its products once; more rounds mean something undoes the repair.
REPAIRS = 4
#: How often an id is found taken with nothing there before it is given up: a deletion may take effect late.
ID_TRIES = 3


@dataclass(slots=True)
class SyncProgress:
    """How far the sending of a purchase is; kept by the caller, as tasks fail and are repeated.

    Attributes:
        repaired: what Connectif had lost and was made again.
        deleted: whether the version sent before was deleted, and none is known to be there.
        taken: how often the id was refused as taken where nothing was found.
    """

    repaired: list[Key] = field(default_factory=list)
    deleted: bool = False
    taken: int = 0


class PurchaseSync:
    """One purchase's calls.

    Args:
        client: the account's.
        permit: to make calls.
        index: what else waits.
        purchase: the purchase's id.
        body: the purchase; None where it is only deleted.
        progress: of the tasks before, and takes this one's.
        last_sent_contact: what was last sent of a contact.
    """

    def __init__(
        self,
        client: ConnectifClient,
        permit: Permit,
        index: PendingIndex,
        purchase: str,
        *,
        body: Mapping[str, Any] | None,
        progress: SyncProgress,
        last_sent_contact: Callable[[Key], LastSentContact | None],
    ) -> None:
        self._client = client
        self._permit = permit
        self._index = index
        self._id = purchase
        self._body = body or {}
        self._progress = progress
        self._last_sent_contact = last_sent_contact
        self._replaced = False

    async def send(self, command: CreatePurchase | ReplacePurchase | DeletePurchase) -> Result:
        """Carry out the command."""
        match command:
            case DeletePurchase():
                return await self._delete()
            case ReplacePurchase(verify=verify):
                if verify:
                    return await self._compare()
                return await (self._post_anew("replaced") if self._progress.deleted else self._replace())
            case CreatePurchase(trigger=trigger, compare=compare, sent=sent):
                return await self._create(trigger=trigger, compare=compare, sent=sent)

    async def _create(self, *, trigger: bool, compare: bool, sent: bool) -> Result:
        posted = await self._post(trigger=trigger)
        if not isinstance(posted, Answer):
            return posted
        if not _says_taken(posted):
            return result_of(posted, "created")
        if compare:
            return await self._compare(posted)
        sent = sent or self._index[RecordKind.PURCHASE].maybe_sent(self._id)
        if sent and not posted.perhaps_taken:
            return Ending(Outcome.DELIVERED, "already", status=posted.status)
        return await self._see(posted)

    async def _see(self, taken: Answer) -> Result:
        """Another program has sent it, such as web tracking: if it exists, it stays as it is."""
        answer = await self._read()
        if answer.kind is AnswerKind.ABSENT:
            return self._taken(taken)
        if not answer.good:
            return self._unclear(answer)
        same = same_purchase(self._body, answer.body)
        if taken.good and same:
            return result_of(taken, "created")
        detail = "" if same else "another program sent it with other values, which stay"
        return Ending(Outcome.DELIVERED, "already", detail, answer.status)

    async def _compare(self, taken: Answer | None = None) -> Result:
        """Connectif may hold any version, or none: read it. `taken`: the answer that the id is taken."""
        answer = await self._read()
        if answer.kind is AnswerKind.ABSENT:
            return await self._post_anew("created") if taken is None else self._taken(taken)
        if not answer.good:
            return self._unclear(answer)
        self._progress.deleted = False
        if same_purchase(self._body, answer.body):
            reason = "created" if taken is not None and taken.good else "already"
            return Ending(Outcome.DELIVERED, reason, status=answer.status)
        return await self._replace()

    async def _read(self) -> Answer:
        return await self._permit.call(
            "purchases",
            lambda: self._client.get_purchase(self._id),
            may_be_absent=True,
            purpose=COMPARE,
        )

    def _taken(self, refusal: Answer) -> Result:
        """The id is taken, and nothing is there: not usable again, unless a deletion takes effect late."""
        if refusal.good:
            return Retry(
                Sign.AWAY, tried=True, reason="unreadable", detail="said to be made, and is not there"
            )
        if refusal.perhaps_taken:
            return result_of(refusal, "", touched=self._progress.deleted)
        self._progress.taken += 1
        if self._progress.taken < ID_TRIES:
            return Retry(Sign.WELL, tried=True, reason="id_used_up", detail=refusal.detail)
        return Ending(Outcome.DEAD, "id_used_up", refusal.detail, refusal.status)

    async def _replace(self) -> Result:
        if self._replaced:
            return Retry(Sign.WELL, tried=True, reason="conflict", detail="there again once it was deleted")
        self._replaced = True
        result = await self._delete()
        if isinstance(result, Ending) and result.outcome is Outcome.DELIVERED:
            return await self._post_anew("replaced")
        return result

    async def _delete(self) -> Result:
        answer = await self._permit.call(
            "purchases", lambda: self._client.delete_purchase(self._id), may_be_absent=True
        )
        result = result_of(answer, "retracted", deletes=True)
        self._progress.deleted = isinstance(result, Ending) and result.outcome is Outcome.DELIVERED
        return result

    async def _post_anew(self, reason: str) -> Result:
        """Workflows that start on a purchase have run when it was sent first."""
        posted = await self._post(trigger=False)
        if not isinstance(posted, Answer):
            return posted
        if _says_taken(posted):
            return await self._compare(posted)
        return result_of(posted, reason, touched=self._progress.deleted)

    async def _post(self, *, trigger: bool) -> Answer | Result:
        """The answer to the POST, once nothing is missing; or what keeps it from being made."""
        payload = purchase_payload(self._body)
        for _ in range(REPAIRS):
            answer = await self._permit.call(
                "purchases",
                lambda: self._client.create_purchase(payload, trigger=trigger, purchase_id=self._id),
            )
            if answer.kind is AnswerKind.MISSING_CONTACT:
                obstacle = await self._repair_contact(answer)
            elif answer.kind is AnswerKind.MISSING_PRODUCTS:
                obstacle = await self._repair_products(answer)
            else:
                return answer
            if obstacle is not None:
                return obstacle
        return Retry(Sign.WELL, self._progress.deleted, reason=answer.kind.value, detail=answer.detail)

    async def _repair_contact(self, refusal: Answer) -> Result | None:
        """Its address is written, and its consent: the rest was sent before and is not kept.

        If the contact is in flight, only its address, and only if it was never sent: a repair must not
        overwrite newer statements.
        """
        key, by_email = contact_of(self._body)
        phase, last_sent = self._index[key.kind].phase(key.id), self._last_sent_contact(key)
        if phase in (Phase.LOADED, Phase.UNCONFIRMED, Phase.WAITING, Phase.HELD) or (
            phase is not None and last_sent is not None
        ):
            return Blocked((key,), tried=self._progress.deleted)
        said = None if last_sent is None else last_sent.newsletter
        payload = contact_payload({} if said is None else {"newsletter": said})
        with self._reserved([key]):
            answer = await self._permit.call(
                "contacts",
                lambda: self._client.put_contact(key.id, payload, by_email=by_email),
                purpose=REPAIR,
            )
        return self._repaired(key, answer, refusal)

    async def _repair_products(self, refusal: Answer) -> Result | None:
        lines = products_of(self._body)
        reserved = [key for key in lines if key.id not in self._index[key.kind]]
        with self._reserved(reserved):
            return await self._make_products(refusal, lines, reserved)

    async def _make_products(
        self, refusal: Answer, lines: Mapping[Key, Mapping[str, Any]], reserved: Sequence[Key]
    ) -> Result | None:
        missing: Sequence[Key] = [key for key in lines if key.id in refusal.ids]
        if not missing:
            found = await self._absent(list(lines))
            if not isinstance(found, list):
                return found
            missing = found
        for key in missing:
            if waiting := self._waiting(missing):
                return Blocked(waiting, tried=self._progress.deleted)
            if key not in reserved:
                continue  # it was in flight, and has been sent since
            answer = await put_product(self._client, self._permit, key, stub_of(lines[key]), purpose=REPAIR)
            obstacle = self._repaired(key, answer, refusal)
            if obstacle is not None:
                return obstacle
        if missing:
            return None
        return Retry(Sign.WELL, self._progress.deleted, reason=refusal.kind.value, detail=refusal.detail)

    @contextlib.contextmanager
    def _reserved(self, keys: Sequence[Key]) -> Iterator[None]:
        """Hold records of these keys that come in meanwhile: a repair must not overwrite them."""
        for key in keys:
            self._index[key.kind].reserve(key.id)
        try:
            yield
        finally:
            for key in keys:
                self._index[key.kind].release_reservation(key.id)

    def _waiting(self, keys: Sequence[Key]) -> tuple[Key, ...]:
        return tuple(key for key in keys if key.id in self._index[key.kind])

    async def _absent(self, keys: Sequence[Key]) -> list[Key] | Retry:
        """The products that Connectif does not have, for a refusal that names none of the purchase's."""
        absent: list[Key] = []
        for key in keys:
            get = functools.partial(self._client.get_product, key.id)
            answer = await self._permit.call("products", get, may_be_absent=True, purpose=REPAIR)
            if answer.kind is AnswerKind.ABSENT:
                absent.append(key)
            elif not answer.good:
                return self._unclear(answer)
        return absent

    def _repaired(self, key: Key, answer: Answer, refusal: Answer) -> Result | None:
        if answer.good:
            self._progress.repaired.append(key)
            return None
        result = result_of(answer, "", touched=self._progress.deleted)
        if isinstance(result, Retry):
            return result
        # What the purchase needs cannot be made: the receipt has the refusal's reason, the repair's detail.
        return Ending(Outcome.DEAD, refusal.kind.value, result.detail, result.status)

    def _unclear(self, answer: Answer) -> Retry:
        sign = sign_of(answer, may_be_absent=True)
        return Retry(sign, self._progress.deleted, reason="unreadable", detail=answer.detail)


def _says_taken(answer: Answer) -> bool:
    """Whether a purchase is said to exist, or perhaps does: then it is read."""
    return answer.kind is AnswerKind.ALREADY or answer.perhaps_taken
