"""`pipeline validate`: what is wrong with a settings file, and what would change were it taken over."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from pipeline import config
from pipeline.config_checks import shared_secrets
from pipeline.config_values import NO_SECRETS
from pipeline.console import Console
from pipeline.errors import SettingsError
from pipeline.settings_changes import Change, changes


@dataclass(frozen=True, slots=True)
class Validation:
    """What was found.

    Attributes:
        accounts, stores: how many can be used.
        wrong: by store or account, or `settings` for what concerns all: what has to be corrected.
        missing: by store or account: secrets that cannot be read here, as they may be elsewhere.
        warnings: what works, and is seldom meant.
        changes: against what runs; None where that was not asked.
    """

    accounts: int
    stores: int
    wrong: Mapping[str, tuple[str, ...]]
    missing: Mapping[str, tuple[str, ...]]
    warnings: tuple[str, ...] = ()
    changes: tuple[Change, ...] | None = None

    @property
    def exit_code(self) -> int:
        """0: it can be used as a whole, and what runs can take it over; 1: not all of it; 2: not at all."""
        if "settings" in self.wrong:
            return SettingsError.exit_code
        return int(bool(self.wrong) or any(change.refusal for change in self.changes or ()))

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "accounts": self.accounts,
            "stores": self.stores,
            "wrong": dict(self.wrong),
            "missing_secrets": dict(self.missing),
            "warnings": self.warnings,
            "changes": None if self.changes is None else [change._asdict() for change in self.changes],
        }


def validate(
    path: Path | None, environ: Mapping[str, str] = os.environ, against: Path | None = None
) -> Validation:
    """Examine a settings file. Secrets that cannot be read here are told, and are no fault.

    Args:
        path: the file; else `PIPELINE_CONFIG`, else `pipeline.toml`.
        environ: the environment.
        against: the settings file of what runs.

    Raises:
        SettingsError: there is no file of what runs, or it cannot be used.
    """
    try:
        found = config.load(path, environ, secrets=NO_SECRETS, isolate=True)
    except SettingsError as error:
        return Validation(0, 0, {"settings": (error.message,)}, {})
    wrong = {place: refused.complaints for place, refused in found.refused.items()}
    missing, warnings = _with_secrets(path, environ, wrong)
    running = None if against is None else config.load(against, environ, secrets=NO_SECRETS, isolate=True)
    changed = None if running is None else tuple(changes(running, found))
    return Validation(len(found.accounts), len(found.stores), wrong, missing, warnings, changed)


def _with_secrets(
    path: Path | None, environ: Mapping[str, str], wrong: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """What is missing here besides what is wrong, and the warnings."""
    try:
        found = config.load(path, environ, isolate=True)
    except SettingsError as error:  # a secret that is needed by all
        return {"settings": (error.message,)}, ()
    missing = {place: refused.complaints for place, refused in found.refused.items() if place not in wrong}
    return missing, tuple(shared_secrets(found))


def show(found: Validation, path: Path, console: Console) -> None:
    """Print it for a person."""
    for title, style, tables in (("wrong", "red", found.wrong), ("missing here", "yellow", found.missing)):
        for line in (line for lines in tables.values() for line in lines):
            console.print(f"{title}: {line}", style=style)
    for warning in found.warnings:
        console.print(f"warning: {warning}", style="yellow")
    if found.changes is not None:
        console.print(_table(found.changes) if found.changes else "what runs has these settings already")
    console.print(f"{path}: can be used: stores {found.stores}, accounts {found.accounts}")


def _table(found: tuple[Change, ...]) -> Table:
    table = Table(box=None, header_style="dim")
    for heading in ("setting", "runs with", "would be", "cannot be taken over"):
        table.add_column(heading, overflow="fold")
    for change in found:
        table.add_row(change.place, change.old, change.new, change.refusal)
    return table
