"""A purchase's calls: POST, or DELETE and POST, with what Connectif has lost made again on the way.

There is no update, and no bulk. A repeat is answered 409, so a POST may be repeated whenever its answer was
lost; that the purchase exists is then a success, unless another version of it may be what exists.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.connectif.payloads import purchase_payload, same_purchase
from pipeline.deliver.book import Book, Phase
from pipeline.deliver.errands import Again, Aside, Result, put_product, result_of
from pipeline.deliver.gate import Pass
from pipeline.deliver.health import Sign, sign_of
from pipeline.deliver.receipts import Ending, Key
from pipeline.deliver.repairs import contact_of, products_of, stub_of
from pipeline.deliver.verdicts import CreatePurchase, DeletePurchase, ReplacePurchase
from pipeline.records import Outcome

#: A purchase lacks its contact once and its products once; more rounds mean something undoes the repair.
REPAIRS = 4


class Sale:
    """One purchase's errand.

    Args:
        client: the account's.
        way: its pass.
        book: what else waits.
        purchase: the purchase's id.
        body: the purchase; None where it is only deleted.
        repaired: takes what is made again on the way; kept by the caller, as an errand may fail after that.
    """

    def __init__(
        self,
        client: ConnectifClient,
        way: Pass,
        book: Book,
        purchase: str,
        *,
        body: Mapping[str, Any] | None,
        repaired: list[Key],
    ) -> None:
        self._client = client
        self._way = way
        self._book = book
        self._id = purchase
        self._body = body or {}
        self._deleted = False
        self._repaired_keys = repaired

    async def tell(self, verdict: CreatePurchase | ReplacePurchase | DeletePurchase) -> Result:
        """Do what the verdict says."""
        match verdict:
            case DeletePurchase():
                return await self._delete()
            case ReplacePurchase(verify=verify):
                return await self._compare() if verify else await self._replace()
            case CreatePurchase(trigger=trigger, compare=compare):
                return await self._create(trigger=trigger, compare=compare)

    async def _create(self, *, trigger: bool, compare: bool) -> Result:
        posted = await self._post(trigger=trigger)
        if not isinstance(posted, Answer):
            return posted
        if posted.kind is not AnswerKind.ALREADY:
            return result_of(posted, "created")
        if compare:
            return await self._compare()
        return Ending(Outcome.DELIVERED, "already", status=posted.status)

    async def _compare(self) -> Result:
        """Connectif may hold any version, or none: look."""
        answer = await self._way.call(
            "purchases", lambda: self._client.get_purchase(self._id), may_be_absent=True
        )
        if answer.kind is AnswerKind.ABSENT:
            return await self._post_anew("created")
        if not answer.good or answer.body is None:
            return _unclear(answer)
        if same_purchase(self._body, answer.body):
            return Ending(Outcome.DELIVERED, "already", status=answer.status)
        return await self._replace()

    async def _replace(self) -> Result:
        result = await self._delete()
        if isinstance(result, Ending) and result.outcome is Outcome.DELIVERED:
            return await self._post_anew("replaced")
        return result

    async def _delete(self) -> Result:
        answer = await self._way.call(
            "purchases", lambda: self._client.delete_purchase(self._id), may_be_absent=True
        )
        result = result_of(answer, "retracted", deletes=True)
        self._deleted = isinstance(result, Ending)
        return result

    async def _post_anew(self, reason: str) -> Result:
        """Workflows that start on a purchase have run when it was told first."""
        posted = await self._post(trigger=False)
        if not isinstance(posted, Answer):
            return posted
        if posted.kind is AnswerKind.ALREADY:
            return Again(Sign.WELL, tried=True, reason="conflict", detail=posted.detail)
        return result_of(posted, reason, touched=self._deleted)

    async def _post(self, *, trigger: bool) -> Answer | Result:
        """The answer to the POST, once nothing is missing; or what keeps it from being made."""
        payload = purchase_payload(self._body)
        for _ in range(REPAIRS):
            answer = await self._way.call(
                "purchases", lambda: self._client.create_purchase(payload, trigger=trigger)
            )
            if answer.kind is AnswerKind.MISSING_CONTACT:
                obstacle = await self._repair_contact(answer)
            elif answer.kind is AnswerKind.MISSING_PRODUCTS:
                obstacle = await self._repair_products(answer)
            else:
                return answer
            if obstacle is not None:
                return obstacle
        return Again(Sign.WELL, tried=self._deleted, reason=answer.kind.value, detail=answer.detail)

    async def _repair_contact(self, refusal: Answer) -> Result | None:
        """Only its address is written: the rest was told before and is not kept, or is on its way."""
        key, by_email = contact_of(self._body)
        if self._book[key.kind].phase(key.id) in (Phase.LOADED, Phase.WAITING, Phase.HELD):
            return Aside(tried=self._deleted)
        answer = await self._way.call(
            "contacts", lambda: self._client.put_contact(key.id, b"{}", by_email=by_email)
        )
        return self._repaired(key, answer, refusal)

    async def _repair_products(self, refusal: Answer) -> Result | None:
        lines = products_of(self._body)
        missing: Sequence[Key] = [key for key in lines if key.id in refusal.ids]
        if not missing:
            found = await self._absent(list(lines))
            if not isinstance(found, list):
                return found
            missing = found
        if any(key.id in self._book[key.kind] for key in missing):
            return Aside(tried=self._deleted)
        for key in missing:
            line = self._book[key.kind]
            line.lend(key.id)
            try:
                answer = await put_product(self._client, self._way, key, stub_of(lines[key]))
            finally:
                line.give_back(key.id)
            obstacle = self._repaired(key, answer, refusal)
            if obstacle is not None:
                return obstacle
        if missing:
            return None
        return Again(Sign.WELL, tried=self._deleted, reason=refusal.kind.value, detail=refusal.detail)

    async def _absent(self, keys: Sequence[Key]) -> list[Key] | Again:
        """Where the refusal names ids that are not ours: which products Connectif does not have."""
        absent: list[Key] = []
        for key in keys:
            get = functools.partial(self._client.get_product, key.id)
            answer = await self._way.call("products", get, may_be_absent=True)
            if answer.kind is AnswerKind.ABSENT:
                absent.append(key)
            elif not answer.good:
                return _unclear(answer)
        return absent

    def _repaired(self, key: Key, answer: Answer, refusal: Answer) -> Result | None:
        if answer.good:
            self._repaired_keys.append(key)
            return None
        result = result_of(answer, "", touched=self._deleted)
        if isinstance(result, Again):
            return result
        # What the purchase needs cannot be made: that is why it is dead, and this is what was said of it.
        return Ending(Outcome.DEAD, refusal.kind.value, result.detail, result.status)


def _unclear(answer: Answer) -> Again:
    return Again(sign_of(answer, may_be_absent=True), reason="unreadable", detail=answer.detail)
