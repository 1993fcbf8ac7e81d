"""What an operator reads in the log of an account, once for each change."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pipeline.deliver.schedule.coupon_inventory import (
    ABSENT,
    FORBIDDEN,
    NOT_MULTIPLE,
    UNREADABLE,
    CouponSetInventory,
)
from pipeline.deliver.schedule.coupon_inventory import REFUSED as CODES_REFUSED
from pipeline.deliver.send.call_failures import REFUSED, Failing
from pipeline.deliver.send.health import ENDED_BY_RESTART, PROBE_EVERY
from pipeline.limiter.limiter import Limiter
from pipeline.text import moment, span

log = logging.getLogger(__name__)


def stopped(account: str, reason: str, detail: str) -> None:
    """Log that an account is stopped and what to do about it, or that it continues."""
    if not reason:
        log.info("account %s: delivered to again", account)
    elif reason in ENDED_BY_RESTART:
        log.error(
            "account %s: stopped, too many records were refused (%s, the last: %s); see its dead letters, "
            "and start this worker again to continue",
            account,
            reason,
            detail,
        )
    else:
        log.error(
            "account %s: stopped, Connectif refuses its key (%s: %s); tried again every %d s; a changed key "
            "is read when this worker starts",
            account,
            reason,
            detail,
            PROBE_EVERY,
        )


def failing(account: str, wall: Callable[[], float], now: Failing | None, before: Failing | None) -> None:
    """One line when calls begin to fail, one for each new cause, one when it is over."""
    if now is not None and now.cause not in REFUSED:
        log.warning(
            "account %s: calls to Connectif (%s) fail since %s: %s; what waits is kept and tried again",
            account,
            ", ".join(now.routes),
            moment(now.since),
            now.sentence,
        )
    elif now is None and before is not None and before.cause not in REFUSED:
        log.warning("account %s: Connectif answers again, after %s", account, span(wall() - before.since))


def slowed(account: str, budget: Limiter, limit: int | None, away: float | None) -> None:
    """The server's limit against the settings'."""
    if limit is not None:
        log.warning(
            "account %s: Connectif says that its limit is %d calls in %g s, the settings say %d; the lower "
            "one is kept to",
            account,
            limit,
            budget.window,
            budget.limit,
        )
    if away is not None:
        log.warning(
            "account %s: Connectif answers 429 and asks for %.0f s without a call (Retry-After); one call "
            "asks again every %g s",
            account,
            away,
            budget.longest_away,
        )


_WAYS_OUT = {
    ABSENT: "Connectif has no such set; correct set_id",
    FORBIDDEN: "the API key may not read coupon sets; give it that permission",
    NOT_MULTIPLE: "only sets of type multiple take codes; correct set_id",
    UNREADABLE: "the answer cannot be understood",
    CODES_REFUSED: "Connectif takes none of the codes; see its dead letters, and start this worker again "
    "to continue",
}


def coupon_set(name: str, inventory: CouponSetInventory) -> str:
    """The state of a set that is kept filled."""
    if inventory.trouble:
        return f"coupon set {name} is not topped up ({inventory.trouble}): {_WAYS_OUT[inventory.trouble]}"
    if inventory.available is None:
        return f"coupon set {name} was not checked yet; {inventory.waiting:,} codes wait for it"
    if inventory.is_empty:
        return (
            f"coupon set {name} has {inventory.available:,} codes left and no more wait for it; add some by "
            "`pipeline coupons add`"
        )
    return f"coupon set {name} has {inventory.available:,} codes left, and {inventory.waiting:,} wait for it"
