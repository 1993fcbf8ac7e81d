"""Newsletter consent both ways on the test contact: the shop's statements, and Connectif's callback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx

from pipeline.check.store.callbacks import CONSENT, address_of
from pipeline.check.store.context import AccountCalls, StoreCheck
from pipeline.check.store.result import Step, by_hand, fault, ok, skipped
from pipeline.check.store.telling import PAUSE, Teller
from pipeline.kafka.topics import SYNC_APP, SYNC_CONSENTS_TOPIC
from pipeline.reasons import explained
from pipeline.records import RecordKind, Subscription, partition_of
from pipeline.shops.examination import at
from pipeline.sync.consent.trials import PAGE
from pipeline.workers.client import WorkerClient

#: A network address of nobody (RFC 5737): the person acts, and no import does.
_PERSON = "192.0.2.1"
_STATUS = "_newsletterSubscriptionStatus"
FROM_SHOP, FROM_CONNECTIF = f"{CONSENT}, from the shop", f"{CONSENT}, from Connectif"
#: What an address that nobody has comes to at the shop: it has no account, or there is nothing to be written.
_EXPECTED = frozenset({"unknown_at_shop", "at_the_shop"})

#: What deliver has of a record of the test sale's account.
Asked = Callable[[RecordKind, str], Awaitable[Mapping[str, Any] | None]]


async def newsletter(
    check: StoreCheck, teller: Teller, account: AccountCalls, asked: Asked, client: WorkerClient
) -> list[Step]:
    """Subscribe and unsubscribe the test contact in the shop's name, then unsubscribe it in Connectif's."""
    steps = await _from_shop(check, teller, account, asked)
    return [*steps, *await _from_connectif(check, account, client)]


async def _from_shop(check: StoreCheck, teller: Teller, account: AccountCalls, asked: Asked) -> list[Step]:
    probe = check.platform.probe
    if probe is None or probe.consent is None:
        return [skipped(FROM_SHOP, f"{check.platform.title} has no consent of its own: none is sent")]
    said_at = datetime.now(UTC).replace(microsecond=0)
    states: tuple[Subscription, ...] = ("subscribed", "unsubscribed")
    for seconds, state in enumerate(states):
        moment = said_at + timedelta(seconds=seconds)
        posted = await teller.say(probe.consent(check.store, check.trial, state, moment))
        if not posted.taken:
            return [fault(FROM_SHOP, f"not taken: {posted.status or posted.why}", "see the gateway's log")]
        if not await _holds(check, asked, state):
            return [_lost(check, state)]
        answer = await account.call(lambda client: client.get_contact(check.trial.address))
        if at(answer.body, _STATUS) != state:
            held = str(at(answer.body, _STATUS) or "nothing")[:30]
            said = f"the shop said {state}, which was sent, and Connectif shows {held}"
            return [fault(FROM_SHOP, said, "see whether a workflow of Connectif changes it")]
    return [ok(FROM_SHOP, "the test contact was subscribed and unsubscribed in Connectif as the shop said")]


async def _holds(check: StoreCheck, asked: Asked, state: str) -> bool:
    """Whether deliver sent it in time."""
    until = time.monotonic() + check.wait
    while time.monotonic() < until:
        found = await asked(RecordKind.CONTACT, check.trial.address)
        if found is not None and not found.get("pending") and at(found, "last_sent", "newsletter") == state:
            return True
        await asyncio.sleep(PAUSE)
    return False


def _lost(check: StoreCheck, state: str) -> Step:
    said = f"the shop said {state}, and it did not reach Connectif within {check.wait:g} s"
    return fault(FROM_SHOP, said, f"`pipeline trace {check.name} --email {check.trial.address}`")


async def _from_connectif(check: StoreCheck, account: AccountCalls, client: WorkerClient) -> list[Step]:
    token = next(iter(check.store.callbacks.get(account.name, ())), None)
    if token is None:
        said = f"nothing is written back to the shop: the settings have no callback_tokens of {account.name}"
        return [skipped(FROM_CONNECTIF, said)]
    if not check.called_back:
        return [skipped(FROM_CONNECTIF, "not tried: see the faults above")]
    query = urlencode({"email": check.trial.address, "ip": _PERSON})
    address = address_of(check, token.get_secret_value(), "unsubscribed")
    try:
        status: int | str = (await check.web.get(f"{address}?{query}")).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        status = type(error).__name__
    if status != httpx.codes.OK:
        said = f"the gateway answers {status} to a callback about the test contact, not 200"
        return [fault(FROM_CONNECTIF, said, "see the gateway's log")]
    return [await _at_the_shop(check, client)]


async def _at_the_shop(check: StoreCheck, client: WorkerClient) -> Step:
    """What became of the callback: the shop was asked for the test contact, of whom it has no account."""
    began = time.monotonic()
    number = partition_of(check.name, check.settings.kafka.account_partitions)
    query = {"store": check.name, "number": check.trial.number}
    why = ""
    while time.monotonic() - began < check.wait:
        answer = await asyncio.to_thread(client.ask, SYNC_APP, SYNC_CONSENTS_TOPIC, number, PAGE, query)
        ended, why = at(answer.found, "ended"), answer.why
        if isinstance(ended, str):
            return _judged(ended, time.monotonic() - began)
        await asyncio.sleep(PAUSE)
    said = f"a callback about the test contact did not come to the shop within {check.wait:g} s"
    todo = why or "the log of `pipeline worker sync` says what the shop's API answered (consent.again)"
    return fault(FROM_CONNECTIF, said, todo)


def _judged(ended: str, seconds: float) -> Step:
    if ended in _EXPECTED:
        said = (
            f"the callback led to the shop {seconds:.1f} s later, which has no account of the test contact: "
            "nothing was to be written"
        )
        return ok(FROM_CONNECTIF, said)
    words = explained("sync", ended)
    return fault(FROM_CONNECTIF, f"{words.words} ({ended})", words.way_out)


def untried(check: StoreCheck, why: str) -> Step:
    """The step where no test contact could be made."""
    form = f"subscribe a test address in the shop, and see it in Connectif: {why}"
    back = (
        "; unsubscribe it by the link of a mail, and see it at the shop"
        if check.store.callback_tokens
        else ""
    )
    return by_hand(CONSENT, form + (back if check.store.callbacks else ""))
