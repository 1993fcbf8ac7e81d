"""`pipeline doctor`: the first thing to type when something is wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline import config
from pipeline.cli.options import ConfigOption
from pipeline.cli.status import ProcessOption

group = typer.Typer()


@group.command(epilog="Example: `pipeline doctor`, or `pipeline doctor --json`")
def doctor(
    process: ProcessOption = None,
    gateway: Annotated[
        str | None,
        typer.Option(
            "--gateway",
            help="Where the gateway answers, if gateway.public_url is not set; else as `pipeline up` says.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    config_path: ConfigOption = None,
) -> None:
    """Look at everything the pipeline depends on, and say what is wrong and what to do. It changes nothing.

    Settings, secrets, Kafka and its topics, processes and their versions, Connectif and the shops' APIs,
    clocks, disk, permissions, and webhooks to itself by the public address. Exit code 0: no problem; 1: at
    least one; 2: the settings cannot be used.
    """
    from pipeline.console import Console  # noqa: PLC0415 - start fast
    from pipeline.doctor.report import show  # noqa: PLC0415
    from pipeline.doctor.run import diagnose  # noqa: PLC0415

    found, code = diagnose(config.path_of(config_path), process or (), gateway)
    show(found, Console(), as_json=as_json)
    raise typer.Exit(code)
