"""What a message of `shop.replay` says of the event it repeats: these headers, besides the event's own."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple

from pipeline.kafka.messages import Headers, SentHeaders

#: Header -> meaning. Values are UTF-8 text.
HEADERS: Mapping[str, str] = {
    "replay-run": "the run that repeats it",
    "replay-topic": "the topic the event lies in, without the prefix",
    "replay-partition": "its partition there; the same on shop.replay",
    "replay-offset": "its offset there",
    "replay-mode": "missing: sent where Connectif was not told so before; force: sent in any case",
    "replay-trigger": "1: purchases may start workflows; left out: they may not",
}
#: The header of a message of `shop.replay` that repeats nothing: the state of its key's entity is to hold
#: nothing of a person any more. Its value is the request's id.
ERASES = "replay-erases"
#: What the run of a dead letter's event is called by; behind it stands the letter.
REDRIVE_PREFIX = "redrive-"
#: Headers that are none of the event's: those of a dead letter that is put back are not, either.
_NOT_ITS_OWN = ("replay-", "dead-")


class ReplayMode(enum.StrEnum):
    """What of an event is sent."""

    MISSING = "missing"  # what Connectif was not told, or told otherwise
    FORCE = "force"  # all of it


class ReplayMark(NamedTuple):
    """Which event a message of `shop.replay` repeats, and how; the fields are those of `HEADERS`."""

    run: str
    topic: str
    partition: int
    offset: int
    mode: ReplayMode
    trigger: bool = False

    @property
    def is_redriven(self) -> bool:
        """Whether it is a dead letter's event, sent again."""
        return self.run.startswith(REDRIVE_PREFIX)

    def headers(self) -> list[tuple[str, bytes]]:
        """As headers."""
        said = [
            ("replay-run", self.run.encode()),
            ("replay-topic", self.topic.encode()),
            ("replay-partition", b"%d" % self.partition),
            ("replay-offset", b"%d" % self.offset),
            ("replay-mode", self.mode.encode()),
        ]
        return [*said, ("replay-trigger", b"1")] if self.trigger else said

    @classmethod
    def of(cls, headers: Headers) -> ReplayMark:
        """Read it from a message's headers.

        Raises:
            ValueError: there is none, or one of another form.
        """
        said = {name: (value or b"").decode(errors="replace") for name, value in headers}
        try:
            mark = cls(
                said["replay-run"],
                said["replay-topic"],
                int(said["replay-partition"]),
                int(said["replay-offset"]),
                ReplayMode(said["replay-mode"]),
                said.get("replay-trigger") == "1",
            )
        except KeyError as missing:
            raise ValueError(f"header {missing.args[0]} is missing") from missing
        if mark.partition < 0 or not 0 <= mark.offset < 2**63:
            raise ValueError("the event lies nowhere")
        return mark


def event_headers(headers: Headers) -> list[tuple[str, bytes | None]]:
    """The headers of the event itself."""
    return [(name, value) for name, value in headers if not name.startswith(_NOT_ITS_OWN)]


def replay_headers(headers: Headers, mark: ReplayMark) -> SentHeaders:
    """The headers of the message that repeats an event."""
    own = ((name.encode(errors="replace").decode(), value or b"") for name, value in event_headers(headers))
    return [*own, *mark.headers()]


__all__ = ["HEADERS", "ReplayMark", "ReplayMode", "event_headers", "replay_headers"]
