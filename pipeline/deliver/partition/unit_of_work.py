"""What this stage asks of the engine: steps to write into, confirmed in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self, TypeVar


class UnitOfWork(Protocol):
    """What the stage writes into; `pipeline.engine.steps.Step` is one.

    A context: if it is left without having been submitted, its writes are rolled back.
    """

    def __enter__(self) -> Self:
        """Begin the step."""

    def __exit__(self, *_: object) -> None:
        """Roll back what was not submitted."""

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


S = TypeVar("S", bound=UnitOfWork)


class Committer(Protocol[S]):
    """Makes steps and has them confirmed; implemented by `pipeline.engine`."""

    def begin(self) -> S:
        """A new step."""

    async def confirm(self, step: S) -> None:
        """Submit a step; return once it and all steps before it are confirmed."""

    async def submit(self, step: S) -> None:
        """Submit a step; it will be confirmed after those before it."""
