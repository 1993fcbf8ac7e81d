"""`pipeline check`: whether what surrounds the pipeline is set up as it must be."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipeline import config
from pipeline.cli.options import ConfigOption
from pipeline.config_checks import require_stores

#: The command that a first word which is no command's name is meant for.
_STORE = "store"
_HELP = frozenset({"-h", "--help"})


class _Checks(TyperGroup):
    """`pipeline check acme-es` is `pipeline check store acme-es`; so is `pipeline check --all`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As click's."""
        if args and args[0] not in self.commands and args[0] not in _HELP:
            args = [_STORE, *args]
        return super().parse_args(ctx, args)


group = typer.Typer(cls=_Checks, no_args_is_help=True)


@group.callback(epilog="Example: `pipeline check acme-es`, or `pipeline check --all`")
def _group() -> None:
    """Check what surrounds the pipeline: a store's set-up on both sides."""


@group.command(
    _STORE, epilog="Example: `pipeline check store acme-es`, or, shorter, `pipeline check acme-es --repair`"
)
def store(  # noqa: PLR0917 - typer reads each parameter as an option
    name: Annotated[
        str | None, typer.Argument(metavar="STORE", help="Name of the store in the settings.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every store of the settings, side by side.")] = False,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Create and repair webhooks at the shop, where its API allows that."),
    ] = False,
    gateway: Annotated[
        str,
        typer.Option("--gateway", help="This machine's gateway, where gateway.public_url is not set."),
    ] = "http://127.0.0.1:8080",
    wait: Annotated[
        float, typer.Option("--wait", min=1, max=600, help="Seconds for the test sale to reach Connectif.")
    ] = 45.0,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    config_path: ConfigOption = None,
) -> None:
    """Check a store's set-up: keys, rights, webhooks, signature, domains, ids, and a test sale through it.

    It makes about 20 of the account's calls, and leaves nothing in Connectif. At the shop it changes nothing
    without --repair. Steps that only a person can take are listed with what to look for. Exit code 1: at
    least one step is at fault.
    """
    if (name is None) == (not every):
        raise typer.BadParameter("name one store, or say --all")
    from pipeline.check.store.command import run  # noqa: PLC0415 - start fast

    settings = config.load(config_path)
    require_stores(settings)
    names = list(settings.stores) if name is None else [name]
    sound = run(settings, names, gateway=gateway, repair=repair, wait=wait, as_json=as_json)
    raise typer.Exit(0 if sound else 1)
