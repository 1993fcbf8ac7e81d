"""What one round of translate leaves behind: a step, and what is counted of it."""

from __future__ import annotations

from collections import Counter

from pipeline.engine.steps import Step
from pipeline.metrics import (
    COUPONS_USED,
    REDRIVEN_REJECTED,
    TRANSLATE_EVENTS,
    TRANSLATE_NOTES,
    TRANSLATE_REPLAYED,
)


class RoundWork:
    """What one round leaves behind."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.counted: Counter[tuple[str, str, str]] = Counter()
        self.repeated: Counter[tuple[str, str, str]] = Counter()
        self.refused_again: Counter[tuple[str, str, str, str]] = Counter()
        self.noted: Counter[tuple[str, str, str]] = Counter()
        self.used: Counter[tuple[str, str]] = Counter()
        self.strange: Counter[tuple[str, str]] = Counter()

    def export(self) -> None:
        """Add the round to this process's counters."""
        for labels, count in self.counted.items():
            TRANSLATE_EVENTS.labels(*labels).inc(count)
        for labels, count in self.repeated.items():
            TRANSLATE_REPLAYED.labels(*labels).inc(count)
        for letters, count in self.refused_again.items():
            REDRIVEN_REJECTED.labels("translate", *letters).inc(count)
        for labels, count in self.noted.items():
            TRANSLATE_NOTES.labels(*labels).inc(count)
        for names, count in self.used.items():
            COUPONS_USED.labels(*names).inc(count)
