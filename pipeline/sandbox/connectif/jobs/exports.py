"""Exports: asked for, done as the clock goes, downloaded as ZIP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pipeline.sandbox.connectif.http.responses import custom
from pipeline.sandbox.connectif.model.field_types import iso
from pipeline.sandbox.connectif.model.storage import MakeId

if TYPE_CHECKING:
    from pipeline.sandbox.connectif.http.account import Account

Status = Literal["queued", "inProgress", "finished", "error"]
#: Exports that are listed, per account.
KEPT = 2_000


@dataclass(slots=True, eq=False)
class Export:
    """One export; `request` is the body that asked for it. Times are epoch seconds.

    `starts` and `ends` bound the time it is in progress; `after` and `before` the time it is about. With
    `fails_after` it ends in error after so many rows.
    """

    id: str
    export_type: str
    request: Mapping[str, Any]
    file_name: str
    created: float
    starts: float
    ends: float
    after: float | None = None
    before: float | None = None
    fails_after: int | None = None
    total: int | None = field(default=None)

    def status(self, now: float) -> Status:
        """How far it is."""
        if now < self.starts:
            return "queued"
        if now < self.ends:
            return "inProgress"
        return "finished" if self.fails_after is None else "error"

    def shown(self, now: float, total: int, file_url: str | None) -> dict[str, Any]:
        """The export as GET answers it."""
        status = self.status(now)
        over = now >= self.ends
        done = total if self.fails_after is None else min(self.fails_after, total)
        share = 0.0 if now < self.starts else (now - self.starts) / ((self.ends - self.starts) or 1.0)
        return {
            "id": self.id,
            "exportType": self.export_type,
            "status": status,
            "progress": done if over else int(done * share),
            "total": total,
            "fileName": self.file_name,
            "fileExtension": "zip",
            **({"fileUrl": file_url} if file_url is not None else {}),
            "filters": self.request.get("filters", {}),
            "delimiter": self.request["delimiter"],
            **({"dateFormat": self.request["dateFormat"]} if "dateFormat" in self.request else {}),
            "version": self.request.get("version", "v1"),
            "origin": "api",
            "createdAt": iso(self.created),
            **({"finishedAt": iso(self.ends)} if over else {}),
        }


class Exports:
    """The exports of one account."""

    def __init__(self, account: Account, make_id: MakeId) -> None:
        self._account = account
        self._make_id = make_id
        self._made = 0
        self._all: dict[str, Export] = {}

    def create(
        self,
        export_type: str,
        request: Mapping[str, Any],
        file_name: str,
        now: float,
        span: tuple[float, float] | None,
        *,
        fails_after: int | None = None,
    ) -> Export:
        """Queue an export; with `fails_after` it ends in error after so many rows.

        Raises:
            Refusal: 400 E0301 while too many are waiting.
        """
        world = self._account.world
        waiting = sum(now < one.ends for one in self._all.values())
        if waiting >= world.switches.max_exports:
            raise custom(
                "E0301",
                f"You have reached the limit of {world.switches.max_exports} queued exports. "
                "Please try again when any queued export has been completed or deleted.",
            )
        self._made += 1
        starts = now + world.scaled(world.switches.export_queue_seconds)
        one = Export(
            id=self._make_id(self._made, now, 1),
            export_type=export_type,
            request=request,
            file_name=file_name,
            created=now,
            starts=starts,
            ends=starts + world.scaled(world.switches.export_in_progress_seconds),
            fails_after=fails_after,
        )
        if span is not None:
            one.after, one.before = span
        self._all[one.id] = one
        if len(self._all) > KEPT:
            del self._all[next(iter(self._all))]
        return one

    def find(self, export_id: str) -> Export | None:
        """The export with that id."""
        return self._all.get(export_id)

    def newest_first(self) -> list[Export]:
        """Every export."""
        return list(reversed(self._all.values()))

    def delete(self, one: Export) -> None:
        """Delete it, whatever its status."""
        del self._all[one.id]
