"""`pipeline check`: whether what surrounds the pipeline is set up as it must be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipeline.check.page.kinds import Kind
from pipeline.cli.options import ConfigOption, loaded
from pipeline.config_checks import require_stores
from pipeline.config_values import NO_SECRETS

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
    """Check what surrounds the pipeline: a store's set-up on both sides, and the shop's pages."""


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

    settings = loaded(config_path)
    require_stores(settings)
    names = list(settings.stores) if name is None else [name]
    sound = run(settings, names, gateway=gateway, repair=repair, wait=wait, as_json=as_json)
    raise typer.Exit(0 if sound else 1)


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
    settings = loaded(config_path, secrets=NO_SECRETS) if store else None
    raise typer.Exit(run(options, settings, show_personal=show_personal, as_json=as_json))
