"""The `pipeline` command: one registry of subcommands, each built in its own package."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline import config
from pipeline.errors import PipelineError

app = typer.Typer(
    name="pipeline",
    help="Orders, customers and products from online shops to Connectif, through Kafka.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
worker = typer.Typer(help="Stream processors.", no_args_is_help=True)
app.add_typer(worker, name="worker")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; else PIPELINE_CONFIG, else pipeline.toml."),
]
HostOption = Annotated[str, typer.Option("--host", help="Address of this process's HTTP side.")]
PortOption = Annotated[int, typer.Option("--port", help="Port of this process's HTTP side; 0: any free one.")]


@app.callback()
def _root() -> None:
    """Stages are separate processes; `pipeline up` runs them all on one machine."""


def main() -> None:
    """Run the command; an error of ours becomes one message and its exit code."""
    try:
        app()
    except PipelineError as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False)
        sys.exit(error.exit_code)


__all__ = ["ConfigOption", "HostOption", "PortOption", "config", "main"]
