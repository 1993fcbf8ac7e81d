"""What is kept of a store's pulls: what is wanted, how far the run is, and what was read before. Pure."""

from __future__ import annotations

import enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipeline.events import Kind, Lane
from pipeline.records import Frozen
from pipeline.shops.api import ApiRequest
from pipeline.shops.pull import PullPass, PullScope

#: Ids of commands that were taken, so that one that is read again is not run again.
TAKEN = 50


class Wanted(enum.StrEnum):
    """What a run reads."""

    FULL = "full"  # everything
    SINCE = "since"  # what changed since a moment
    DAILY = "daily"  # what changed since the last run, the whole catalogue, and the orders of a day
    STOP = "stop"  # nothing: the run under way ends


class Command(Frozen):
    """What an operator, or the day, wants; the value of a message of `sync.commands`.

    Attributes:
        id: of the run it makes.
        store: its name.
        wanted: what is read.
        since_ms: of `since`: from when on, in epoch milliseconds.
        kinds: what is read; none: all.
        dry_run: only the first page of each list is read, and nothing is sent.
        accept_deletions: however many entities are missing, they are deleted.
        at_ms: when it was given.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")
    store: str
    wanted: Wanted
    since_ms: int | None = None
    kinds: tuple[Kind, ...] = ()
    dry_run: bool = False
    accept_deletions: bool = False
    at_ms: int = 0

    @property
    def ends_others(self) -> bool:
        """Whether it does not wait for the end of the run under way."""
        return self.wanted is Wanted.STOP or (self.wanted is Wanted.FULL and not self.dry_run)


class PassStatus(enum.StrEnum):
    """Where a pass is."""

    WAITING = "waiting"
    READING = "reading"
    DONE = "done"
    FAILED = "failed"


class RunStatus(enum.StrEnum):
    """Where a run is."""

    RUNNING = "running"
    DONE = "done"  # all of it was read
    FAILED = "failed"  # a pass was given up; its `error` says why
    STOPPED = "stopped"  # by an operator, or by another command


class _Kept(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Pending(_Kept):
    """A request that is to be made.

    Attributes:
        is_part: whether it may be missing at the shop.
    """

    path: str
    method: str = "GET"
    headers: dict[str, str] = {}
    body: str = ""
    note: str = ""
    is_part: bool = False

    @classmethod
    def of(cls, request: ApiRequest, *, is_part: bool = False) -> Pending:
        """Keep a request."""
        return cls(
            path=request.path,
            method=request.method,
            headers=dict(request.headers),
            body=request.body.decode(),
            note=request.note,
            is_part=is_part,
        )

    @property
    def request(self) -> ApiRequest:
        """As it was."""
        return ApiRequest(self.path, self.method, self.headers, self.body.encode(), self.note)


class Pass(_Kept):
    """One list of a run.

    Attributes:
        pending: requests that are to be made, in this order: the cursor.
        requests: that were answered.
        read: rows of their pages.
        sent: of them, events that were stored.
        unchanged: of them, those that say what was stored before.
        deleted: entities that are gone, and were told so.
        dropped: rows that cannot be completed or kept.
        total: rows that the shop counts.
        effort: what one row takes, beside a row of the other lists.
        newest_ms: when the last changed row was changed, by the shop's clock.
    """

    kind: Kind
    reads: PullPass
    since_ms: int | None = None
    until_ms: int
    status: PassStatus = PassStatus.WAITING
    pending: list[Pending] = []
    requests: int = 0
    read: int = 0
    sent: int = 0
    unchanged: int = 0
    deleted: int = 0
    dropped: int = 0
    total: int | None = None
    effort: float = 1.0
    newest_ms: int | None = None
    began_ms: int = 0
    ended_ms: int = 0
    error: str = ""

    @property
    def scope(self) -> PullScope:
        """As the platform is asked."""
        return PullScope(self.kind, self.reads, self.since_ms, self.until_ms)

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is to be read any more."""
        return self.status in {PassStatus.DONE, PassStatus.FAILED}


class Run(_Kept):
    """A run.

    Attributes:
        command: what made it.
        number: counts the store's runs: rows that were seen have it.
        lane: of the events it makes.
        held: entities that are missing at the shop, and too many to be believed, by kind.
    """

    command: Command
    number: int
    lane: Lane = Lane.BACKFILL
    status: RunStatus = RunStatus.RUNNING
    passes: list[Pass] = []
    began_ms: int
    ended_ms: int = 0
    held: dict[Kind, int] = {}

    @property
    def current(self) -> Pass | None:
        """The pass that is read next; None where all are over."""
        return next((one for one in self.passes if not one.is_over), None)


class StoreState(_Kept):
    """A store's pulls; one row of the table `pulls`.

    Attributes:
        run: the last one, or the one under way.
        runs: how many there were.
        taken: ids of the last commands.
        day: the last date, by the store's clocks, whose daily run was begun.
        marks: up to when changes were read, by the shop's clock, by kind.
        complete_ms: when the last whole run (not of some kinds, no dry run) ended well.
        full_ms: the same of the last full one.
        known_ms: since when the store is here.
        counts: rows of each list when it was last read whole; so are the next.
        paces: seconds that a row of it took.
    """

    store: str
    run: Run | None = None
    runs: int = 0
    taken: list[str] = []
    day: str = ""
    marks: dict[Kind, int] = {}
    complete_ms: int = 0
    full_ms: int = 0
    known_ms: int = 0
    counts: dict[str, int] = {}
    paces: dict[str, float] = {}

    def encode(self) -> bytes:
        """The row."""
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, row: bytes) -> StoreState:
        """Read a row that `encode` wrote."""
        return cls.model_validate_json(row)

    @property
    def under_way(self) -> Run | None:
        """The run that is not over."""
        return self.run if self.run is not None and self.run.status is RunStatus.RUNNING else None

    def as_json(self) -> dict[str, Any]:
        """For whoever asks: without the requests, which only the shop understands."""
        passes = {"passes": {"__all__": {"pending"}}}
        said: dict[str, Any] = self.model_dump(mode="json", exclude={"taken": True, "run": passes})
        return said
