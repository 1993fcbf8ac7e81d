"""Where the processes of a `pipeline up` listen, as a file: some of them are in no consumer group."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from pipeline import private
from pipeline.errors import PipelineError

#: Beside the processes: where the gateway takes webhooks.
_WEBHOOKS = "webhooks"


def path_in(data_dir: Path) -> Path:
    """Where the file lies."""
    return data_dir.absolute() / "up" / "processes.json"


def write(data_dir: Path, urls: Mapping[str, str], webhooks: str) -> None:
    """Say where each process answers, by its name, and where the gateway takes webhooks.

    Raises:
        PipelineError: the file cannot be written.
    """
    path = path_in(data_dir)
    private.directory(path.parent)
    try:
        private.write_whole(path, orjson.dumps({**urls, _WEBHOOKS: webhooks}))
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
    """Where each process answers; nothing where no `up` runs, or where the file is none of ours."""
    return {name: url for name, url in _found(data_dir).items() if name != _WEBHOOKS}


def webhooks(data_dir: Path) -> str | None:
    """Where the gateway takes webhooks; None where no `up` runs."""
    return _found(data_dir).get(_WEBHOOKS)


def _found(data_dir: Path) -> dict[str, str]:
    try:
        found = orjson.loads(path_in(data_dir).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: url for name, url in found.items() if isinstance(url, str)}


__all__ = ["path_in", "read", "remove", "webhooks", "write"]
