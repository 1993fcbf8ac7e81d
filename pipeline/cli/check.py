"""`pipeline check`: whether what surrounds the pipeline is set up as it must be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipeline import config
from pipeline.check.page.kinds import Kind
from pipeline.cli.options import ConfigOption


class _Checks(TyperGroup):
    """A first word that is no command is a store's name, for the command `store`, where there is one."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As click's."""
        if args and args[0] not in self.commands and not args[0].startswith("-") and "store" in self.commands:
            args = ["store", *args]
        return super().resolve_command(ctx, args)


group = typer.Typer(cls=_Checks, no_args_is_help=True)


@group.callback()
def _group() -> None:
    """Check what surrounds the pipeline: the shop's pages."""


@group.command(epilog="Example: `pipeline check page https://acme.example/linen-shirt --store acme-es`")
def page(  # noqa: PLR0917 - typer reads each parameter as an option
    where: Annotated[str, typer.Argument(metavar="URL|FILE", help="A page, or its HTML source in a file.")],
    kind: Annotated[Kind | None, typer.Option("--kind", help="Of the page; else it is recognised.")] = None,
    url: Annotated[str, typer.Option("--url", help="Where a saved page came from.")] = "",
    store: Annotated[
        str, typer.Option("--store", help="Compare ids and domains with the settings of this store.")
    ] = "",
    known: Annotated[
        list[str] | None,
        typer.Option(
            "--known",
            metavar="NAME=VALUE",
            help="What the shop says of the order or product on the page: id, number, name; product, "
            "variant, sku; email. May be repeated.",
        ),
    ] = None,
    client_id: Annotated[str, typer.Option("--client-id", help="Connectif's, that the page must have.")] = "",
    script: Annotated[
        bool | None,
        typer.Option(
            "--script/--no-script",
            help="Read the account's script at cdn.connectif.cloud; else for other machines' URLs.",
        ),
    ] = None,
    script_file: Annotated[
        Path | None, typer.Option("--script-file", help="Instead: a saved copy of that script.")
    ] = None,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Also ask hosts in private networks.")
    ] = False,
    show_personal: Annotated[
        bool, typer.Option("--show-personal", help="Show values of persons; else they are masked.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    config_path: ConfigOption = None,
) -> None:
    """Say what Connectif's web client reads in a page, what it drops, and why.

    Judged are the tags of purchases, carts, products and contacts, the script, and, with --store, ids and
    domains. It places no order and sends nothing to Connectif. Exit code 1: Connectif records nothing or
    something wrong; 2: there is no page to judge.
    """
    from pipeline.check.page.run import Options, run  # noqa: PLC0415 - start fast

    options = Options(
        where, kind, url, store, tuple(known or ()), client_id, script, script_file, allow_private
    )
    settings = config.load(config_path, secrets=False) if store else None
    raise typer.Exit(run(options, settings, show_personal=show_personal, as_json=as_json))
