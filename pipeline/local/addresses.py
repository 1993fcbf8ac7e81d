"""Where the processes of a `pipeline up` listen, as a file: some of them are in no consumer group."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from pipeline import private
from pipeline.errors import PipelineError


def path_in(data_dir: Path) -> Path:
    """Where the file lies."""
    return data_dir.absolute() / "up" / "processes.json"


def write(data_dir: Path, urls: Mapping[str, str]) -> None:
    """Say where each process listens, by its name.

    Raises:
        PipelineError: the file cannot be written.
    """
    path = path_in(data_dir)
    private.directory(path.parent)
    try:
        private.write_whole(path, orjson.dumps(dict(urls)))
    except OSError as error:
        raise PipelineError(
            f"{path} cannot be written: {error.strerror}", hint="make room, or choose another data_dir"
        ) from error


def remove(data_dir: Path) -> None:
    """Nobody listens any more."""
    try:
        path_in(data_dir).unlink(missing_ok=True)
    except OSError:
        return  # whoever reads it is told that nobody answers there


def read(data_dir: Path) -> dict[str, str]:
    """Where each process listens; nothing where no `up` runs, or where the file is none of ours."""
    try:
        found = orjson.loads(path_in(data_dir).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: url for name, url in found.items() if isinstance(url, str)}


__all__ = ["path_in", "read", "remove", "write"]
