"""`pipeline coupons`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ConfigOption, loaded
from pipeline.console import Console

group = typer.Typer(help="Coupon sets: codes for them, and codes that were used.", no_args_is_help=True)


@group.command("add", epilog="Example: `pipeline coupons add --account acme-es --set spring codes.csv`")
def coupons_add(  # noqa: PLR0917 - typer reads each parameter as an option
    account: Annotated[str, typer.Option("--account", help="Of the settings.")],
    coupon_set: Annotated[
        str, typer.Option("--set", help="A set of the account's `coupons` settings, or a set's id.")
    ],
    file: Annotated[
        str, typer.Argument(help="One code a line, or CSV with a column `code`; -: standard input.")
    ] = "-",
    from_topic: Annotated[
        str | None,
        typer.Option(
            "--from-topic",
            help="Instead of a file: what came to this topic since the last time. A message is a code, or "
            'JSON: {"code": "..."}.',
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Add the good codes though some are none.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="As JSON, with every line that was not added.")
    ] = False,
    config_path: ConfigOption = None,
) -> None:
    """Add codes to a coupon set, by import, each once however often this is repeated.

    A set of the settings is kept filled: its codes wait, and `batch` of them follow when fewer than `low` are
    left in Connectif. Codes for any other set are imported at once. Exit code 1: some were no codes, and
    without --skip-bad nothing was added.
    """
    from pipeline.coupons import add, known  # noqa: PLC0415 - start fast

    settings, console = loaded(config_path), Console(stderr=True)
    to = add.target(settings, account, coupon_set)
    if from_topic is not None and file != "-":
        raise typer.BadParameter("a file and --from-topic exclude each other")
    if doubt := known.doubt(settings, to):
        console.print(f"warning: {doubt}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    if from_topic is not None:
        code = add.add_topic(settings, to, from_topic, skip_bad=skip_bad, as_json=as_json, console=console)
    else:
        path = None if file == "-" else Path(file)
        code = add.add_file(settings, to, path, skip_bad=skip_bad, as_json=as_json, console=console)
    raise typer.Exit(code)


@group.command("used", epilog="Example: `pipeline coupons used --account acme-es --since 2026-01-01 --csv`")
def coupons_used(
    account: Annotated[str, typer.Option("--account", help="Of the settings.")],
    since: Annotated[
        datetime | None,
        typer.Option("--since", formats=["%Y-%m-%d"], help="Only orders placed from this day on, in UTC."),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    config_path: ConfigOption = None,
) -> None:
    """Show which discount codes sold orders used: each once an order, without those that were undone."""
    from pipeline.coupons import used  # noqa: PLC0415 - start fast

    if as_csv and as_json:
        raise typer.BadParameter("--csv and --json exclude each other")
    settings = loaded(config_path)
    first = None if since is None else since.date()
    used.export(settings, account, first, as_csv=as_csv, as_json=as_json, console=Console(stderr=True))
