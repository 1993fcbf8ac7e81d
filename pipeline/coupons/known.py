"""Whether Connectif has a coupon set: asked before codes are given to it, at one call of the account's."""

from __future__ import annotations

import asyncio

from pipeline.config import Settings
from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.coupons.add import CouponTarget
from pipeline.errors import PipelineError

#: Seconds the answer may take: a person waits for the command.
TIMEOUT = 10.0


def doubt(settings: Settings, to: CouponTarget) -> str:
    """Why it is not known whether the set is there; empty where it is.

    Raises:
        PipelineError: it is not there.
    """
    answer = asyncio.run(_ask(settings, to))
    if answer.kind is AnswerKind.ABSENT:
        known = ", ".join(settings.accounts[to.account].coupons) or "none"
        raise PipelineError(
            f"Connectif has no coupon set {to.set_id} in this account; nothing was added",
            store=to.account,
            field="--set",
            hint=f"name one by its id in Connectif, or one of the settings ({known})",
        )
    if answer.kind is AnswerKind.OK:
        return ""
    said = answer.detail or answer.kind.value
    return (
        f"Connectif could not be asked whether it has the set {to.set_id} ({said}); if it has not, these "
        "codes become dead letters"
    )


async def _ask(settings: Settings, to: CouponTarget) -> Answer:
    async with ConnectifClient(to.account, settings.accounts[to.account], timeout=TIMEOUT) as client:
        return await client.get_coupon_set(to.set_id)
