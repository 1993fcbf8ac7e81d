"""What all examinations are given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Settings
from pipeline.local import addresses

#: Where the gateway of `pipeline up` takes webhooks, if nobody says otherwise.
USUAL_GATEWAY = "http://127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Context:
    """What is examined.

    Attributes:
        path: the settings file.
        settings: what of it can be used here.
        processes: addresses of processes that are in no consumer group, on other machines.
        gateway: where the gateway takes webhooks, if the operator says so.
    """

    path: Path
    settings: Settings
    processes: tuple[str, ...] = ()
    gateway: str | None = None

    @property
    def gateway_here(self) -> str:
        """Where the gateway takes webhooks without what stands before it."""
        return self.gateway or addresses.webhooks(self.settings.data_dir) or USUAL_GATEWAY
