"""docs/reference/commands.md: every command with its options, as `--help` says them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from typer.core import TyperArgument
from typer.main import get_command

from pipeline.cli import app
from pipeline.markdown import table

_HEAD = """\
# Commands

Made by `python -m documentation` from the code. `pipeline COMMAND --help` says the same in the terminal,
and `python -m pipeline` is `pipeline`. Exit codes: [README](../../README.md#running-it).
"""


def text() -> str:
    """The page."""
    root = get_command(app)
    return _HEAD + "\n".join(_lines(root, root.make_context("pipeline", [], resilient_parsing=True)))


def _lines(command: Any, context: Any) -> Iterator[str]:
    """A command and those below it."""
    if not hasattr(command, "commands") or command.invoke_without_command:
        yield from _command(command, context)
    for name, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            inner = below.make_context(name, [], parent=context, resilient_parsing=True)
            yield from _lines(below, inner)


def _command(command: Any, context: Any) -> Iterator[str]:
    path = context.command_path
    if command.name == "pipeline":
        return
    shown = [one for one in command.params if not getattr(one, "hidden", False) and one.name != "help"]
    arguments = [one for one in shown if isinstance(one, TyperArgument)]
    words = " ".join([path, *(_named(one) for one in arguments)])
    yield from (
        "",
        f"## `{path}`",
        "",
        inspect.cleandoc(command.help or ""),
        "",
        f"Usage: `{words} [OPTIONS]`",
    )
    rows = [
        (f"`{_named(one)}`", one.help or "", "must be given" if one.required else "") for one in arguments
    ]
    rows += [_option(one) for one in shown if not isinstance(one, TyperArgument)]
    if rows:
        yield ""
        yield from table(("option", "meaning", "default"), rows)
    if command.epilog:
        yield from ("", command.epilog)


def _named(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper()
    return f"{name}{'...' if argument.nargs == -1 else ''}"


def _option(option: Any) -> tuple[str, str, str]:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    default = option.default
    if option.required:
        said = "must be given"
    elif default is None or default is False or default == [] or callable(default):
        said = ""
    else:
        said = f"`{getattr(default, 'value', default)}`"
    return names, option.help or "", said
