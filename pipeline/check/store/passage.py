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
from pipeline.check.store.gateway import post
from pipeline.check.store.result import Step, by_hand, fault, ok, skipped, warning
from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.deliver.state.last_sent import RETRACTED
from pipeline.kafka.topics import DELIVER_APP
from pipeline.records import RecordKind, partition_of
from pipeline.workers.client import WorkerAnswer, WorkerClient

NAME, LEFT = "test sale", "test sale: taken away"
#: Seconds between two looks.
PAUSE = 0.5
_SILENT = frozenset({"no_kafka", "no_worker", "no_address", "no_answer"})


async def passage(check: StoreCheck) -> list[Step]:
    """The test sale, as far as the platform's webhooks can tell of one."""
    probe = check.platform.probe
    if probe is None or probe.sold is None or probe.gone is None or not probe.can_sign(check.store):
        said = (
            "webhooks of this platform only name orders: place a test order in the shop, and see "
            f"`pipeline trace {check.name} --number ...`"
        )
        return [by_hand(NAME, said)]
    account = _account(check)
    if account is None:
        return [by_hand(NAME, "the store's routes ask for a shop: place a test order in each, and trace it")]
    client = WorkerClient(check.settings)
    try:
        return await _Sale(check, account, client).run()
    finally:
        client.close()


def _account(check: StoreCheck) -> AccountCalls | None:
    """The account that gets the test sale, which is made so that it does; None where none can be."""
    routes = check.store.routes
    first = routes[0] if routes else None
    if first is not None and first.shop:
        return None
    account = check.accounts[check.store.accounts[0] if first is None else first.account]
    currency = check.settings.accounts[account.name].currency
    if first is not None and first.currency:
        currency = first.currency[0]
    languages = [one for one in (first.language if first is not None else ()) if one != "none"]
    language = languages[0] if languages else check.trial.language
    check.trial = check.trial._replace(currency=currency or "EUR", language=language)
    return account


class _Sale:
    def __init__(self, check: StoreCheck, account: AccountCalls, client: WorkerClient) -> None:
        self._check, self._account, self._client = check, account, client
        self._until = time.monotonic() + check.wait
        self._purchase = check.store.id_prefix + check.trial.number
        self._product = check.store.id_prefix + check.trial.product

    async def run(self) -> list[Step]:
        """Send it, read it back, and take it away."""
        probe, secret = self._check.platform.probe, self._check.store.secrets[0].get_secret_value()
        assert probe is not None  # noqa: S101 - asked before
        assert probe.sold is not None  # noqa: S101
        assert probe.gone is not None  # noqa: S101
        began = time.monotonic()
        # Without a worker nothing is sent: it would come later, when nobody takes it away.
        asked = await self._asked()
        if asked.found is None and asked.error in _SILENT:
            return [skipped(NAME, f"not sent: {asked.why}", "start the workers")]
        posted = await post(self._check, probe.sold(self._check.store, self._check.trial), secret)
        if not posted.taken:
            return [
                fault(NAME, f"the gateway answers {posted.status or posted.why}", "see the gateway's log")
            ]
        try:
            steps = await self._arrived(began)
        finally:
            left = await self._away(probe.gone(self._check.store, self._check.trial), secret)
        return [*steps, *left]

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
        said = f"contact, product and purchase were in Connectif {seconds:.1f} s after the webhook, quietly"
        return [ok(NAME, said)]

    async def _away(self, gone: Any, secret: str) -> list[Step]:
        """Cancel the order, which takes the purchase back, and delete the contact and the product."""
        self._until = time.monotonic() + self._check.wait
        left: list[str] = []
        cancelled = (await post(self._check, gone, secret)).taken
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
            found = (await self._asked()).found
            if found is not None and not found.get("pending") and is_so(found):
                return found
            await asyncio.sleep(PAUSE)
        return None

    async def _asked(self) -> WorkerAnswer:
        account = self._account.name
        partition = partition_of(account, self._check.settings.kafka.account_partitions)
        query = {"account": account, "kind": RecordKind.PURCHASE.value, "id": self._purchase}
        topic = RecordKind.PURCHASE.topic
        return await asyncio.to_thread(
            self._client.ask, DELIVER_APP, topic, partition, "/state/record", query
        )


def _is_taken_back(found: Mapping[str, Any]) -> bool:
    sent = found.get("last_sent")
    return sent is None or (isinstance(sent, Mapping) and sent.get("fingerprint") == RETRACTED)
