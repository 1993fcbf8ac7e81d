"""The demo on the terminal: its progress, and the comparison at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipeline.demo.eta import Eta
from pipeline.demo.result import RunResult
from pipeline.demo.totals import EVENT_OUTCOMES, RECORD_OUTCOMES, PipelineTotals
from pipeline.events import Lane
from pipeline.local.supervisor import ProcessPhase, ProcessStatus
from pipeline.text import figure, span

_COLOURS = {
    ProcessPhase.READY: "green",
    ProcessPhase.FAILED: "red",
    ProcessPhase.WAITING: "red",
    ProcessPhase.STOPPED: "dim",
}
_MOST_AGAINST = 12
_BAR = 30


def _about(seconds: float | None) -> str:
    return "?" if seconds is None else f"about {span(seconds)}"


#: What to try next.
NEXT = """\
What next?
  pipeline demo --kill              the same, with kill -9 of gateway, workers and broker
  pipeline reconcile --help         find out of your own shop's orders which are not in Connectif, and why
  pipeline settings > pipeline.toml a settings file for a store of your own; README.md, "Your first store"
  pipeline up --sandbox             that store's webhooks, to a simulated Connectif on this machine"""


@dataclass(slots=True)
class DemoProgress:
    """Where the run is; `events` are to be posted, `kept` those Kafka must have, replayed ones too."""

    events: int
    posted: int = 0
    kept: int = 0
    account: PipelineTotals = field(default_factory=PipelineTotals)
    statuses: Sequence[ProcessStatus] = ()
    posting: Eta = field(default_factory=Eta)
    settling: Eta = field(default_factory=Eta)
    killed: int = 0

    def update(self, now: float, posted: int, kept: int, account: PipelineTotals) -> None:
        """Take new figures; `now` in seconds."""
        self.posted, self.kept, self.account = posted, kept, account
        self.posting.update(now, posted)
        self.settling.update(now, account.settled)

    @property
    def records(self) -> int:
        """Records that are known to need settling; more come while webhooks are posted."""
        return max(self.account.emitted, self.account.accepted, self.account.settled)

    @property
    def eta(self) -> str:
        """A sentence: what is known of the rest."""
        if self.posted < self.events:
            return f"{_about(self.posting.remaining(self.events))} of webhooks left, records after them"
        if self.account.received < self.kept:
            return f"{self.kept - self.account.received} events to be translated, records after them"
        return f"{_about(self.settling.remaining(self.records))} left"

    @property
    def line(self) -> str:
        """All of it in a line, for output that is no terminal."""
        account = self.account
        return (
            f"webhooks {self.posted}/{self.events}, events {account.received}, "
            f"records {account.settled}/{self.records} settled, {self.waiting}; {self.eta}"
        )

    @property
    def waiting(self) -> str:
        """What waits for its turn in the budget, by lane."""
        by_lane = ", ".join(f"{self.account.waiting[lane]:,} {lane}" for lane in Lane)
        return f"waiting: {by_lane}"


def live(progress: DemoProgress) -> RenderableType:
    """The whole display, drawn anew each time."""
    bars = Table.grid(padding=(0, 2))
    for name, done, total in (
        ("webhooks posted", progress.posted, progress.events),
        ("events translated", progress.account.received, progress.kept),
        ("records settled", progress.account.settled, progress.records),
    ):
        bar = ProgressBar(total=max(1, total), completed=done, width=_BAR)
        bars.add_row(name, bar, f"{done:,} of {total:,}")
    processes = Table.grid(padding=(0, 2))
    for status in progress.statuses:
        restarts = f"restarted {status.restarts}x" if status.restarts else ""
        colour = _COLOURS.get(status.phase, "yellow")
        processes.add_row(f"[{colour}]●[/] {status.name}", str(status.phase), str(status.pid or ""), restarts)
    waiting = f"{progress.waiting}; {progress.eta}"
    killed = f"; {progress.killed} processes killed so far" if progress.killed else ""
    return Group(bars, Text(waiting + killed, style="dim"), Text(), processes)


def result(run: RunResult, console: Console) -> None:
    """The account of the whole run, the checks, and what speaks against them."""
    tables = [_events(run), _records(run), _accounts(run), _freshness(run)]
    tables += [_reconciled(run)] if run.reconciled else []
    console.print(*(part for table in tables for part in (Text(), table)), Text(), sep="\n")
    for check in run.checks:
        mark = "[green]✓[/]" if check.agrees else "[red]✗[/]"
        console.print(f"{mark} {escape(check.says)}", highlight=False)
        for reason in check.against[:_MOST_AGAINST]:
            console.print(f"    {escape(reason)}", style="red", highlight=False)
        if len(check.against) > _MOST_AGAINST:
            console.print(f"    and {len(check.against) - _MOST_AGAINST} more", style="red")
    spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in run.seconds.items())
    killed = f"; killed meanwhile: {', '.join(run.killed)}" if run.killed else ""
    console.print(f"\n{spent}{killed}", style="dim", highlight=False)
    if run.agrees:
        console.print(
            "Everything agrees: nothing missing, nothing twice, inside the budget.", style="bold green"
        )
        console.print(f"\n{NEXT}", highlight=False, markup=False)
    else:
        console.print("It does not agree.", style="bold red", soft_wrap=True)


def _events(run: RunResult) -> Table:
    table = _table("What the shops said (events)", "store", "kind", "received", *EVENT_OUTCOMES)
    for (store, kind), counts in sorted(run.account.events.items()):
        figures = [counts.total(), *(counts[outcome] for outcome in EVENT_OUTCOMES)]
        table.add_row(store, kind, *map(figure, figures))
    return table


def _records(run: RunResult) -> Table:
    title = "What Connectif was sent (records; same: none was made, the event changed nothing)"
    table = _table(title, "store", "kind", "same", "accepted", *RECORD_OUTCOMES)
    for _, store, kind, told, counts in run.rows():
        figures = [told["unchanged"], *(counts[outcome] for outcome in ("accepted", *RECORD_OUTCOMES))]
        table.add_row(store, kind, *map(figure, figures))
    return table


def _accounts(run: RunResult) -> Table:
    title = f"What it cost (one minute of the sandbox is {60 / run.speed:.2g} s)"
    table = _table(
        title, "account", "orders", "calls", "calls per order", "most in a minute", "limit", "refused"
    )
    for name, budget in run.budgets.items():
        each = budget.calls_per_order
        figures = (budget.most, budget.limit, budget.refused)
        table.add_row(
            name,
            figure(budget.orders),
            figure(budget.calls),
            "-" if each is None else f"{each:.2f}",
            *map(figure, figures),
        )
    return table


def _freshness(run: RunResult) -> Table:
    kills = "; every lane waited for what was killed" if run.killed else ""
    title = f"How fresh (from received to delivered{kills})"
    table = _table(title, "lane", "kind", "delivered", "p50", "p95")
    for row in run.freshness:
        table.add_row(row.lane, row.kind, figure(row.records), f"{row.p50:.2f} s", f"{row.p95:.2f} s")
    return table


def _reconciled(run: RunResult) -> Table:
    title = "Is every order in Connectif? (the shops' lists beside Connectif's export)"
    table = _table(
        title, "store", "orders", "there", "not sold", "missing", "different", "unknown", "only there"
    )
    for one in run.reconciled:
        wrong = one.wrong
        unknown = wrong["unknown"] + wrong["pending"]
        figures = (one.orders, one.there, one.not_due, wrong["missing"], wrong["different"], unknown)
        table.add_row(one.store, *map(figure, (*figures, wrong["only_connectif"])))
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),  # all of it in 80 columns
    )
    for heading in headings:
        words = heading in {"store", "kind", "account", "lane"}
        table.add_column(heading, justify="left" if words else "right", no_wrap=True)
    return table
