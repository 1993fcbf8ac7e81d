"""What all accounts of a sandbox share: time, random numbers, the API's behaviour and the faults."""

from __future__ import annotations

import random

from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour
from pipeline.sandbox.connectif.simulation.clock import Clock
from pipeline.sandbox.connectif.simulation.faults import FaultInjector

#: The API's minute.
WINDOW_SECONDS = 60.0


class SimulationState:
    """Clock, seeded random numbers, behaviour and faults.

    Args:
        clock: where time comes from.
        speed: what durations of the API are divided by.
        behaviour: as the sandbox starts.
        seed: the same seed gives the same ids and the same random numbers.
        calls_kept: calls remembered one by one, per account.
    """

    def __init__(
        self, clock: Clock, speed: float, behaviour: ApiBehaviour, seed: int, calls_kept: int = 200_000
    ) -> None:
        self.clock = clock
        self.speed = speed
        self.seed = seed
        self.calls_kept = calls_kept
        self._first_behaviour = behaviour
        self.reset()

    def reset(self) -> None:
        """Reset to the initial state; the clock keeps running."""
        self.behaviour = self._first_behaviour
        self.random = random.Random(self.seed)  # noqa: S311 - it has to be repeatable
        self.faults = FaultInjector(self.random)
        self.file_secret = self.random.randbytes(32)

    def now(self) -> float:
        """Epoch seconds."""
        return self.clock.now()

    def scaled(self, seconds: float) -> float:
        """The API's seconds -> seconds on the clock."""
        return seconds / self.speed

    @property
    def window(self) -> float:
        """Seconds of the limit's minute."""
        return self.scaled(WINDOW_SECONDS)
