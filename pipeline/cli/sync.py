"""`pipeline sync`."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipeline.cli.options import ConfigOption, loaded
from pipeline.console import Console
from pipeline.events import Kind

_UNITS = {"m": 60, "h": 3_600, "d": 86_400}
_SPAN = re.compile(r"([1-9][0-9]{0,5})([mhd])")


class _StoreFirst(TyperGroup):
    """`pipeline sync STORE` is `pipeline sync start STORE`."""

    def resolve_command(
        self,
        ctx: Any,  # typer has a copy of click in some versions
        args: list[str],
    ) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["start", *args]
        return super().resolve_command(ctx, args)


group = typer.Typer(
    cls=_StoreFirst,
    help="Contacts, products and orders from a shop's API: `pipeline sync STORE --full`.",
    no_args_is_help=True,
)
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]
StoreArgument = Annotated[str, typer.Argument(help="Name of the store in the settings.")]


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise typer.BadParameter("a number with m, h or d: 90m, 24h, 7d", param_hint="--since")
    return float(int(found[1]) * _UNITS[found[2]])


@group.command(
    "start", epilog="Example: `pipeline sync start acme-es --full`, or `pipeline sync acme-es --full`"
)
def start(  # noqa: PLR0917 - typer reads each parameter as an option
    store: StoreArgument,
    full: Annotated[
        bool, typer.Option("--full", help="Everything: at the first activation, or to repair.")
    ] = False,
    since: Annotated[
        str | None, typer.Option("--since", help="What changed within so long: 90m, 24h, 7d.")
    ] = None,
    kinds: Annotated[
        list[Kind] | None,
        typer.Option("--kinds", help="Only these; may be repeated."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Send nothing; say how many rows there are."),
    ] = False,
    accept_deletions: Annotated[
        bool,
        typer.Option("--accept-deletions", help="With --full: delete however many are missing."),
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Print the run's id, and do not wait.")] = False,
    as_json: JsonOption = False,
    config_path: ConfigOption = None,
) -> None:
    """Have the store's worker read its shop's API, and show how far it is.

    Without --full or --since it is the daily run: what changed since the last one, the whole catalogue, the
    orders of a day. Rows become the events their webhooks would have brought: what Connectif was told costs
    no call. The run goes on when this command ends: `pipeline sync status`, `pipeline sync stop`.
    Exit code 1: it failed, or was stopped, or too many entities were missing to be deleted.
    """
    from pipeline.sync.pull import operate  # noqa: PLC0415 - start fast
    from pipeline.sync.pull.state import Wanted  # noqa: PLC0415

    if full and since:
        raise typer.BadParameter("--full and --since exclude each other")
    if accept_deletions and not full:
        raise typer.BadParameter("--accept-deletions goes with --full")
    seconds = _seconds(since)
    settings, console = loaded(config_path), Console(stderr=True)
    operate.require_readable(settings, store)
    wanted = Wanted.FULL if full else Wanted.SINCE if since else Wanted.DAILY
    said = operate.command(
        store,
        wanted,
        seconds=seconds,
        kinds=kinds or (),
        dry_run=dry_run,
        accept_deletions=accept_deletions,
    )
    operate.give(settings, said)
    if detach:
        print(said.id)  # noqa: T201 - its output
        return
    raise typer.Exit(not operate.watch(settings, said, console, as_json=as_json))


@group.command("status", epilog="Example: `pipeline sync status --store acme-es --json`")
def status(
    store: Annotated[
        list[str] | None, typer.Option("--store", help="Only these, with the lists of their last run.")
    ] = None,
    as_json: JsonOption = False,
    config_path: ConfigOption = None,
) -> None:
    """Show how far each store's sync is, and when the last whole one was.

    Exit code 1: a worker does not answer, or a run failed.
    """
    from pipeline.sync.pull import operate  # noqa: PLC0415 - start fast

    settings = loaded(config_path)
    raise typer.Exit(not operate.status(settings, store or (), Console(stderr=True), as_json=as_json))


@group.command("stop", epilog="Example: `pipeline sync stop acme-es`")
def stop(store: StoreArgument, config_path: ConfigOption = None) -> None:
    """End the run under way; what was read is kept, and the next daily run goes on from there."""
    from pipeline.sync.pull import operate  # noqa: PLC0415 - start fast
    from pipeline.sync.pull.state import Wanted  # noqa: PLC0415

    settings = loaded(config_path)
    operate.require_readable(settings, store)
    operate.give(settings, operate.command(store, Wanted.STOP))
