"""Checks a coupon set that is kept filled: one call, and a log line if something changed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.deliver.schedule.coupon_inventory import (
    ABSENT,
    FORBIDDEN,
    Counters,
    CouponInventory,
    CouponSetInventory,
    read_counters,
)
from pipeline.deliver.send import messages
from pipeline.deliver.send.admission import STOCK, Permit

log = logging.getLogger(__name__)

FORBIDDEN_STATUS = 403


async def look(
    account: str, name: str, inventory: CouponInventory, client: ConnectifClient, permit: Permit
) -> None:
    """Read a set's counters, and release codes if it has run low."""
    coupon_set, counters = inventory.sets[name], None
    before = (coupon_set.trouble, coupon_set.is_empty)
    try:
        answer = await permit.call(
            "coupon-sets",
            lambda: _get(client, coupon_set.settings.set_id),
            may_be_absent=True,
            purpose=STOCK,
        )
        counters = _counters(answer)
    finally:
        released = inventory.seen(name, counters, asyncio.get_running_loop().time())
    if released:
        log.info(
            "account %s: %d codes for coupon set %s, %d wait", account, released, name, coupon_set.waiting
        )
    if (coupon_set.trouble, coupon_set.is_empty) != before:
        _say(account, name, coupon_set)


async def _get(client: ConnectifClient, set_id: str) -> Answer:
    """A missing right to read sets affects the set only, not the account."""
    answer = await client.get_coupon_set(set_id)
    return replace(answer, kind=AnswerKind.ABSENT) if answer.kind is AnswerKind.FORBIDDEN else answer


def _counters(answer: Answer) -> Counters | None:
    """The set's counters in an answer; None if there are none, as calls of the account fail."""
    if answer.good:
        return read_counters(answer.body)
    if answer.kind is AnswerKind.ABSENT:
        return Counters(trouble=FORBIDDEN if answer.status == FORBIDDEN_STATUS else ABSENT)
    return Counters(trouble=ABSENT) if answer.kind is AnswerKind.INVALID else None


def _say(account: str, name: str, coupon_set: CouponSetInventory) -> None:
    level = logging.ERROR if coupon_set.trouble else logging.WARNING if coupon_set.is_empty else logging.INFO
    log.log(
        level,
        "account %s: %s",
        account,
        messages.coupon_set(name, coupon_set),
        extra={"event": "deliver.coupon_set", "account": account, "set": name},
    )
