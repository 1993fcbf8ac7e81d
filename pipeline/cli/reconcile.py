"""`pipeline reconcile`: whether every order of a shop is in Connectif."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline import config
from pipeline.cli.options import ConfigOption
from pipeline.console import Console

group = typer.Typer()
_DAY = ["%Y-%m-%d"]


@group.command(epilog="Example: `pipeline reconcile acme-es --shop orders.csv --verify --html report.html`")
def reconcile(  # noqa: PLR0917 - typer reads each parameter as an option
    store: Annotated[str, typer.Argument(help="Name of the store in the settings.")],
    since: Annotated[
        datetime | None, typer.Option("--since", formats=_DAY, help="Orders placed from this day on.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", formats=_DAY, help="To this day, which is included.")
    ] = None,
    shop: Annotated[
        str | None,
        typer.Option(
            "--shop",
            help="What the shop has: its order export, any CSV with a column of ids, or an id a line. "
            "-: standard input. Left out: the orders that events came of.",
        ),
    ] = None,
    connectif_export: Annotated[
        Path | None,
        typer.Option(
            "--connectif-export", help="Purchases that Connectif has: a file of its export, CSV or ZIP."
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Ask Connectif for each purchase that should be there, a call each."),
    ] = False,
    calls_per_minute: Annotated[
        int | None,
        typer.Option("--calls-per-minute", min=1, help="Of --verify; else a tenth of the account's."),
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the findings to this file.")] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a report with a chart to this file.")
    ] = None,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Send what is missing again, where its events are kept. Nothing else."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with all findings.")] = False,
    most: Annotated[int, typer.Option("--most", min=0, help="Findings in the table.")] = 20,
    id_column: Annotated[
        str | None, typer.Option("--id-column", help="Of --shop; else the usual names of several languages.")
    ] = None,
    number_column: Annotated[str | None, typer.Option("--number-column", help="Of order numbers.")] = None,
    date_column: Annotated[str | None, typer.Option("--date-column", help="Of the placing.")] = None,
    date_format: Annotated[
        str | None, typer.Option("--date-format", help="Such as `%d/%m/%Y %H:%M`; else ISO 8601.")
    ] = None,
    total_column: Annotated[str | None, typer.Option("--total-column", help="Of the order's total.")] = None,
    status_column: Annotated[
        str | None, typer.Option("--status-column", help="Of the order's status.")
    ] = None,
    decimal: Annotated[
        str | None, typer.Option("--decimal", help="The decimal separator; else told from each amount.")
    ] = None,
    export_id_column: Annotated[
        str | None, typer.Option("--export-id-column", help="Of --connectif-export: the shop's order ids.")
    ] = None,
    export_date_column: Annotated[
        str | None, typer.Option("--export-date-column", help="Of the purchase's date.")
    ] = None,
    export_total_column: Annotated[
        str | None, typer.Option("--export-total-column", help="Of the purchase's total.")
    ] = None,
    config_path: ConfigOption = None,
) -> None:
    """Compare what a shop has, what came of it, and what Connectif has: where each order stopped, and why.

    Without --repair it changes nothing. Exit code 1: orders are missing, disagree, or are only in Connectif.
    """
    from pipeline.reconcile import run  # noqa: PLC0415 - start fast

    if decimal not in {None, ".", ","}:
        raise typer.BadParameter("--decimal is , or .")
    if since is not None and until is not None and until < since:
        raise typer.BadParameter("--until is before --since")
    if calls_per_minute is not None and not verify:
        raise typer.BadParameter("--calls-per-minute is of --verify")
    named = {"id": id_column, "number": number_column, "date": date_column, "total": total_column}
    named["status"] = status_column
    exported = {"id": export_id_column, "date": export_date_column, "total": export_total_column}
    wanted = run.ReconcileOptions(
        store,
        None if since is None else since.date(),
        None if until is None else until.date(),
        shop=shop,
        connectif_export=connectif_export,
        verify=verify,
        calls_per_minute=calls_per_minute,
        csv=csv,
        html=html,
        repair=repair,
        as_json=as_json,
        columns={column: heading for column, heading in named.items() if heading is not None},
        export_columns={column: heading for column, heading in exported.items() if heading is not None},
        date_format=date_format,
        decimal=decimal,
        most=most,
    )
    summary = run.run(config.load(config_path), wanted, Console(stderr=True))
    raise typer.Exit(0 if summary.agrees else 1)
