"""`pipeline replay`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline import config, config_needs
from pipeline.cli.options import ConfigOption, loaded
from pipeline.console import Console
from pipeline.events import Kind

group = typer.Typer(
    help="Events of the past through today's settings, in the backfill's lane.", no_args_is_help=True
)

RunArgument = Annotated[str, typer.Argument(help="Id of the replay, as `replay list` shows it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]
DetachOption = Annotated[
    bool, typer.Option("--detach", help="Print the id, and go on in a process that outlives the terminal.")
]
_DAYS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


@group.command("start", epilog="Example: `pipeline replay start --store acme-es --since 2026-01-01`")
def replay_start(  # noqa: PLR0917 - typer reads each parameter as an option
    store: Annotated[
        list[str] | None, typer.Option("--store", help="May be repeated. Else every store.")
    ] = None,
    kind: Annotated[list[Kind] | None, typer.Option("--kind", help="May be repeated. Else all.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--since", formats=_DAYS, help="What arrived from then on, in UTC. Else all there is."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", formats=_DAYS, help="What arrived before, in UTC.")
    ] = None,
    offsets: Annotated[
        list[str] | None,
        typer.Option("--offsets", help="Instead of times: shop.orders:3:100-200. May be repeated."),
    ] = None,
    ids: Annotated[
        Path | None,
        typer.Option("--ids", help="A file of the shop's own ids of orders, customers or products."),
    ] = None,
    rejected: Annotated[
        list[str] | None,
        typer.Option("--rejected", help="Only events rejected for this reason. May be repeated."),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Send what Connectif was told before, too: it may have lost it."),
    ] = False,
    trigger: Annotated[
        bool, typer.Option("--trigger", help="Let purchases start workflows; else they do not.")
    ] = False,
    per_minute: Annotated[
        float | None, typer.Option("--per-minute", min=1, help="Events repeated a minute, at most.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing; say what would be sent, and how long it takes.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="With --dry-run: every field that would change, one a line.")
    ] = False,
    personal: Annotated[
        bool, typer.Option("--personal", help="With --diff: values about people, too.")
    ] = False,
    detach: DetachOption = False,
    as_json: JsonOption = False,
    config_path: ConfigOption = None,
) -> None:
    """Repeat a range of the shops' events, and show how far it is until all of it is dealt with.

    What was heard later of an order, customer or product stands: a replay never makes Connectif older. Sent
    is what Connectif was not told so before. After any end it goes on where it was: `pipeline replay resume`.
    Exit code 1: it was cancelled, or stopped before it was done.
    """
    from pipeline.kafka.replays import ReplayMode  # noqa: PLC0415 - start fast
    from pipeline.replay import operate, planning  # noqa: PLC0415
    from pipeline.replay.selection import Choice  # noqa: PLC0415

    if offsets and (since or until):
        raise typer.BadParameter("--offsets and times exclude each other")
    if diff and not dry_run:
        raise typer.BadParameter("--diff goes with --dry-run")
    settings, console = loaded(config_path), Console(stderr=True)
    choice = Choice(
        stores=frozenset(store or ()),
        kinds=frozenset(kind or ()),
        ids=frozenset() if ids is None else planning.read_ids(ids),
        rejected=frozenset(rejected or ()),
    )
    request = planning.Request(
        choice,
        ReplayMode.FORCE if force else ReplayMode.MISSING,
        trigger,
        _epoch_ms(since),
        _epoch_ms(until),
        tuple(map(planning.parse_offsets, offsets or ())),
    )
    if dry_run:
        operate.dry_run(settings, request, console, fields=diff, personal=personal, as_json=as_json)
        return
    name = operate.start(settings, request, per_minute, console)
    _go_on(settings, name, console, config_path, detach=detach, as_json=as_json)


@group.command("list", epilog="Example: `pipeline replay list`")
def replay_list(as_json: JsonOption = False, config_path: ConfigOption = None) -> None:
    """Show all replays."""
    from pipeline.replay import operate  # noqa: PLC0415 - start fast

    operate.listing(loaded(config_path), as_json=as_json)


@group.command("show", epilog="Example: `pipeline replay show 20260101-120000-ab12 --json`")
def replay_show(run: RunArgument, as_json: JsonOption = False, config_path: ConfigOption = None) -> None:
    """Show one replay. Its counts of records are of the backfill's lane since it began."""
    from pipeline.replay import operate  # noqa: PLC0415 - start fast

    operate.show(loaded(config_path), run, as_json=as_json)


@group.command("watch", epilog="Example: `pipeline replay watch 20260101-120000-ab12`")
def replay_watch(run: RunArgument, as_json: JsonOption = False, config_path: ConfigOption = None) -> None:
    """Show how far a replay is until it is over. Exit code 1: it was cancelled, or nobody works on it."""
    from pipeline.replay import operate  # noqa: PLC0415 - start fast
    from pipeline.replay.run import RunStatus  # noqa: PLC0415

    found = operate.watch(loaded(config_path), run, Console(stderr=True), as_json=as_json)
    raise typer.Exit(found.state.status is not RunStatus.DONE)


@group.command("pause", epilog="Example: `pipeline replay pause 20260101-120000-ab12`")
def replay_pause(run: RunArgument, config_path: ConfigOption = None) -> None:
    """Repeat nothing more until `resume`; the little that is under way is delivered."""
    from pipeline.replay import operate  # noqa: PLC0415 - start fast
    from pipeline.replay.run import RunStatus  # noqa: PLC0415

    operate.control(loaded(config_path), run, wanted=RunStatus.PAUSED)


@group.command("resume", epilog="Example: `pipeline replay resume 20260101-120000-ab12 --detach`")
def replay_resume(
    run: RunArgument,
    detach: DetachOption = False,
    as_json: JsonOption = False,
    config_path: ConfigOption = None,
) -> None:
    """Go on with a replay that was paused, whose process is gone, or that failed.

    One that is paused goes on in its own process; else this one takes it over.
    """
    from pipeline.replay import operate  # noqa: PLC0415 - start fast

    settings, console = loaded(config_path), Console(stderr=True)
    if operate.resume(settings, run):
        _go_on(settings, run, console, config_path, detach=detach, as_json=as_json)


@group.command("cancel", epilog="Example: `pipeline replay cancel 20260101-120000-ab12`")
def replay_cancel(run: RunArgument, config_path: ConfigOption = None) -> None:
    """End a replay; the little that is under way is delivered."""
    from pipeline.replay import operate  # noqa: PLC0415 - start fast
    from pipeline.replay.run import RunStatus  # noqa: PLC0415

    operate.control(loaded(config_path), run, wanted=RunStatus.CANCELLED)


@group.command("throttle", epilog="Example: `pipeline replay throttle 20260101-120000-ab12 60`")
def replay_throttle(
    run: RunArgument,
    per_minute: Annotated[float, typer.Argument(min=0, help="Events a minute; 0: no limit of its own.")],
    config_path: ConfigOption = None,
) -> None:
    """Limit the events that a replay repeats in a minute."""
    from pipeline.replay import operate  # noqa: PLC0415 - start fast

    operate.control(loaded(config_path), run, per_minute=per_minute)


@group.command("work", hidden=True, epilog="Example: `pipeline replay work 20260101-120000-ab12`")
def replay_work(run: RunArgument, config_path: ConfigOption = None) -> None:
    """Be the process of a replay: what `--detach` starts."""
    from pipeline.cli.options import started  # noqa: PLC0415 - start fast

    settings = started("replay", config_path, secrets=config_needs.KAFKA_ONLY)
    _finish(settings, run, Console(stderr=True), as_json=False)


def _go_on(
    settings: config.Settings,
    run: str,
    console: Console,
    config_path: Path | None,
    *,
    detach: bool,
    as_json: bool,
) -> None:
    from pipeline.replay import operate  # noqa: PLC0415 - start fast

    if detach:
        operate.detach(settings, run, config.path_of(config_path).absolute())
        print(run)  # noqa: T201 - its output
        return
    console.print(f"replay {run}", markup=False, highlight=False)
    _finish(settings, run, console, as_json=as_json)


def _finish(settings: config.Settings, run: str, console: Console, *, as_json: bool) -> None:
    from pipeline.replay import operate  # noqa: PLC0415 - start fast
    from pipeline.replay.run import RunStatus  # noqa: PLC0415

    found = operate.work(settings, run, console, as_json=as_json)
    raise typer.Exit(found.state.status is not RunStatus.DONE)


def _epoch_ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp() * 1_000)
