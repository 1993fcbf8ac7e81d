"""The reports of a run, to files and to the terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

from pipeline import private
from pipeline.console import Console
from pipeline.errors import PipelineError
from pipeline.reconcile import report, report_html
from pipeline.reconcile.database import Database
from pipeline.reconcile.findings import Summary, findings
from pipeline.reconcile.run_options import ReconcileOptions


def write_files(database: Database, wanted: ReconcileOptions, summary: Summary) -> None:
    """The files that were asked for, each for this user alone.

    Raises:
        PipelineError: one cannot be written.
    """
    if wanted.csv is not None:
        with _new_file(wanted.csv) as file:
            report.write_csv(file, findings(database))
    if wanted.html is not None:
        with _new_file(wanted.html) as file:
            report_html.write_html(file, summary, findings(database, most=report_html.MOST))


def print_report(database: Database, wanted: ReconcileOptions, summary: Summary) -> None:
    """The table, or JSON, on standard output."""
    if wanted.as_json:
        report.write_json(sys.stdout, summary, findings(database))
    else:
        report.show(Console(), summary, findings(database, most=wanted.most), wanted.most)


def _new_file(path: Path) -> TextIO:
    """A file that only this user can read, also where another lay there before."""
    try:
        path.unlink(missing_ok=True)
        return open(path, "w", encoding="utf-8", newline="", opener=private.opener)
    except OSError as error:
        raise PipelineError(f"{path} cannot be written: {error.strerror}") from error
