"""How every process of the pipeline begins: its rights, its log, what it runs on, and that it says so."""

from __future__ import annotations

import logging
import os
import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path

from pipeline import logs, moved, private
from pipeline.config import Settings
from pipeline.metrics import BUILD_INFO

log = logging.getLogger(__name__)


def version() -> str:
    """The version that is installed; `unknown` where the code runs without an installation."""
    try:
        return installed_version("shop-connectif-pipeline")
    except PackageNotFoundError:
        return "unknown"


def begin(name: str, settings: Settings, path: Path, *, keeps_data: bool = True) -> None:
    """Set up a long-running process, before it touches anything.

    Args:
        name: of the process.
        settings: it runs with.
        path: of the settings file.
        keeps_data: whether it writes into `data_dir`, which is made, and closed to others.

    Raises:
        PipelineError: `data_dir` cannot be used.
    """
    os.umask(private.UMASK)
    logs.set_up(logs.format_from(os.environ))
    BUILD_INFO.labels(version(), platform.python_version()).set(1)
    if keeps_data:
        private.data_directory(settings.data_dir)
    log.info(
        "pipeline %s, %s: settings %s, data in %s",
        version(),
        name,
        path.absolute(),
        settings.data_dir.absolute() if keeps_data else "none",
        extra={"event": "process.begins"},
    )
    if keeps_data:
        moved.look(settings)
