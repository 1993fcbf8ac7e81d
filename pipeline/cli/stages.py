"""`pipeline gateway` and `pipeline worker`: the processes of the stages."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline import config, config_needs
from pipeline.cli.options import (
    ConfigOption,
    HostOption,
    LogFormatOption,
    PortOption,
    ProcessesOption,
    WorkerOption,
    run_stage,
    started,
)

group = typer.Typer()
worker = typer.Typer(help="Stream processors.", no_args_is_help=True)


@group.command(epilog="Example: `pipeline gateway --config pipeline.toml --port 8080`")
def gateway(  # noqa: PLR0917 - typer reads each parameter as an option
    settings: ConfigOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    processes: ProcessesOption = 1,
    admin_host: Annotated[
        str,
        typer.Option("--admin-host", help="Address for operators: shops must not reach it."),
    ] = "127.0.0.1",
    admin_port: Annotated[
        int | None,
        typer.Option("--admin-port", help="Port of it; else 10 above --port. 0: any free one."),
    ] = None,
    member: Annotated[str, typer.Option("--member", hidden=True)] = "1/1",
    log_format: LogFormatOption = None,  # noqa: ARG001 - its callback does it
) -> None:
    """Receive the shops' webhooks and put them into Kafka.

    --port is for shops: webhooks, callbacks, and whether it is ready. /metrics, and why it is not ready,
    are answered at --admin-port. With --processes they share the port for shops, and each has a port for
    operators: the admin port and those after it.
    """
    from pipeline.local.gateways import admin_port as usual  # noqa: PLC0415 - start fast

    admin = admin_host, usual(port) if admin_port is None else admin_port
    if processes > 1:
        from pipeline.local import shared_port  # noqa: PLC0415 - start fast

        path, found = config.path_of(settings), started("gateway", settings, secrets=config_needs.GATEWAY)
        shared_port.serve(path, found, (host, port), admin, processes)
        return
    from pipeline.gateway.member import Member  # noqa: PLC0415
    from pipeline.gateway.run import serve  # noqa: PLC0415

    one = Member.read(member)
    run_stage(
        "gateway",
        settings,
        lambda found: serve(found, (host, port), admin, one),
        secrets=config_needs.GATEWAY,
    )


@worker.command("translate", epilog="Example: `pipeline worker translate --worker t1 --port 8081`")
def worker_translate(
    config_path: ConfigOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8081,
    name: WorkerOption = "1",
    log_format: LogFormatOption = None,  # noqa: ARG001 - its callback does it
) -> None:
    """Turn the shops' events into records of what Connectif should hold."""
    from pipeline.replay import watching  # noqa: PLC0415 - start fast
    from pipeline.translate.worker import serve  # noqa: PLC0415

    run_stage(
        "worker translate",
        config_path,
        lambda settings: serve(settings, worker=name, host=host, port=port, duties=[watching.declare]),
        secrets=config_needs.KAFKA_ONLY,
    )


@worker.command("reconcile", epilog="Example: `pipeline worker reconcile --port 8084`")
def worker_reconcile(
    config_path: ConfigOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8084,
    log_format: LogFormatOption = None,  # noqa: ARG001 - its callback does it
) -> None:
    """Compare each day the orders of the stores that ask for it (reconcile.at) with Connectif."""
    from pipeline.reconcile.daily.worker import serve  # noqa: PLC0415 - start fast

    run_stage(
        "worker reconcile",
        config_path,
        lambda settings: serve(settings, host=host, port=port),
        secrets=config_needs.CONNECTIF,
    )


@worker.command("sync", epilog="Example: `pipeline worker sync --worker s1 --port 8085`")
def worker_sync(
    config_path: ConfigOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8085,
    name: WorkerOption = "1",
    log_format: LogFormatOption = None,  # noqa: ARG001 - its callback does it
) -> None:
    """Ask the shops' APIs for what their webhooks only name, within the limit of each shop."""
    from pipeline.sync.worker import serve  # noqa: PLC0415 - start fast

    run_stage(
        "worker sync",
        config_path,
        lambda settings: serve(settings, worker=name, host=host, port=port),
        secrets=config_needs.SHOPS,
    )


@worker.command("deliver", epilog="Example: `pipeline worker deliver --worker d1 --port 8082`")
def worker_deliver(
    config_path: ConfigOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8082,
    name: WorkerOption = "1",
    log_format: LogFormatOption = None,  # noqa: ARG001 - its callback does it
) -> None:
    """Send records to Connectif, within the limit of each account, and write a receipt for every record."""
    from pipeline.deliver.worker import serve  # noqa: PLC0415 - start fast

    run_stage(
        "worker deliver",
        config_path,
        lambda settings: serve(settings, worker=name, host=host, port=port),
        secrets=config_needs.CONNECTIF,
    )
