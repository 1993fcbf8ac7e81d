"""The command itself: its groups, `--version`, and what becomes of errors."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from pipeline import logs, private
from pipeline.cli import (
    archive,
    check,
    coupons,
    dead,
    deliver,
    doctor,
    erase,
    kafka,
    local,
    reconcile,
    replay,
    settings,
    stages,
    status,
    sync,
    trace,
)
from pipeline.cli.options import LogFormatOption
from pipeline.console import Console
from pipeline.errors import PipelineError
from pipeline.logs import LogFormat

log = logging.getLogger(__name__)

app = typer.Typer(
    name="pipeline",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Orders, customers and products from online shops to Connectif, through Kafka.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
for group in (
    kafka.group,
    settings.group,
    stages.group,
    deliver.group,
    trace.group,
    reconcile.group,
    local.group,
    status.group,
    doctor.group,
):
    app.add_typer(group)  # its commands stand beside one another
app.add_typer(stages.worker, name="worker")
app.add_typer(deliver.deliver, name="deliver")
app.add_typer(coupons.group, name="coupons")
app.add_typer(replay.group, name="replay")
app.add_typer(sync.group, name="sync")
app.add_typer(dead.group, name="dead")
app.add_typer(archive.group, name="archive")
app.add_typer(erase.group, name="erase")
app.add_typer(check.group, name="check")
app.add_typer(status.status, name="status")


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


class NoText(PipelineError):  # noqa: N818 - a fact
    """A word of the command line is not in the encoding that ids, names and reasons are kept in."""

    exit_code = 2


def _require_text(words: Iterable[str]) -> None:
    """Refuse what can be no id or name; only files may be called so."""
    for number, word in enumerate(words, 1):
        try:
            word.encode()
        except UnicodeEncodeError as error:
            if not Path(word).exists():
                raise NoText(
                    f"word {number} of the command is no UTF-8 text: {word}",
                    hint="see the terminal's encoding",
                ) from error


def main() -> None:
    """Run the command; an error of this program becomes one message and its exit code."""
    private.no_core_files()
    # What a command imports stays: looking for garbage among it takes a tenth of its start.
    gc.freeze()
    gc.set_threshold(50_000)
    try:
        _require_text(sys.argv[1:])
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
