"""The latest order of a shop whose webhooks only name orders: whether what its API says of it is understood.

Its documents are asked for as the sync worker asks for them, and read here: nothing of it goes further.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from pipeline.check.store.context import StoreCheck
from pipeline.check.store.result import Step, fault, ok, skipped, warning
from pipeline.check.store.telling import as_kept
from pipeline.events import RawEvent
from pipeline.shops.api import ApiRequest, ShopApi, fetched_event
from pipeline.shops.base import Rejected
from pipeline.shops.examination import ShopExamination
from pipeline.sync import answers
from pipeline.sync.answers import Answer
from pipeline.sync.lookup import Documented, Halted, look_up

NAME = "an order of the shop"


async def orders(check: StoreCheck) -> list[Step]:
    """Look the latest order up, and translate it, where documents are what orders are made of."""
    probe, examination, api = check.platform.probe, check.platform.examination, check.platform.api
    if probe is None or probe.named is None or examination is None or api is None or check.shop is None:
        return []
    number = await _latest(check, examination)
    if number is None:
        return [skipped(NAME, "the shop shows no recent order")]
    notification = as_kept(check, probe.named(check.trial._replace(number=number)), number)
    shop = check.shop

    async def ask(path: str) -> Answer:
        return await shop.send(ApiRequest(path))

    store = check.platform.store(check.name, check.store)
    found = await look_up(notification, api, store, ask)
    if isinstance(found, Halted):
        said = f"order {number}: {found.path.partition('?')[0]} cannot be had ({answers.label(found.answer)})"
        return [fault(NAME, said, "give the credentials the rights of docs/platforms.md")]
    if not isinstance(found, Documented):
        return [warning(NAME, f"order {number}: its documents are more than an event holds", "see its size")]
    return [_read(check, api, notification, found, number)]


async def _latest(check: StoreCheck, examination: ShopExamination[Any]) -> str | None:
    assert check.shop is not None  # noqa: S101 - asked before
    answer = await check.shop.send(examination.recent(check.store, datetime.now(UTC)))
    if not isinstance(answer, answers.Found):
        return None
    known = examination.orders(check.store, answer.value)
    return next((number for one in known if (number := one.purchase.get("id"))), None)


def _read(
    check: StoreCheck, api: ShopApi[Any], notification: RawEvent, found: Documented, number: str
) -> Step:
    topic, now_ms = api.fetched_topic(notification), int(time.time() * 1_000)
    event = fetched_event(notification, found.answers, topic, "check", now_ms)
    refusals: list[Rejected] = []
    for name in check.accounts:
        currency = check.settings.accounts[name].currency
        try:
            meant = check.platform.translate(
                event, check.platform.store(check.name, check.store, currency=currency)
            )
        except Rejected as error:
            refusals.append(error)
            continue
        what = (
            f"would make {len(meant.drafts)} records" if meant.drafts else f"says nothing ({meant.ignored})"
        )
        return ok(NAME, f"order {number}: {len(found.answers)} documents were read, and it {what}")
    why = refusals[0]
    said = f"order {number} cannot be used: {why.reason}{f' ({why.field})' if why.field else ''}"
    return warning(NAME, said, f"see {why.reason} in docs/dead-letters.md")
