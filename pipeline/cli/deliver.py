"""`pipeline deliver explain` and `pipeline plan`: what would be sent, when and why."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline import config
from pipeline.cli.options import ConfigOption, loaded
from pipeline.config_values import NO_SECRETS
from pipeline.console import Console
from pipeline.events import Lane

group = typer.Typer()
deliver = typer.Typer(
    help="Ask a deliver worker that runs; `pipeline worker deliver` runs one.", no_args_is_help=True
)


@deliver.command("explain", epilog="Example: `pipeline deliver explain --account acme-es`")
def deliver_explain(
    account: Annotated[str, typer.Option("--account", help="Name of the account in the settings.")],
    url: Annotated[
        list[str] | None,
        typer.Option(
            "--url",
            help="HTTP side of a worker to ask; may be repeated. Else the worker is found by itself.",
        ),
    ] = None,
    config_path: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say what the next calls of an account are for, and why.

    It asks a worker that runs, and changes nothing. Exit code 1 where no worker asked has the account.
    """
    from pipeline.deliver.explain import explain_report  # noqa: PLC0415 - start fast

    # An address is enough to ask a worker on this machine; elsewhere, the settings have the token.
    wanted = not url or config_path is not None or config.path_of(None).exists()
    settings = loaded(config_path) if wanted else None
    explain_report.run(account, url or [], settings, Console(), as_json=as_json)


@group.command(epilog="Example: `pipeline plan --orders 100000 --live-per-minute 20`")
def plan(  # noqa: PLR0917 - typer reads each parameter as an option
    orders: Annotated[
        list[str],
        typer.Option("--orders", help="That wait, of each account: 100000. Or of one: acme-es=100000."),
    ],
    account: Annotated[
        list[str] | None, typer.Option("--account", help="May be repeated. Else those of --orders, or all.")
    ] = None,
    lane: Annotated[Lane, typer.Option("--lane", help="Of all that waits.")] = Lane.BACKFILL,
    new_customers: Annotated[
        float, typer.Option("--new-customers", min=0, max=1, help="Share of orders whose contact is new.")
    ] = 0.6,
    new_products: Annotated[
        int, typer.Option("--new-products", min=0, help="Products Connectif lacks, which the orders need.")
    ] = 0,
    customers: Annotated[
        int, typer.Option("--customers", min=0, help="Customers sent besides, for whom no order waits.")
    ] = 0,
    products: Annotated[
        int, typer.Option("--products", min=0, help="Products sent besides, for which no order waits.")
    ] = 0,
    corrections: Annotated[
        float,
        typer.Option("--corrections", min=0, max=1, help="Share of orders that change once they were sent."),
    ] = 0.02,
    live_per_minute: Annotated[
        float, typer.Option("--live-per-minute", min=0, help="Live orders that come in beside them.")
    ] = 0.0,
    latency: Annotated[float, typer.Option("--latency", min=0.001, help="Seconds of a call.")] = 0.3,
    import_seconds: Annotated[
        float, typer.Option("--import-seconds", min=0, help="Of any import, beside its rows.")
    ] = 5.0,
    import_rows: Annotated[
        float, typer.Option("--import-rows", min=1, help="Rows an import does in a second.")
    ] = 500.0,
    config_path: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say how long a volume would take, by the scheduler and the limiter that would deliver it.

    Nothing is sent and no worker has to run. Exit code 2 where an account or a number is wrong.
    """
    from pipeline.deliver.explain import plan_report  # noqa: PLC0415 - start fast
    from pipeline.deliver.explain.plan import Volume  # noqa: PLC0415

    volume = Volume(
        0,
        lane,
        new_customers=new_customers,
        new_products=new_products,
        customers=customers,
        products=products,
        corrections=corrections,
        live_per_minute=live_per_minute,
        latency=latency,
        import_seconds=import_seconds,
        import_rows_per_second=import_rows,
    )
    plan_report.run(loaded(config_path, secrets=NO_SECRETS), orders, account or [], volume, as_json=as_json)
