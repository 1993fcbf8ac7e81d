"""The settings file as `pipeline validate` finds it, and which secrets are there."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config_checks import require_stores
from pipeline.doctor.context import Context
from pipeline.doctor.findings import Finding, ok, problem, warning
from pipeline.errors import SettingsError
from pipeline.validate import Validation, validate

SETTINGS, SECRETS = "settings", "secrets"
#: The place of what concerns all stores and accounts.
ALL = "settings"


def examine(context: Context) -> list[Finding]:
    """Ask `pipeline validate`."""
    found = judged(validate(context.path))
    try:
        require_stores(context.settings)
    except SettingsError as error:
        return [*found, warning(SETTINGS, error.message, error.hint or "add a store to the settings")]
    return found


def judged(found: Validation) -> list[Finding]:
    """What a validation means."""
    return [*_settings(found), *_secrets(found)]


def _settings(found: Validation) -> Iterator[Finding]:
    for lines in found.wrong.values():
        for line in lines:
            yield problem(SETTINGS, line, "correct it, see `pipeline validate`; then `pipeline reload`")
    for line in found.warnings:
        yield warning(SETTINGS, line, "see docs/settings.md")
    if not found.wrong and not found.warnings:
        yield ok(SETTINGS, f"can be used: stores {found.stores}, accounts {found.accounts}")


def _secrets(found: Validation) -> Iterator[Finding]:
    """One that is missing here may be set for the processes: then none of them leaves its store out."""
    for place, lines in found.missing.items():
        made = problem if place == ALL else warning
        for line in lines:
            todo = "set it, and start again what needs it; it may be missing here alone: see processes"
            yield made(SECRETS, f"missing here: {line}", todo)
    if not found.missing and ALL not in found.wrong:
        yield ok(SECRETS, "all are there")
