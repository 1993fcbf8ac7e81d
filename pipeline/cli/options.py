"""Options that several commands have, and how a long-running one begins."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from pipeline import config, logs
from pipeline.config_values import ALL_SECRETS, SecretNames
from pipeline.logs import LogFormat

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; else PIPELINE_CONFIG, else pipeline.toml."),
]
HostOption = Annotated[str, typer.Option("--host", help="Address of this process's HTTP side.")]
PortOption = Annotated[int, typer.Option("--port", help="Port of this process's HTTP side; 0: any free one.")]
ProcessesOption = Annotated[
    int,
    typer.Option(
        "--processes", min=1, max=64, help="Gateway processes on the one port: as many as cores may be used."
    ),
]
WorkerOption = Annotated[
    str,
    typer.Option(
        "--worker",
        help="Name of this worker: unique among the stage's, and the same after a restart, so that it has "
        "its partitions and its state at once.",
    ),
]


def _choose_format(chosen: LogFormat | None) -> LogFormat | None:
    """Set in the environment, so that processes that this one starts log alike."""
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


def started(
    name: str, path: Path | None, *, secrets: SecretNames = ALL_SECRETS, keeps_data: bool = True
) -> config.Settings:
    """The settings of a long-running process, whose rights and log are set up.

    A store or account that cannot be used is left out: the others go on.
    """
    from pipeline import process  # noqa: PLC0415 - start fast

    settings = config.load(path, secrets=secrets, isolate=True)
    process.begin(name, settings, config.path_of(path), keeps_data=keeps_data)
    return settings


def loaded(path: Path | None, *, secrets: SecretNames = ALL_SECRETS) -> config.Settings:
    """The settings of a command; what it cannot use is said, and the rest is there."""
    settings = config.load(path, secrets=secrets, isolate=True)
    for place, refused in settings.refused.items():
        typer.secho(f"{place} is left out: {'; '.join(refused.complaints)}", err=True, fg="yellow")
    return settings


def run_stage(
    name: str, path: Path | None, serve: Callable[[config.Settings], int | None], *, secrets: SecretNames
) -> NoReturn:
    """Run a process of its own to its end, and begin it again where a reload is the reason for that."""
    from pipeline.reload import Reload  # noqa: PLC0415 - start fast

    settings = started(name, path, secrets=secrets)
    reload = Reload(config.path_of(path), settings, secrets)
    reload.watch()
    code = serve(settings)
    reload.begin_again()
    raise typer.Exit(code or 0)
