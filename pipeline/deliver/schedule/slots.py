"""The limit, as the scheduler sees it; `pipeline.limiter.limiter.Limiter` is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Slots(Protocol):
    """Calls that may be made in a window."""

    @property
    def window(self) -> float:
        """The limit's window, in seconds."""

    @property
    def spacing(self) -> float:
        """Seconds of a window per slot."""

    def free(self, now: float) -> int:
        """Slots that are free now."""

    def returning(self, now: float) -> Sequence[float]:
        """Seconds until each slot that is taken comes back, the next first."""
