"""How large a file gets there: learned from those that took too long or were too large."""

from __future__ import annotations

from pipeline.connectif.answers import Answer
from pipeline.deliver.send.health import of_its_size

#: Bytes below which no file is made smaller, and by how much the next one is larger after one that got there.
SMALLEST, GROWTH = 1_000, 1.1


class FileSize:
    """One account's.

    Args:
        largest: bytes that a file may have by the settings.

    Attributes:
        most: bytes of the next file.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self.most = largest

    def learn(self, answer: Answer, size: int) -> bool:
        """Take the answer to a file of so many bytes into account: whether it failed for its size."""
        of_size = of_its_size(answer, size)
        if of_size:
            self.most = min(self.most, max(SMALLEST, size // 2))
        elif answer.good:
            self.most = min(self._largest, max(self.most, int(GROWTH * size)))
        return of_size
