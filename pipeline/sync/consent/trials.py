"""What became of the statements that a check made: kept in memory for the check that asks."""

from __future__ import annotations

from pipeline.shops.probe import is_trial

#: Where a worker says it.
PAGE = "/sync/trial"
#: Trials that are remembered, the latest ones.
MOST = 100


class Trials:
    """The endings of trials' statements."""

    def __init__(self) -> None:
        self._ended: dict[tuple[str, str], str] = {}

    def end(self, store: str, address: str, how: str) -> None:
        """A statement ended; that of anybody but a trial is not kept.

        Args:
            store: whose.
            address: of the person.
            how: the reason of the dead letter it would be, or a word for what was done.
        """
        if not is_trial(address):
            return
        self._ended.pop((store, address), None)
        self._ended[store, address] = how
        while len(self._ended) > MOST:
            del self._ended[next(iter(self._ended))]

    def ended(self, store: str, address: str) -> str | None:
        """How it ended; None: not yet, or another worker had it."""
        return self._ended.get((store, address))
