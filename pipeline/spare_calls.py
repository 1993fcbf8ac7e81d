"""Calls of an account that its worker leaves over: the lowest lane there is.

The limiter has the account's whole limit, with all but `per_minute` of it in reserve for others: what they
use shows in Connectif's answers, and then this one waits for the next window. So it takes only what the
pipeline's own worker has left over, at least one call a window.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pipeline.config_accounts import AccountSettings
from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.errors import PipelineError
from pipeline.limiter.limiter import Limiter
from pipeline.limiter.state import Observation

#: Of the account's calls, the share that is used unless the operator says otherwise.
SHARE = 0.1


def calls_per_minute(account: AccountSettings, asked: int | None) -> int:
    """How many calls a minute are made: what the operator says, else a share of the account's.

    Raises:
        PipelineError: more than the account may make.
    """
    most = account.calls_per_minute - account.reserve_calls
    if asked is not None and asked > most:
        raise PipelineError(
            f"the account may make {most} calls a minute", field="--calls-per-minute", hint=f"at most {most}"
        )
    return asked if asked is not None else max(1, int(most * SHARE))


class SpareCalls:
    """See the module.

    Args:
        name: the account's.
        account: its settings.
        per_minute: calls a minute at most.
        permission: what the key must be allowed, in words.

    Attributes:
        made: calls so far.
    """

    def __init__(self, name: str, account: AccountSettings, per_minute: int, permission: str) -> None:
        self._name, self._permission = name, permission
        reserve = account.calls_per_minute - per_minute
        self._limiter = Limiter(account.calls_per_minute, account.window_seconds, reserve)
        self.made = 0

    async def call(self, request: Callable[[], Awaitable[Answer]]) -> Answer:
        """Make a call once it is its turn; one that is refused with 429 is made again.

        Raises:
            PipelineError: the key is refused, or is not allowed to.
        """
        answer = await self.answered(request)
        if answer.kind in {AnswerKind.UNAUTHORISED, AnswerKind.FORBIDDEN}:
            raise PipelineError(
                f"Connectif refuses the key ({answer.status})",
                store=self._name,
                hint=f"the key needs the permission to {self._permission}",
            )
        return answer

    async def answered(self, request: Callable[[], Awaitable[Answer]]) -> Answer:
        """As `call`; an answer that refuses the key is one, too."""
        while True:
            answer = await self._once(request)
            if answer.kind is not AnswerKind.LIMITED:  # of that, the limiter knows how long to wait
                return answer

    async def _once(self, request: Callable[[], Awaitable[Answer]]) -> Answer:
        loop = asyncio.get_running_loop()
        while (seconds := self._limiter.wait(loop.time())) > 0:  # noqa: ASYNC110 - it tells a time, no event
            # An answer to another call may let it go earlier.
            await asyncio.sleep(min(seconds, 0.05))
        call = self._limiter.start(loop.time())
        self.made += 1
        seen = Observation()
        try:
            answer = await request()
            rate = answer.rate
            limited = answer.kind is AnswerKind.LIMITED
            seen = Observation(rate.limit, rate.remaining, rate.reset_in, rate.retry_after, limited=limited)
            return answer
        finally:
            self._limiter.finish(call, loop.time(), seen)
