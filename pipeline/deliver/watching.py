"""The errand of a coupon set that is kept filled: one call, and a word to the operator where it matters."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.deliver.coupons import (
    ABSENT,
    FORBIDDEN,
    NOT_MULTIPLE,
    REFUSED,
    UNREADABLE,
    Counters,
    Stock,
    WatchedSet,
    read_counters,
)
from pipeline.deliver.gate import Pass

log = logging.getLogger(__name__)

FORBIDDEN_STATUS = 403
_WAYS_OUT = {
    ABSENT: "Connectif has no such set; correct set_id",
    FORBIDDEN: "the API key may not read coupon sets; give it that permission",
    NOT_MULTIPLE: "only sets of type multiple take codes; correct set_id",
    UNREADABLE: "the answer makes no sense",
    REFUSED: "Connectif takes none of the codes; see its dead letters, and start this worker again to go on",
}


async def look(account: str, name: str, stock: Stock, client: ConnectifClient, way: Pass) -> None:
    """Ask for a set's counters, and let codes go where it has become low."""
    watched, counters = stock.sets[name], None
    before = (watched.trouble, _is_empty(watched))
    try:
        answer = await way.call(
            "coupon-sets", lambda: _get(client, watched.settings.set_id), may_be_absent=True
        )
        counters = _counters(answer)
    finally:
        released = stock.seen(name, counters, asyncio.get_running_loop().time())
    if released:
        log.info("account %s: %d codes for coupon set %s, %d wait", account, released, name, watched.stock)
    if (watched.trouble, _is_empty(watched)) != before:
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


def _is_empty(watched: WatchedSet) -> bool:
    return watched.is_low and not watched.stock


def _say(account: str, name: str, watched: WatchedSet) -> None:
    if watched.trouble:
        way_out = _WAYS_OUT[watched.trouble]
        log.error(
            "account %s: coupon set %s is not topped up (%s): %s", account, name, watched.trouble, way_out
        )
    elif _is_empty(watched):
        log.warning(
            "account %s: coupon set %s has %s codes left and no more wait for it; add some by `pipeline "
            "coupons add`",
            account,
            name,
            watched.available,
        )
    else:
        log.info("account %s: coupon set %s is in order", account, name)
