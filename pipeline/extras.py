"""Packages that only some commands need: the error if they are not installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from pipeline.errors import PipelineError

Extra = Literal["local", "sandbox", "status", "archive", "otel", "dev"]


def require(extra: Extra, *modules: str, by: str) -> None:
    """Check whether a command's dependencies are installed; nothing is imported.

    Args:
        extra: of pyproject.toml, that brings the modules.
        *modules: the names they are imported by.
        by: who needs them, at the beginning of a sentence.

    Raises:
        PipelineError: one is missing; it says what to install.
    """
    missing = [module for module in modules if not _is_there(module)]
    if missing:
        raise PipelineError(f"{by} needs {' and '.join(missing)}, not installed here", hint=how_to(extra))


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it is in
        return False


def how_to(extra: Extra) -> str:
    """The command that installs an extra."""
    return f"pip install 'shop-connectif-pipeline[{extra}]'"
