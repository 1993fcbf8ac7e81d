"""`pipeline settings`, `schemas` and `platforms`: files and tables made from the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline import config
from pipeline.cli.options import ConfigOption

#: Stands for the settings that `pipeline up` was started with.
RUNNING = "running"

group = typer.Typer()


@group.command("schemas", epilog="Example: `pipeline schemas --check`")
def write_schemas(
    directory: Annotated[Path, typer.Option("--directory", help="Where they are.")] = Path("schemas"),
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit 1 where one differs.")] = False,
) -> None:
    """Write the JSON Schemas and the AsyncAPI file of everything that lies on the topics."""
    from pipeline import schemas  # noqa: PLC0415 - start fast

    stale = schemas.drifted(directory) if check else schemas.write(directory)
    for name in stale:
        print(f"{'differs from the code' if check else 'written'}: {directory / name}")  # noqa: T201 - its output
    raise typer.Exit(1 if check and stale else 0)


@group.command("settings", epilog="Example: `pipeline settings --write pipeline.toml`")
def example_settings(
    write: Annotated[Path | None, typer.Option("--write", help="Into this file, instead.")] = None,
    check: Annotated[
        Path | None, typer.Option("--check", help="Only compare with this file; exit 1 where it differs.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that has other settings.")] = False,
) -> None:
    """Print a settings file to start from: every setting with its meaning and its default."""
    from pipeline import example  # noqa: PLC0415 - start fast

    made = example.text()
    if check is not None:
        current = check.is_file() and check.read_text(encoding="utf-8") == made
        print(f"{check} is as the code has it" if current else f"differs from the code: {check}")  # noqa: T201
        raise typer.Exit(0 if current else 1)
    if write is None:
        print(made, end="")  # noqa: T201 - its output
    else:
        written = example.write(write, overwrite=force)
        print(f"{'written' if written else 'is so already'}: {write}")  # noqa: T201 - its output


@group.command("metrics", epilog="Example: `pipeline metrics --check`")
def metrics_page(
    write: Annotated[bool, typer.Option("--write", help="Bring docs/metrics.md up to date.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only compare that page; exit 1 where it differs.")
    ] = False,
    directory: Annotated[Path, typer.Option("--directory", help="The repository.")] = Path(),
) -> None:
    """Print every series that the processes export, with its labels and its meaning."""
    from pipeline import metrics_page as page  # noqa: PLC0415 - start fast

    if check:
        current = page.is_current(directory)
        print(f"{page.FILE} is as the code has it" if current else f"differs from the code: {page.FILE}")  # noqa: T201
        raise typer.Exit(0 if current else 1)
    print(f"written: {page.write(directory)}" if write else page.text(), end="\n" if write else "")  # noqa: T201 - its output


@group.command("validate", epilog="Example: `pipeline validate --config new.toml --against running`")
def validate_settings(
    config_path: ConfigOption = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            help="Also say what would change: `running` for what `pipeline up` was started with, else the "
            "settings file of what runs. Secrets are not compared.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Check a settings file without starting anything; it needs no secrets.

    Exit code 0: all of it can be used; 1: some stores, accounts or changes cannot; 2: none of it can.
    """
    from pipeline.console import Console  # noqa: PLC0415 - start fast
    from pipeline.local.snapshot import of_running  # noqa: PLC0415
    from pipeline.validate import show, validate  # noqa: PLC0415

    path = config.path_of(config_path)
    running = None if against is None else of_running(path) if against == RUNNING else Path(against)
    found = validate(path, against=running)
    if as_json:
        print(json.dumps(found.as_json()))  # noqa: T201 - its output
    else:
        show(found, path, Console())
    raise typer.Exit(found.exit_code)


@group.command("platforms", epilog="Example: `pipeline platforms --check`")
def shop_platforms(
    write: Annotated[
        bool, typer.Option("--write", help="Bring the tables of README.md and docs/ up to date.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only compare these tables; exit 1 where one differs.")
    ] = False,
    directory: Annotated[Path, typer.Option("--directory", help="The repository.")] = Path(),
) -> None:
    """Print what can be done with each shop platform, its settings and its topics."""
    from pipeline import platform_tables as tables  # noqa: PLC0415 - start fast

    if not (write or check):
        print("\n".join(f"{line}" for table in tables.TABLES.values() for line in (*table(), "")))  # noqa: T201 - its output
        return
    stale = tables.drifted(directory) if check else tables.write(directory)
    for path in stale:
        print(f"{'differs from the code' if check else 'written'}: {directory / path}")  # noqa: T201 - its output
    raise typer.Exit(1 if check and stale else 0)
