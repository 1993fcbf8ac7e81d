"""The options of `pipeline reconcile`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

_DAY = ["%Y-%m-%d"]

StoreArgument = Annotated[str, typer.Argument(help="Name of the store in the settings.")]
SinceOption = Annotated[
    datetime | None, typer.Option("--since", formats=_DAY, help="Orders placed from this day on.")
]
UntilOption = Annotated[
    datetime | None, typer.Option("--until", formats=_DAY, help="To this day, which is included.")
]
ShopOption = Annotated[
    str | None,
    typer.Option(
        "--shop",
        help="What the shop has: its order export, any CSV with a column of ids, or an id a line; -: "
        "standard input; api: its API's list; events: the orders that events came of. Left out: api where "
        "the store has credentials for it, else events.",
    ),
]
ConnectifExportOption = Annotated[
    str | None,
    typer.Option(
        "--connectif-export",
        help="Purchases that Connectif has: a file of its export, CSV or ZIP; of a store with several "
        "accounts one for each, {account} in its name. api: ask for it, 31 days at a time.",
    ),
]
VerifyOption = Annotated[
    bool, typer.Option("--verify", help="Ask Connectif for each purchase that should be there, a call each.")
]
CallsOption = Annotated[
    int | None,
    typer.Option(
        "--calls-per-minute",
        min=1,
        help="Of --verify and --connectif-export api; else a tenth of the account's.",
    ),
]
CsvOption = Annotated[Path | None, typer.Option("--csv", help="Write the findings to this file.")]
HtmlOption = Annotated[Path | None, typer.Option("--html", help="Write a report with a chart to this file.")]
RepairOption = Annotated[
    bool,
    typer.Option(
        "--repair",
        help="Send what is missing again, where its events are kept; with the API's list, have read what no "
        "event told. Nothing else.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, with all findings.")]
MostOption = Annotated[int, typer.Option("--most", min=0, help="Findings in the table.")]

# Where they are left out: as stores.NAME.reconcile has it, else as told from the file.
IdColumnOption = Annotated[
    str | None, typer.Option("--id-column", help="Of --shop; else the usual names of several languages.")
]
NumberColumnOption = Annotated[str | None, typer.Option("--number-column", help="Of order numbers.")]
DateColumnOption = Annotated[str | None, typer.Option("--date-column", help="Of the placing.")]
DateFormatOption = Annotated[
    str | None, typer.Option("--date-format", help="Such as `%d/%m/%Y %H:%M`; else ISO 8601.")
]
TotalColumnOption = Annotated[str | None, typer.Option("--total-column", help="Of the order's total.")]
StatusColumnOption = Annotated[str | None, typer.Option("--status-column", help="Of the order's status.")]
DecimalOption = Annotated[
    str | None, typer.Option("--decimal", help="The decimal separator; else told from each amount.")
]
ExportIdColumnOption = Annotated[
    str | None, typer.Option("--export-id-column", help="Of --connectif-export: the shop's order ids.")
]
ExportDateColumnOption = Annotated[
    str | None, typer.Option("--export-date-column", help="Of the purchase's date.")
]
ExportTotalColumnOption = Annotated[
    str | None, typer.Option("--export-total-column", help="Of the purchase's total.")
]


def require_consistent(
    decimal: str | None,
    since: datetime | None,
    until: datetime | None,
    calls_per_minute: int | None,
    *,
    asks: bool,
) -> None:
    """Refuse options that do not fit together.

    Args:
        decimal: of `--decimal`.
        since: of `--since`.
        until: of `--until`.
        calls_per_minute: of `--calls-per-minute`.
        asks: whether Connectif is asked at all.

    Raises:
        typer.BadParameter: some do not.
    """
    if decimal not in {None, ".", ","}:
        raise typer.BadParameter("--decimal is , or .")
    if since is not None and until is not None and until < since:
        raise typer.BadParameter("--until is before --since")
    if calls_per_minute is not None and not asks:
        raise typer.BadParameter("--calls-per-minute is of --verify and --connectif-export api")


def named(**headings: str | None) -> dict[str, str]:
    """The columns that were named: column -> heading."""
    return {column: heading for column, heading in headings.items() if heading is not None}
