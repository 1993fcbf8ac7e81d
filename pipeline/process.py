"""How every process of the pipeline begins: its rights, its log, what it runs on, and that it says so."""

from __future__ import annotations

import gc
import logging
import math
import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path

from pipeline import logs, moved, private
from pipeline.config import Settings
from pipeline.metrics import BUILD_INFO, DISK_FREE, DISK_SIZE, SETTINGS_REFUSED

log = logging.getLogger(__name__)

#: Objects made beyond those freed until garbage is looked for; collections of one age until one of the next.
GARBAGE = (50_000, 20, 50)


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
        _measure_disk(settings.data_dir)
    log.info(
        "pipeline %s, %s: settings %s, data in %s",
        version(),
        name,
        path.absolute(),
        settings.data_dir.absolute() if keeps_data else "none",
        extra={"event": "process.begins"},
    )
    _say_refused(settings)
    if keeps_data:
        moved.look(settings)


def started() -> None:
    """All that a long-running process begins with is made: it stays, and no collection need scan it again.

    Garbage is looked for less often from then on: neither requests nor records make cycles.
    """
    gc.freeze()
    gc.set_threshold(*GARBAGE)


def _measure_disk(directory: Path) -> None:
    """Have each scrape say how much room the disk of a directory has."""

    def free() -> float:
        try:
            return shutil.disk_usage(directory).free
        except OSError:  # it was unmounted or deleted: the other series are still to be had
            return math.nan

    def size() -> float:
        try:
            usage = shutil.disk_usage(directory)
        except OSError:
            return math.nan
        return usage.used + usage.free  # without what is kept for root

    DISK_FREE.set_function(free)
    DISK_SIZE.set_function(size)


def _say_refused(settings: Settings) -> None:
    """Stores and accounts that are left out; the others go on."""
    for name in settings.stores:
        SETTINGS_REFUSED.labels("stores", name).set(0)
    for name in settings.accounts:
        SETTINGS_REFUSED.labels("accounts", name).set(0)
    for place, refused in settings.refused.items():
        table, _, name = place.partition(".")
        SETTINGS_REFUSED.labels(table, name).set(1)
        log.error(
            "%s cannot be used, and is left out; all else goes on: %s. Correct the settings, and start again",
            place,
            "; ".join(refused.complaints),
            extra={"event": "settings.refused"},
        )
