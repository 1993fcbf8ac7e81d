"""Command lines against the real commands, of which none is run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer
from typer.main import get_command

from pipeline.cli import app

#: What typer raises for a command or option that is not there; it brings its own copy of click.
UsageError = typer.BadParameter.__mro__[1]
_COMMAND = get_command(app)
_INLINE = re.compile(r"`(pipeline [a-z][^`]*)`")
_BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def parsed(words: list[str]) -> dict[str, Any]:
    """The options a command line gives to the command it names; nothing is run.

    Raises:
        UsageError: there is no such command or option.
    """
    command: Any = _COMMAND
    context: Any = None
    while hasattr(command, "commands"):
        context = command.make_context(command.name, list(words), parent=context)
        left = [*context._protected_args, *context.args]
        if not left and command.invoke_without_command:
            return dict(context.params)
        _, command, words = command.resolve_command(context, left)
    options: dict[str, Any] = command.make_context(command.name, list(words), parent=context).params
    return options


def complaint(words: list[str]) -> str:
    """Why a command line is none of ours; "" where it is one."""
    try:
        parsed(words)
    except Exception as error:
        if not isinstance(error, UsageError):
            raise
        return str(error) or type(error).__name__
    return ""


def shell_lines(page: str) -> Iterator[str]:
    """The lines that a page says to type, in its blocks of `sh`."""
    for block in _BLOCK.findall(page):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                yield line.strip()


def pipeline_commands(page: str) -> Iterator[list[str]]:
    """Each `pipeline ...` of a page as words, in its text and in its blocks."""
    for text in (*_INLINE.findall(page), *shell_lines(page)):
        words = shlex.split(text.replace("\\|", "|"), comments=True)
        for name in ("|", ";", "||", "&&", ">", "2>", "<", "&"):
            words = words[: words.index(name)] if name in words else words
        if words[:1] == ["pipeline"]:
            yield words[1:]


__all__ = ["UsageError", "complaint", "parsed", "pipeline_commands", "shell_lines"]
