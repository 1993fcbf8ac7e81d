"""`pipeline up`, `pipeline sandbox` and `pipeline demo`: everything on one machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline import config, config_values, extras
from pipeline.cli.options import (
    ConfigOption,
    HostOption,
    LogFormatOption,
    PortOption,
    ProcessesOption,
    started,
)
from pipeline.console import Console

group = typer.Typer()
#: Modules of the extra `sandbox`.
SANDBOX = ("starlette", "python_multipart")


@group.command(epilog="Example: `pipeline up --config pipeline.toml --sandbox`")
def up(  # noqa: PLR0917 - typer reads each parameter as an option
    settings: ConfigOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Also run the simulated Connectif the accounts name.")
    ] = False,
    processes: ProcessesOption = 1,
    prometheus: Annotated[
        Path | None,
        typer.Option(
            "--prometheus",
            metavar="DIRECTORY",
            help="Write there what a Prometheus needs to watch these processes: prometheus.yml, the targets "
            "(kept up to date) and the rules for alerts.",
        ),
    ] = None,
    log_format: LogFormatOption = None,  # noqa: ARG001 - its callback does it
) -> None:
    """Run everything on this machine: broker, topics, gateway and workers. --port is the gateway's."""
    extras.require("local", "tomli_w", *(SANDBOX if sandbox else ()), by="`pipeline up`")
    from pipeline.local import up as everything  # noqa: PLC0415 - start fast

    everything.run(
        config.path_of(settings),
        sandbox=sandbox,
        host=host,
        port=port,
        processes=processes,
        scraped=prometheus,
    )


@group.command("reload", epilog="Example: `pipeline reload --config pipeline.toml`")
def reload_settings(
    config_path: ConfigOption = None,
    wait: Annotated[float, typer.Option("--wait", min=1, help="Seconds to wait for the outcome.")] = 300,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as JSON.")] = False,
) -> None:
    """Let `pipeline up` read its settings file again, without refusing a connection meanwhile.

    Settings that cannot be used or taken over change nothing: exit code 1, with the reasons.
    """
    from pipeline.local import reloads  # noqa: PLC0415 - start fast

    settings = config.load(config_path, secrets=config_values.NO_SECRETS, isolate=True)
    outcome = reloads.ask(settings.data_dir, wait, lambda text: typer.echo(text, err=True))
    if as_json:
        print(json.dumps(outcome))  # noqa: T201 - its output
    else:
        reloads.show(outcome, Console())
    raise typer.Exit(0 if outcome.get("outcome") in reloads.WELL else 1)


@group.command(epilog="Example: `pipeline sandbox --speed 60`")
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
    from pipeline.sandbox import server  # noqa: PLC0415 - start fast

    if list_switches:
        server.print_switches()
        return
    read = started("sandbox", config_path, keeps_data=False)
    settings = server.with_options(read, speed=speed, window=window, switches=switch or ())
    server.run(settings, host=host, port=port)


@group.command(epilog="Example: `pipeline demo --events 2000 --kill`")
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
        bool, typer.Option("--kill", help="Kill -9 gateway, workers and broker while it runs.")
    ] = False,
) -> None:
    """Send thousands of webhooks through everything, to a simulated Connectif, and check the outcome."""
    extras.require("local", "tomli_w", *SANDBOX, by="`pipeline demo`")
    from pipeline.demo.run import DemoOptions, run  # noqa: PLC0415 - start fast

    raise typer.Exit(run(DemoOptions(events, speed, seed, keep=keep, as_json=as_json, kill=kill)))
