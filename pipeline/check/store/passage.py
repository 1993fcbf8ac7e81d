"""A test sale through everything: signed webhook, gateway, Kafka, translate, deliver, Connectif, and back.

The purchase starts no workflow (`pipeline.shops.probe.is_trial`). Whatever happens, contact, product and
purchase are taken away again, and what could not be is named.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pipeline.check.store.context import AccountCalls, StoreCheck
from pipeline.check.store.newsletter import newsletter, untried
from pipeline.check.store.result import Outcome, Step, by_hand, fault, ok, skipped, warning
from pipeline.check.store.telling import PAUSE, Teller
from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.deliver.state.last_sent import RETRACTED
from pipeline.kafka.topics import DELIVER_APP
from pipeline.records import RecordKind, partition_of
from pipeline.shops.probe import Saying
from pipeline.shops.settings import NONE_SAID
from pipeline.workers.client import WorkerAnswer, WorkerClient

NAME, LEFT = "test sale", "test sale: taken away"
_SILENT = frozenset({"no_kafka", "no_worker", "no_address", "no_answer"})


async def passage(check: StoreCheck) -> list[Step]:
    """The test sale, and newsletter consent both ways on its contact."""
    if check.platform.probe is None:
        said = (
            f"no webhook of this platform can be made: place a test order, and `pipeline trace {check.name}`"
        )
        return [by_hand(NAME, said), untried(check, "no test contact could be made")]
    account = _account(check)
    client = WorkerClient(check.settings)
    try:
        return await _Sale(check, account, client).run()
    finally:
        client.close()


def _account(check: StoreCheck) -> AccountCalls:
    """The account that gets the test sale, which is made so that it does."""
    routes = check.store.routes
    first = routes[0] if routes else None
    account = check.accounts[check.store.accounts[0] if first is None else first.account]
    currency = check.settings.accounts[account.name].currency
    if first is not None and first.currency:
        currency = first.currency[0]
    languages = [one for one in (first.language if first is not None else ()) if one != NONE_SAID]
    language = languages[0] if languages else check.trial.language
    shops = [one for one in (first.shop if first is not None else ()) if one != NONE_SAID]
    shop = shops[0] if shops else ""
    check.trial = check.trial._replace(currency=currency or "EUR", language=language, shop=shop)
    return account


class _Sale:
    def __init__(self, check: StoreCheck, account: AccountCalls, client: WorkerClient) -> None:
        self._check, self._account, self._client = check, account, client
        self._teller = Teller(check)
        self._until = time.monotonic() + check.wait
        self._purchase = check.store.id_prefix + check.trial.number
        self._product = check.store.id_prefix + check.trial.product

    async def run(self) -> list[Step]:
        """Send it, read it back, and take it away."""
        check = self._check
        probe = check.platform.probe
        assert probe is not None  # noqa: S101 - asked before
        # Without a worker nothing is sent: it would come later, when nobody takes it away.
        asked = await self._asked(RecordKind.PURCHASE, self._purchase)
        if asked.found is None and asked.error in _SILENT:
            why = f"not sent: {asked.why}"
            return [skipped(NAME, why, "start the workers"), untried(check, "no worker took the test sale")]
        looked_up = await self._teller.named()
        if any(step.outcome is Outcome.FAULT for step in looked_up):
            check.called_back = False  # the shop rests after a failure: a callback would wait, too
        began = time.monotonic()
        self._until = began + check.wait
        posted = await self._teller.say(probe.sold(check.store, check.trial))
        if not posted.taken:
            refused = f"the gateway answers {posted.status or posted.why}"
            return [*looked_up, fault(NAME, refused, "see the gateway's log")]
        try:
            steps = await self._arrived(began)
            if all(step.outcome is Outcome.OK for step in steps):
                steps += await newsletter(check, self._teller, self._account, self._found, self._client)
        finally:
            left = await self._away(probe.gone(check.store, check.trial))
        return [*looked_up, *steps, *left]

    async def _found(self, kind: RecordKind, record_id: str) -> Mapping[str, Any] | None:
        return (await self._asked(kind, record_id)).found

    async def _arrived(self, began: float) -> list[Step]:
        page = await self._settled(lambda found: found.get("last_sent") is not None)
        number = self._check.trial.number
        if page is None:
            todo = f"`pipeline trace {self._check.name} order {number}` says where it stopped"
            return [fault(NAME, f"it did not reach Connectif within {self._check.wait:g} s", todo)]
        trial, missing = self._check.trial, []
        reads: dict[str, Callable[[ConnectifClient], Awaitable[Answer]]] = {
            "purchase": lambda client: client.get_purchase(self._purchase),
            "contact": lambda client: client.get_contact(trial.address),
            "product": lambda client: client.get_product(self._product),
        }
        for what, read in reads.items():
            answer = await self._account.call(read)
            if not answer.good:
                missing.append(what)
        if missing:
            todo = f"see that the key reads them; `pipeline trace {self._check.name} order {number}`"
            return [fault(NAME, f"sent, and not found in Connectif: {', '.join(missing)}", todo)]
        seconds = time.monotonic() - began
        after = "the webhook" if self._teller.can_sign else "its event in Kafka"
        said = f"contact, product and purchase were in Connectif {seconds:.1f} s after {after}, quietly"
        return [ok(NAME, said)]

    async def _away(self, gone: Saying) -> list[Step]:
        """Cancel the order, which takes the purchase back, and delete the contact and the product."""
        self._until = time.monotonic() + self._check.wait
        left: list[str] = []
        cancelled = (await self._teller.say(gone)).taken
        taken_back = cancelled and await self._settled(_is_taken_back) is not None
        answer = await self._account.call(lambda client: client.get_purchase(self._purchase))
        if answer.kind is not AnswerKind.ABSENT:
            taken_back = False
            await self._account.call(lambda client: client.delete_purchase(self._purchase))
        address = self._check.trial.address
        for what, delete in (
            (f"product {self._product}", lambda client: client.delete_product(self._product)),
            (f"contact {address}", lambda client: client.delete_contact(address)),
        ):
            deleted = await self._account.call(delete)
            if not deleted.good and deleted.kind is not AnswerKind.ABSENT:
                left.append(what)
        if left:
            todo = "allow the key to delete contacts and products, and delete them in Connectif"
            return [warning(LEFT, f"left in Connectif: {', '.join(left)}", todo)]
        if not taken_back:
            said = f"the cancellation did not take purchase {self._purchase} back; it was deleted by a call"
            return [
                fault(LEFT, said, f"`pipeline trace {self._check.name} order {self._check.trial.number}`")
            ]
        return [ok(LEFT, "the cancellation took the purchase back; contact and product are deleted")]

    async def _settled(self, is_so: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any] | None:
        """What deliver has of the purchase, once nothing of it waits and it is so; None: not in time."""
        while time.monotonic() < self._until:
            found = await self._found(RecordKind.PURCHASE, self._purchase)
            if found is not None and not found.get("pending") and is_so(found):
                return found
            await asyncio.sleep(PAUSE)
        return None

    async def _asked(self, kind: RecordKind, record_id: str) -> WorkerAnswer:
        account = self._account.name
        partition = partition_of(account, self._check.settings.kafka.account_partitions)
        query = {"account": account, "kind": kind.value, "id": record_id}
        return await asyncio.to_thread(
            self._client.ask, DELIVER_APP, kind.topic, partition, "/state/record", query
        )


def _is_taken_back(found: Mapping[str, Any]) -> bool:
    sent = found.get("last_sent")
    return sent is None or (isinstance(sent, Mapping) and sent.get("fingerprint") == RETRACTED)
