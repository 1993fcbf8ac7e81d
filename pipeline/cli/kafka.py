"""`pipeline kafka` and `pipeline topics`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline import config, config_needs
from pipeline.cli.options import ConfigOption, LogFormatOption, loaded
from pipeline.config_values import NO_SECRETS
from pipeline.console import Console

group = typer.Typer()


@group.command(epilog="Example: `pipeline kafka --data-dir data --port 9092`")
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
    """Run a real Apache Kafka on this machine, on 127.0.0.1, until it is stopped."""
    from pipeline import process  # noqa: PLC0415 - start fast
    from pipeline.local import broker, foreground  # noqa: PLC0415

    path = config.path_of(config_path)
    # Where the data lie is enough to run one; it needs no account and no secret.
    given = config_path is not None or data_dir is None
    settings = loaded(path, secrets=NO_SECRETS) if given else config.Settings()
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


@group.command(epilog="Example: `pipeline topics --check`")
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

    topics_report.run(
        loaded(config_path, secrets=config_needs.KAFKA_ONLY),
        Console(),
        check=check,
        apply=apply,
        as_json=as_json,
    )
