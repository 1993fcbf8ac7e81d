"""`pipeline archive`."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from pipeline import config, config_needs
from pipeline.cli.options import ConfigOption, HostOption, LogFormatOption, PortOption, loaded, run_stage
from pipeline.console import Console

group = typer.Typer(
    help="The shops' events as Parquet files, kept for longer than by the topics.",
    no_args_is_help=True,
)

JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]


@group.command("run", epilog="Example: `pipeline archive run --once`")
def archive_run(  # noqa: PLR0917 - typer reads each parameter as an option
    once: Annotated[
        bool, typer.Option("--once", help="Archive all there is now, and end; else keep going.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: what was archived, as JSON.")] = False,
    config_path: ConfigOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8086,
    log_format: LogFormatOption = None,  # noqa: ARG001 - its callback does it
) -> None:
    """Write the shops' events to the archive, each once, whatever is killed meanwhile.

    What is due: days that are over, and what waits for longer than `archive.max_wait`.
    """
    if once:
        settings = _settings(config_path)
        from pipeline.archive import operate  # noqa: PLC0415 - of an extra

        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        operate.run_once(settings, Console(stderr=True), as_json=as_json, stop=stop)
        return

    def keep_going(settings: config.Settings) -> None:
        from pipeline.archive.access import require_archive  # noqa: PLC0415 - start fast

        require_archive(settings)
        from pipeline.archive.run import serve  # noqa: PLC0415 - of an extra

        serve(settings, host, port)

    run_stage("archive", config_path, keep_going, secrets=config_needs.KAFKA_ONLY)


@group.command("list", epilog="Example: `pipeline archive list --json`")
def archive_list(as_json: JsonOption = False, config_path: ConfigOption = None) -> None:
    """Show what the archive holds of each partition."""
    settings = _settings(config_path)
    from pipeline.archive import operate  # noqa: PLC0415 - of an extra

    operate.listing(settings, Console(), as_json=as_json)


@group.command("verify", epilog="Example: `pipeline archive verify --quick`")
def archive_verify(
    quick: Annotated[
        bool, typer.Option("--quick", help="Compare names and sizes alone; read no file.")
    ] = False,
    as_json: JsonOption = False,
    config_path: ConfigOption = None,
) -> None:
    """Check that archive and topics together hold every event, and that each file is as it was written.

    Exit code 1: something is missing, held twice, damaged or not whole; each is named.
    """
    settings = _settings(config_path)
    from pipeline.archive import operate  # noqa: PLC0415 - of an extra

    whole = operate.verify(settings, Console(), contents=not quick, as_json=as_json)
    raise typer.Exit(not whole)


def _settings(path: Path | None) -> config.Settings:
    """Those of a command that uses the archive."""
    settings = loaded(path)
    from pipeline.archive.access import require_archive  # noqa: PLC0415 - start fast

    require_archive(settings)
    return settings
