"""The `pipeline` command: one registry of subcommands, each built in its own package."""

from __future__ import annotations

import logging
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline import config, extras, logs
from pipeline.errors import PipelineError
from pipeline.events import Lane
from pipeline.logs import LogFormat

log = logging.getLogger(__name__)

app = typer.Typer(
    name="pipeline",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Orders, customers and products from online shops to Connectif, through Kafka.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
worker = typer.Typer(help="Stream processors.", no_args_is_help=True)
app.add_typer(worker, name="worker")

deliver = typer.Typer(
    help="Ask a deliver worker that runs; `pipeline worker deliver` runs one.", no_args_is_help=True
)
app.add_typer(deliver, name="deliver")

coupons = typer.Typer(help="Coupon sets: codes for them, and codes that were used.", no_args_is_help=True)
app.add_typer(coupons, name="coupons")

#: Modules of the extra `sandbox`.
SANDBOX = ("starlette", "python_multipart")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; else PIPELINE_CONFIG, else pipeline.toml."),
]
HostOption = Annotated[str, typer.Option("--host", help="Address of this process's HTTP side.")]
PortOption = Annotated[int, typer.Option("--port", help="Port of this process's HTTP side; 0: any free one.")]
WorkerOption = Annotated[
    str,
    typer.Option(
        "--worker",
        help="Name of this worker: unique among the stage's, and the same after a restart, so that it has "
        "its partitions and its state at once.",
    ),
]


def _choose_format(chosen: LogFormat | None) -> LogFormat | None:
    """Processes that this one starts are to log alike, so it is told them by the environment."""
    if chosen is not None:
        os.environ[logs.VARIABLE] = chosen.value
    return chosen


LogFormatOption = Annotated[
    LogFormat | None,
    typer.Option(
        "--log-format",
        callback=_choose_format,
        help="json: one object a line, with `event` as its name; else PIPELINE_LOG_FORMAT, else text.",
    ),
]


def _show_version(asked: bool) -> None:
    if asked:
        from pipeline.process import version  # noqa: PLC0415 - start fast

        print(f"pipeline {version()}")  # noqa: T201 - its output
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say which it is.")
    ] = False,
    log_format: LogFormatOption = None,  # noqa: ARG001 - its callback does it
) -> None:
    """Stages are separate processes; `pipeline up` runs them all on one machine."""
    logs.require_format(os.environ)


def _started(name: str, path: Path | None, *, keeps_data: bool = True) -> config.Settings:
    """The settings of a long-running process, whose rights and log are set up."""
    from pipeline import process  # noqa: PLC0415 - start fast

    settings = config.load(path)
    process.begin(name, settings, config.path_of(path), keeps_data=keeps_data)
    return settings


@app.command()
def kafka(
    config_path: ConfigOption = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Where its data lie; else the settings' data_dir.")
    ] = None,
    brokers: Annotated[
        int | None, typer.Option("--brokers", help="1 or 3; else as the data were made, else 1.")
    ] = None,
    port: Annotated[
        int, typer.Option("--port", help="Port of the (first) broker; 0: any free one, kept.")
    ] = 0,
    log_format: LogFormatOption = None,  # noqa: ARG001 - its callback does it
) -> None:
    """Run a real Apache Kafka on this machine, on 127.0.0.1, until it is told to stop."""
    from pipeline import process  # noqa: PLC0415 - start fast
    from pipeline.local import broker, foreground  # noqa: PLC0415

    path = config.path_of(config_path)
    # Where the data lie is enough to run one; it needs no account and no secret.
    given = config_path is not None or data_dir is None
    settings = config.load(path, secrets=False) if given else config.Settings()
    if data_dir is not None:
        settings = settings.model_copy(update={"data_dir": data_dir.absolute()})
    process.begin("kafka", settings, path)
    server = broker.EmbeddedKafka(
        settings.data_dir,
        brokers=brokers,
        port=port,
        java=settings.kafka.java,
        flush_each_message=settings.kafka.flush_each_message,
        say=Console(stderr=True).print,
    )
    foreground.serve(server, announce=lambda bootstrap: print(bootstrap, flush=True))  # noqa: T201 - its output


@app.command()
def topics(
    config_path: ConfigOption = None,
    check: Annotated[bool, typer.Option("--check", help="Only verify; change nothing.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Alter what can be altered safely.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Create and verify every topic; refuse a cluster that would lose data."""
    if check and apply:
        raise typer.BadParameter("--check and --apply exclude each other")
    from pipeline import topics_report  # noqa: PLC0415 - start fast

    topics_report.run(config.load(config_path), Console(), check=check, apply=apply, as_json=as_json)


@app.command("schemas")
def write_schemas(
    directory: Annotated[Path, typer.Option("--directory", help="Where they are.")] = Path("schemas"),
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit 1 where one differs.")] = False,
) -> None:
    """Write the JSON Schemas and the AsyncAPI file of everything that lies on the topics."""
    from pipeline import schemas  # noqa: PLC0415 - start fast

    stale = schemas.drifted(directory) if check else schemas.write(directory)
    for name in stale:
        print(f"{'differs from the code' if check else 'written'}: {directory / name}")  # noqa: T201 - its output
    raise typer.Exit(1 if check and stale else 0)


@app.command("settings")
def example_settings(
    write: Annotated[Path | None, typer.Option("--write", help="Into this file, instead.")] = None,
    check: Annotated[
        Path | None, typer.Option("--check", help="Only compare with this file; exit 1 where it differs.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that has other settings.")] = False,
) -> None:
    """Print a settings file to start from: every setting with its meaning and its default."""
    from pipeline import example  # noqa: PLC0415 - start fast

    made = example.text()
    if check is not None:
        current = check.is_file() and check.read_text(encoding="utf-8") == made
        print(f"{check} is as the code has it" if current else f"differs from the code: {check}")  # noqa: T201
        raise typer.Exit(0 if current else 1)
    if write is None:
        print(made, end="")  # noqa: T201 - its output
    else:
        written = example.write(write, overwrite=force)
        print(f"{'written' if written else 'is so already'}: {write}")  # noqa: T201 - its output


@app.command("platforms")
def shop_platforms(
    write: Annotated[
        bool, typer.Option("--write", help="Bring the tables of README.md and docs/ up to date.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only compare these tables; exit 1 where one differs.")
    ] = False,
    directory: Annotated[Path, typer.Option("--directory", help="The repository.")] = Path(),
) -> None:
    """Print what can be done with each shop platform, its settings and its topics."""
    from pipeline import platform_tables as tables  # noqa: PLC0415 - start fast

    if not (write or check):
        print("\n".join(f"{line}" for table in tables.TABLES.values() for line in (*table(), "")))  # noqa: T201 - its output
        return
    stale = tables.drifted(directory) if check else tables.write(directory)
    for path in stale:
        print(f"{'differs from the code' if check else 'written'}: {directory / path}")  # noqa: T201 - its output
    raise typer.Exit(1 if check and stale else 0)


@app.command()
def gateway(
    settings: ConfigOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    log_format: LogFormatOption = None,  # noqa: ARG001 - its callback does it
) -> None:
    """Receive the shops' webhooks and put them into Kafka."""
    from pipeline.gateway.run import serve  # noqa: PLC0415 - start fast

    serve(_started("gateway", settings), host, port)


@worker.command("translate")
def worker_translate(
    config_path: ConfigOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8081,
    name: WorkerOption = "1",
    log_format: LogFormatOption = None,  # noqa: ARG001 - its callback does it
) -> None:
    """Turn the shops' events into what Connectif is to be told."""
    from pipeline.translate.worker import serve  # noqa: PLC0415 - start fast

    settings = _started("worker translate", config_path)
    raise typer.Exit(serve(settings, worker=name, host=host, port=port))


@worker.command("deliver")
def worker_deliver(
    config_path: ConfigOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8082,
    name: WorkerOption = "1",
    log_format: LogFormatOption = None,  # noqa: ARG001 - its callback does it
) -> None:
    """Tell Connectif, within the limit of each account, and write a receipt for every record."""
    from pipeline.deliver.worker import serve  # noqa: PLC0415 - start fast

    settings = _started("worker deliver", config_path)
    raise typer.Exit(serve(settings, worker=name, host=host, port=port))


@coupons.command("add")
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

    settings, console = config.load(config_path), Console(stderr=True)
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


@coupons.command("used")
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
    settings = config.load(config_path)
    first = None if since is None else since.date()
    used.export(settings, account, first, as_csv=as_csv, as_json=as_json, console=Console(stderr=True))


@deliver.command("explain")
def deliver_explain(
    account: Annotated[str, typer.Option("--account", help="Name of the account in the settings.")],
    url: Annotated[
        list[str] | None,
        typer.Option("--url", help="HTTP side of a deliver worker; may be repeated. Else that of `up`."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say what the next calls of an account are for, and why.

    It asks a worker that runs, and changes nothing. Exit code 1 where no worker asked has the account.
    """
    from pipeline.deliver.explain import explain_report  # noqa: PLC0415 - start fast

    explain_report.run(account, url or [explain_report.USUAL], Console(), as_json=as_json)


@app.command()
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
        int, typer.Option("--customers", min=0, help="Customers told besides, for whom no order waits.")
    ] = 0,
    products: Annotated[
        int, typer.Option("--products", min=0, help="Products told besides, for which no order waits.")
    ] = 0,
    corrections: Annotated[
        float, typer.Option("--corrections", min=0, max=1, help="Share of orders that change once told.")
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
    plan_report.run(config.load(config_path, secrets=False), orders, account or [], volume, as_json=as_json)


@app.command()
def up(
    settings: ConfigOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Also run the simulated Connectif the accounts name.")
    ] = False,
    log_format: LogFormatOption = None,  # noqa: ARG001 - its callback does it
) -> None:
    """Run everything on this machine: broker, topics, gateway and workers. --port is the gateway's."""
    extras.require("local", "tomli_w", *(SANDBOX if sandbox else ()), by="`pipeline up`")
    from pipeline.local import up as everything  # noqa: PLC0415 - start fast

    everything.run(config.path_of(settings), sandbox=sandbox, host=host, port=port)


@app.command()
def sandbox(  # noqa: PLR0917 - typer reads each parameter as an option
    config_path: ConfigOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 9100,
    speed: Annotated[float | None, typer.Option(min=0.001, help="Divides Connectif's minute.")] = None,
    window: Annotated[str | None, typer.Option(help="Kind of its limit: fixed or sliding.")] = None,
    switch: Annotated[list[str] | None, typer.Option(help="A reading to change, as name=value.")] = None,
    list_switches: Annotated[bool, typer.Option("--list-switches", help="Name them all and stop.")] = False,
    log_format: LogFormatOption = None,  # noqa: ARG001 - its callback does it
) -> None:
    """Simulate Connectif for every account of the settings."""
    extras.require("sandbox", *SANDBOX, by="`pipeline sandbox`")
    from pipeline.sandbox.connectif.http import server  # noqa: PLC0415 - start fast

    if list_switches:
        server.print_switches()
        return
    read = _started("sandbox", config_path, keeps_data=False)
    settings = server.with_options(read, speed=speed, window=window, switches=switch or ())
    server.run(settings, host=host, port=port)


@app.command()
def demo(
    *,
    events: Annotated[
        int,
        typer.Option("--events", min=150, help="Webhooks; the older half is replayed, the rest is posted."),
    ] = 6_000,
    speed: Annotated[
        float, typer.Option("--speed", min=1, help="What the simulated Connectif's minute is divided by.")
    ] = 60,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same webhooks.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the data and logs when all went well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
    kill: Annotated[
        bool, typer.Option("--kill", help="Kill -9 gateway, workers and broker on the way.")
    ] = False,
) -> None:
    """Send thousands of webhooks through everything, to a simulated Connectif, and check the outcome."""
    extras.require("local", "tomli_w", *SANDBOX, by="`pipeline demo`")
    from pipeline.demo.run import Options, run  # noqa: PLC0415 - start fast

    raise typer.Exit(run(Options(events, speed, seed, keep=keep, as_json=as_json, kill=kill)))


def main() -> None:
    """Run the command; an error of ours becomes one message and its exit code."""
    try:
        app()
    except PipelineError as error:
        if logs.format_from(os.environ) is LogFormat.JSON:
            logs.set_up(LogFormat.JSON)
            log.log(
                logging.ERROR, "%s", error, extra={"event": "process.refused", "exit_code": error.exit_code}
            )
        else:
            Console(stderr=True).print(
                f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True
            )
        sys.exit(error.exit_code)
    except Exception as error:
        if logs.format_from(os.environ) is LogFormat.TEXT:
            raise
        logs.set_up(LogFormat.JSON)
        log.critical("%s", error or type(error).__name__, exc_info=True, extra={"event": "process.failed"})
        sys.exit(1)


__all__ = ["ConfigOption", "HostOption", "PortOption", "config", "main"]
