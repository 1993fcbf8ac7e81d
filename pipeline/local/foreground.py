"""`pipeline kafka`: the embedded broker in the foreground."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from types import FrameType

from pipeline.local.broker import EmbeddedKafka

CHECK_SECONDS = 0.5
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Stop(BaseException):
    """SIGTERM or SIGINT; like KeyboardInterrupt no Exception, so that no handler takes it for an error."""


def serve(kafka: EmbeddedKafka, announce: Callable[[str], None]) -> None:
    """Run the broker until a signal or the end of the terminal; `announce` gets its address once it answers.

    Raises:
        BrokerError: it cannot be started, or stopped by itself.
    """
    for number in _SIGNALS:
        signal.signal(number, _stop)
    with contextlib.suppress(_Stop), kafka:
        announce(kafka.bootstrap)
        while True:
            time.sleep(CHECK_SECONDS)
            kafka.check()


def _stop(_number: int, _frame: FrameType | None) -> None:
    # A second signal must not cut the clean stop short.
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise _Stop
