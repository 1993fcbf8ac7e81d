"""One of several gateway processes on one port: what it has of its own, and its part of the limits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple, Self

from pipeline.config import Settings
from pipeline.errors import PipelineError
from pipeline.gateway.last_events import NAME as LAST_EVENTS

_MEMBER = re.compile(r"([1-9][0-9]{0,2})/([1-9][0-9]{0,2})")
_SPOOL = re.compile(r"spool-([1-9][0-9]{0,2})")
_DIRECTORY = "gateway"


class Member(NamedTuple):
    """A process of the gateway.

    Attributes:
        number: which; the first is 1.
        of: how many there are.
    """

    number: int = 1
    of: int = 1

    @classmethod
    def read(cls, text: str) -> Self:
        """From the command line: `2/3`.

        Raises:
            PipelineError: it is something else.
        """
        found = _MEMBER.fullmatch(text)
        if not found or int(found[1]) > int(found[2]):
            raise PipelineError(f"{text} is no process of a gateway", hint="use --processes")
        return cls(int(found[1]), int(found[2]))

    @property
    def spool(self) -> Path:
        """The directory of its spool, in `data_dir`."""
        return Path(_DIRECTORY, f"spool{self._suffix}")

    @property
    def last_events(self) -> Path:
        """The file with the moments of its last events, in `data_dir`."""
        return Path(_DIRECTORY, f"{LAST_EVENTS}{self._suffix}.json")

    @property
    def _suffix(self) -> str:
        return "" if self.number == 1 else f"-{self.number}"

    def left_behind(self, data_dir: Path) -> list[Path]:
        """Spools of processes that there are no more, which the first one drains."""
        if self.number > 1 or not (data_dir / _DIRECTORY).is_dir():
            return []
        found = ((_SPOOL.fullmatch(path.name), path) for path in (data_dir / _DIRECTORY).iterdir())
        return sorted(path for name, path in found if name and int(name[1]) > self.of and path.is_dir())

    def settings(self, settings: Settings) -> Settings:
        """The settings with its part of what all together may hold, in memory and on the disk."""
        gateway = settings.gateway
        part = {
            "spool_max_bytes": gateway.spool_max_bytes // self.of,
            # A body of the largest size fits in any case.
            "max_held_bytes": max(gateway.max_held_bytes // self.of, 2 * gateway.max_body_bytes),
        }
        if self.of == 1:
            return settings
        return settings.model_copy(update={"gateway": gateway.model_copy(update=part)})


ALONE = Member()
