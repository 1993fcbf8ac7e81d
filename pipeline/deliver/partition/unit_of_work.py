"""What this stage asks of the engine: steps to write into, and somebody who confirms them in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self, TypeVar


class Step(Protocol):
    """What the stage writes into; `pipeline.engine.steps.Step` is one.

    A context: left without having been handed over, it takes back what was written.
    """

    def __enter__(self) -> Self:
        """Begin to write."""

    def __exit__(self, *_: object) -> None:
        """Take back what was not handed over."""

    def write(self, table: Any, partition: int, key: bytes, value: bytes | None) -> None:
        """Set a key of a table, or delete it."""

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> None:
        """Send a message."""


S = TypeVar("S", bound=Step)


class Committer(Protocol[S]):
    """Makes steps and has them confirmed; `pipeline.engine` behind it."""

    def begin(self) -> S:
        """A new step."""

    async def confirm(self, step: S) -> None:
        """Hand a step over; return once all of it, and all of those before it, is confirmed."""

    async def submit(self, step: S) -> None:
        """Hand a step over; it will be confirmed after those before it."""
