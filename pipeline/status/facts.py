"""What is known of accounts, stores, processes and replays at one moment, as values."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.events import Lane
from pipeline.text import span

#: Why something whose settings cannot be used is stopped.
REFUSED = "its settings cannot be used"


class State(enum.StrEnum):
    """How something is, the worst first."""

    STOPPED = "stopped"
    FAILING = "failing"
    UNKNOWN = "unknown"
    LATE = "late"
    WAITING = "waiting"
    FINE = "fine"

    @property
    def is_trouble(self) -> bool:
        """Whether somebody has to look."""
        return self in {State.STOPPED, State.FAILING, State.UNKNOWN}


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """What waits in a lane: records, and the age of the oldest in seconds; None where none waits."""

    waiting: int = 0
    oldest_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """An account of Connectif.

    Attributes:
        state: how it is.
        reason: why it is stopped, fails, or is not known; one of the metrics' words where they have one.
        failing_seconds: for how long calls have failed; None where they do not.
        lanes: all three.
        used, limit: calls of the window, and how many it has; None where no worker says so.
        eta_seconds: seconds until what waits is sent, at least: a call for each purchase, two for the rows of
            each other kind, at the account's limit, if nothing else comes. None: not foreseeable.
        stores: that feed it.
    """

    name: str
    state: State
    reason: str
    failing_seconds: float | None
    lanes: Mapping[Lane, LaneFacts]
    used: int | None
    limit: int | None
    eta_seconds: float | None
    stores: tuple[str, ...] = ()

    @property
    def waiting(self) -> int:
        """Records that wait, of all lanes."""
        return sum(lane.waiting for lane in self.lanes.values())


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """A shop's feed. Times are epoch seconds; None: none yet, or no process says so.

    Attributes:
        state: how it is.
        reason: why it is in trouble.
        last_event: when the gateway last kept an event.
        last_sync: when the last whole sync began.
        sync: where its last run of `pipeline sync` is; empty where there was none.
        fetching: notifications whose documents are not fetched.
        last_reconcile: when the last daily reconcile was done.
        missing: orders that it found missing; None where there was none.
        command: that says more of its trouble.
    """

    name: str
    platform: str
    accounts: tuple[str, ...]
    state: State
    reason: str = ""
    last_event: float | None = None
    last_sync: float | None = None
    sync: str = ""
    fetching: int = 0
    last_reconcile: float | None = None
    missing: int | None = None
    command: str = ""


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """A process.

    Attributes:
        name: the kind of it, such as `deliver`; with its worker's name where that is known.
        url: of its HTTP side.
        ready: whether it takes traffic.
        why: why not; or what it complains of.
        version: of the program; empty where it does not say.
        lag: messages that it has not dealt with yet.
    """

    name: str
    url: str
    ready: bool
    why: str = ""
    version: str = ""
    lag: int = 0


@dataclass(frozen=True, slots=True)
class ReplayFacts:
    """A replay that is not over, or ended within a day.

    Attributes:
        run: its id.
        status: where it is.
        trouble: why it does not get on; empty where it does.
        done, total: events that are dealt with, and to be repeated; 0 where that is not known.
        seconds_left: at its rate; None where that is not known.
    """

    run: str
    status: str
    trouble: str = ""
    done: int = 0
    total: int = 0
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """What somebody has to look at, in a sentence, and the command that says more; empty where none does."""

    sentence: str
    command: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of it, the worst first.

    Attributes:
        at: epoch seconds.
        notes: what could not be asked, in sentences.
    """

    at: float
    accounts: tuple[AccountFacts, ...] = ()
    stores: tuple[StoreFacts, ...] = ()
    processes: tuple[ProcessFacts, ...] = ()
    replays: tuple[ReplayFacts, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def troubles(self) -> Iterator[Trouble]:
        """What somebody has to look at; none: all is well."""
        for process in self.processes:
            if not process.ready:
                where = f" at {process.url}" if process.url else ""
                yield Trouble(f"{process.name}{where} is not ready: {process.why}", "")
        for account in self.accounts:
            if account.state.is_trouble:
                since = account.failing_seconds
                lasts = "" if since is None else f", for {span(since)}"
                sentence = f"account {account.name} is {account.state}: {account.reason}{lasts}"
                yield Trouble(sentence, _command_for_account(account))
        for store in self.stores:
            if store.state.is_trouble:
                yield Trouble(f"store {store.name} is {store.state}: {store.reason}", store.command)
        for replay in self.replays:
            if replay.trouble:
                yield Trouble(
                    f"replay {replay.run} is {replay.trouble}", f"pipeline replay show {replay.run}"
                )

    def account(self, name: str) -> AccountFacts | None:
        """One of the accounts."""
        return next((account for account in self.accounts if account.name == name), None)

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "troubles": [asdict(trouble) for trouble in self.troubles()]}


def _command_for_account(account: AccountFacts) -> str:
    if account.reason in {"dead_in_a_row", "too_many_dead"}:
        return f"pipeline dead list --account {account.name}"
    if account.reason in {REFUSED, "not_configured"}:
        return "pipeline validate"
    return f"pipeline deliver explain --account {account.name}"
