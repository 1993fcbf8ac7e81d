"""`pipeline reconcile`: whether every order of a shop is in Connectif."""

from __future__ import annotations

import typer

from pipeline.cli import reconcile_options as option
from pipeline.cli.options import ConfigOption, loaded
from pipeline.console import Console

group = typer.Typer()


@group.command(epilog="Example: `pipeline reconcile acme-es --shop orders.csv --verify --html report.html`")
def reconcile(  # noqa: PLR0917 - typer reads each parameter as an option
    store: option.StoreArgument,
    since: option.SinceOption = None,
    until: option.UntilOption = None,
    shop: option.ShopOption = None,
    connectif_export: option.ConnectifExportOption = None,
    verify: option.VerifyOption = False,
    calls_per_minute: option.CallsOption = None,
    csv: option.CsvOption = None,
    html: option.HtmlOption = None,
    repair: option.RepairOption = False,
    as_json: option.JsonOption = False,
    most: option.MostOption = 20,
    id_column: option.IdColumnOption = None,
    number_column: option.NumberColumnOption = None,
    date_column: option.DateColumnOption = None,
    date_format: option.DateFormatOption = None,
    total_column: option.TotalColumnOption = None,
    status_column: option.StatusColumnOption = None,
    decimal: option.DecimalOption = None,
    export_id_column: option.ExportIdColumnOption = None,
    export_date_column: option.ExportDateColumnOption = None,
    export_total_column: option.ExportTotalColumnOption = None,
    config_path: ConfigOption = None,
) -> None:
    """Compare what a shop has, what came of it, and what Connectif has: where each order stopped, and why.

    Without --repair it changes nothing. Exit code 1: orders are missing, disagree, or are only in Connectif.
    """
    from pipeline.reconcile import run  # noqa: PLC0415 - start fast
    from pipeline.reconcile.run_options import API, ReconcileOptions  # noqa: PLC0415

    asks = verify or connectif_export == API
    option.require_consistent(decimal, since, until, calls_per_minute, asks=asks)
    wanted = ReconcileOptions(
        store,
        since=None if since is None else since.date(),
        until=None if until is None else until.date(),
        shop=shop,
        connectif_export=connectif_export,
        verify=verify,
        calls_per_minute=calls_per_minute,
        csv=csv,
        html=html,
        repair=repair,
        as_json=as_json,
        columns=option.named(
            id=id_column, number=number_column, date=date_column, total=total_column, status=status_column
        ),
        export_columns=option.named(id=export_id_column, date=export_date_column, total=export_total_column),
        date_format=date_format,
        decimal=decimal,
        most=most,
    )
    summary = run.run(loaded(config_path), wanted, Console(stderr=True))
    raise typer.Exit(0 if summary.agrees else 1)
