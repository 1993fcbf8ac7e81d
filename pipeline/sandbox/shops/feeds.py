"""Feeds: a queue whose items come again until they are committed, and a journal with positions."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, quote

from pydantic import BaseModel, ConfigDict, Field

OK, NO_CONTENT, BAD_REQUEST, NOT_ALLOWED, GONE = 200, 204, 400, 405, 410


class Strict(BaseModel):
    """What is given over HTTP."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(Strict):
    """What is answered to a path: JSON, or a text."""

    status: int = Field(default=200, ge=200, le=599)
    body: Any = None
    text: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)


class QueueSettings(Strict):
    """A feed that keeps its items until they are committed."""

    path: str = Field(default="/api/orders/feed", description="GET gives items out, POST commits handles")
    visibility: float = Field(default=240.0, gt=0, description="seconds until an item is given out again")
    at_once: int = Field(default=10, ge=1, description="items of one answer at most")


class JournalSettings(Strict):
    """A feed that is read from a position on."""

    path: str
    at_once: int = Field(default=100, ge=1, description="events of one answer at most")
    retry_after: int = Field(default=10, ge=0, description="said where there is nothing new")


class Queue:
    """Items that are given out with handles, each time with a new one; at least once, in no certain order.

    Attributes:
        path: of both requests.
        committed: items that were.
    """

    def __init__(self, settings: QueueSettings) -> None:
        self.path = settings.path
        self._settings = settings
        self._items: list[Any] = []
        #: When each item may be given out, by its place.
        self._free_at: dict[int, float] = {}
        self._handles: dict[str, int] = {}
        self.given = 0
        self.committed = 0

    def add(self, items: list[Any]) -> None:
        """Let something happen."""
        for item in items:
            self._free_at[len(self._items)] = 0.0
            self._items.append(item)

    def answer(self, method: str, query: str, body: bytes, now: float) -> Answer:
        """What is answered to a request."""
        if method == "GET":
            return self._give(query, now)
        return self._commit(body) if method == "POST" else Answer(status=NOT_ALLOWED)

    def figures(self) -> dict[str, int]:
        """How many items there were, were given out (again, too), and wait."""
        figures = {"items": len(self._items), "given": self.given}
        return {**figures, "committed": self.committed, "waiting": len(self._free_at)}

    def _give(self, query: str, now: float) -> Answer:
        try:
            wanted = int(parse_qs(query).get("maxlot", ["1"])[0])
        except ValueError:
            wanted = 0
        if not 1 <= wanted <= self._settings.at_once:
            return Answer(status=BAD_REQUEST, body={"message": f"maxlot is 1 to {self._settings.at_once}"})
        free = [number for number, at in self._free_at.items() if at <= now][:wanted]
        return Answer(body=[self._given(number, now) for number in free])

    def _given(self, number: int, now: float) -> Any:
        self.given += 1
        handle = f"handle-{number}-{self.given}"
        self._free_at[number] = now + self._settings.visibility
        self._handles[handle] = number
        item = self._items[number]
        return {**item, "handle": handle} if isinstance(item, dict) else item

    def _commit(self, body: bytes) -> Answer:
        try:
            handles = json.loads(body)["handles"]
            numbers = [self._handles[handle] for handle in handles]
        except (ValueError, TypeError, LookupError):
            return Answer(status=BAD_REQUEST, body={"message": "no handles of this feed"})
        for number in numbers:
            if self._free_at.pop(number, None) is not None:
                self.committed += 1
        return Answer(text="")


class Journal:
    """Events in their order; a position is behind an event.

    Attributes:
        path: of its requests.
    """

    def __init__(self, settings: JournalSettings) -> None:
        self.path = settings.path
        self._settings = settings
        self._events: list[Any] = []
        self._oldest = 0

    def add(self, events: list[Any]) -> None:
        """Let something happen."""
        self._events += events

    def expire(self) -> None:
        """Forget every event up to now, and end every position that was given out."""
        self._events.append(None)  # stands before the oldest, so that new positions are others
        self._oldest = len(self._events)

    def answer(self, method: str, query: str, body: bytes, now: float) -> Answer:  # noqa: ARG002 - as `Queue`
        """What is answered to a request."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        since, limit = asked.get("since"), asked.get("limit", str(self._settings.at_once))
        if method != "GET" or not limit.isdecimal() or int(limit) < 1:
            return Answer(status=NOT_ALLOWED if method != "GET" else BAD_REQUEST)
        first = self._oldest if since is None else self._behind(since)
        if first is None:
            return Answer(status=BAD_REQUEST, body={"message": "no position of this journal"})
        if first < self._oldest:
            return Answer(status=GONE, text=f"Events at position {since} have expired.")
        return self._page(first, min(int(limit), self._settings.at_once))

    def _page(self, first: int, limit: int) -> Answer:
        found = self._events[first : first + limit]
        behind = self._position(first + len(found))
        link = f'<{self.path}?since={quote(behind, safe=":")}&limit={limit}>; rel="next"'
        if not found:
            wait = {"retry-after": str(self._settings.retry_after)}
            return Answer(status=NO_CONTENT, headers={"link": link, **wait})
        events = [
            {"position": self._position(first + number), "event": event}
            for number, event in enumerate(found, 1)
        ]
        page = {"last": behind, "count": len(found)}
        return Answer(body={"events": events, "_page": page}, headers={"link": link})

    @staticmethod
    def _position(number: int) -> str:
        return f"moose:{number}"

    @staticmethod
    def _behind(position: str) -> int | None:
        name, _, number = position.partition(":")
        return int(number) if name == "moose" and number.isdecimal() else None
