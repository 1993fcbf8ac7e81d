"""Exports: asked for, done as the clock goes, downloaded as ZIP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.sandbox.connectif.model.api_errors import coded_error
from pipeline.sandbox.connectif.model.field_types import iso
from pipeline.sandbox.connectif.model.ids import MakeId
from pipeline.sandbox.connectif.simulation.state import SimulationState

ExportStatus = Literal["queued", "inProgress", "finished", "error"]
#: Exports that are listed, per account.
MAX_KEPT_EXPORTS = 2_000


@dataclass(slots=True, eq=False)
class ExportJob:
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

    def status(self, now: float) -> ExportStatus:
        """How far it is."""
        if now < self.starts:
            return "queued"
        if now < self.ends:
            return "inProgress"
        return "finished" if self.fails_after is None else "error"

    def to_json(self, now: float, total: int, file_url: str | None) -> dict[str, Any]:
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


class ExportJobs:
    """The exports of one account."""

    def __init__(self, simulation: SimulationState, make_id: MakeId) -> None:
        self._simulation = simulation
        self._make_id = make_id
        self._created_count = 0
        self._jobs: dict[str, ExportJob] = {}

    def create(
        self,
        export_type: str,
        request: Mapping[str, Any],
        file_name: str,
        now: float,
        span: tuple[float, float] | None,
        *,
        fails_after: int | None = None,
    ) -> ExportJob:
        """Queue an export; with `fails_after` it ends in error after so many rows.

        Raises:
            ApiError: 400 E0301 while too many are waiting.
        """
        simulation = self._simulation
        waiting = sum(now < job.ends for job in self._jobs.values())
        if waiting >= simulation.behaviour.max_exports:
            raise coded_error(
                "E0301",
                f"You have reached the limit of {simulation.behaviour.max_exports} queued exports. "
                "Please try again when any queued export has been completed or deleted.",
            )
        self._created_count += 1
        starts = now + simulation.scaled(simulation.behaviour.export_queue_seconds)
        job = ExportJob(
            id=self._make_id(self._created_count, now, 1),
            export_type=export_type,
            request=request,
            file_name=file_name,
            created=now,
            starts=starts,
            ends=starts + simulation.scaled(simulation.behaviour.export_in_progress_seconds),
            fails_after=fails_after,
        )
        if span is not None:
            job.after, job.before = span
        self._jobs[job.id] = job
        if len(self._jobs) > MAX_KEPT_EXPORTS:
            del self._jobs[next(iter(self._jobs))]
        return job

    def find(self, export_id: str) -> ExportJob | None:
        """The export with that id."""
        return self._jobs.get(export_id)

    def newest_first(self) -> list[ExportJob]:
        """Every export."""
        return list(reversed(self._jobs.values()))

    def delete(self, job: ExportJob) -> None:
        """Delete it, whatever its status."""
        del self._jobs[job.id]
