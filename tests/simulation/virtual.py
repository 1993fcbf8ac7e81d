"""An event loop on virtual time: whoever sleeps wakes in order, and nobody waits.

With everything in process there is no input from outside, so when nothing is ready the clock goes to the next
timer. A day passes in seconds, and the same program gives the same day.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
#: When virtual time begins, in epoch seconds.
EPOCH = 1_700_000_000.0


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everyone waits and no timer is set: this would hang for ever")
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module; `epoch` is its time zero, in epoch seconds."""

    def __init__(self, epoch: float = EPOCH) -> None:
        self.epoch = epoch
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run(work: Coroutine[Any, Any, T], *, epoch: float = EPOCH) -> T:
    """Run `work` to its end on virtual time that begins at `epoch`."""
    with asyncio.Runner(loop_factory=partial(VirtualLoop, epoch)) as runner:
        runner.get_loop().set_exception_handler(_raise)
        return runner.run(work)


def wall() -> float:
    """Epoch seconds of the running loop."""
    loop = asyncio.get_running_loop()
    return (loop.epoch if isinstance(loop, VirtualLoop) else EPOCH) + loop.time()


class LoopClock:
    """The running loop's time, for the sandbox."""

    def now(self) -> float:
        """Epoch seconds."""
        return wall()

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed."""
        await asyncio.sleep(seconds)


def _raise(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if error is None:
        loop.default_exception_handler(context)
        return
    loop.stop()
    raise RuntimeError(str(context.get("message"))) from error
