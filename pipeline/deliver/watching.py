"""The errand of a coupon set that is kept filled: one call, and a word to the operator where it matters."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.deliver import wording
from pipeline.deliver.coupons import ABSENT, FORBIDDEN, Counters, Stock, WatchedSet, read_counters
from pipeline.deliver.gate import STOCK, Pass

log = logging.getLogger(__name__)

FORBIDDEN_STATUS = 403


async def look(account: str, name: str, stock: Stock, client: ConnectifClient, way: Pass) -> None:
    """Ask for a set's counters, and let codes go where it has become low."""
    watched, counters = stock.sets[name], None
    before = (watched.trouble, watched.is_empty)
    try:
        answer = await way.call(
            "coupon-sets",
            lambda: _get(client, watched.settings.set_id),
            may_be_absent=True,
            purpose=STOCK,
        )
        counters = _counters(answer)
    finally:
        released = stock.seen(name, counters, asyncio.get_running_loop().time())
    if released:
        log.info("account %s: %d codes for coupon set %s, %d wait", account, released, name, watched.stock)
    if (watched.trouble, watched.is_empty) != before:
        _say(account, name, watched)


async def _get(client: ConnectifClient, set_id: str) -> Answer:
    """Without the right to read sets, it is the set that is not served, and not the account."""
    answer = await client.get_coupon_set(set_id)
    return replace(answer, kind=AnswerKind.ABSENT) if answer.kind is AnswerKind.FORBIDDEN else answer


def _counters(answer: Answer) -> Counters | None:
    """What an answer says of the set; None where it says nothing: the account has a trouble."""
    if answer.good:
        return read_counters(answer.body)
    if answer.kind is AnswerKind.ABSENT:
        return Counters(trouble=FORBIDDEN if answer.status == FORBIDDEN_STATUS else ABSENT)
    return Counters(trouble=ABSENT) if answer.kind is AnswerKind.INVALID else None


def _say(account: str, name: str, watched: WatchedSet) -> None:
    level = logging.ERROR if watched.trouble else logging.WARNING if watched.is_empty else logging.INFO
    log.log(
        level,
        "account %s: %s",
        account,
        wording.coupon_set(name, watched),
        extra={"event": "deliver.coupon_set", "account": account, "set": name},
    )
