"""The settings that `up` started with, as a file for the processes it starts, whenever it starts them.

Secrets are not in it: it names variables of the environment that the processes are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from pipeline import private
from pipeline.config import Settings, load
from pipeline.config_stores import SECRETS_OF_STORES
from pipeline.config_values import NO_SECRETS
from pipeline.errors import PipelineError, SettingsError

#: Before the number of a secret, in the environment of the processes.
SECRET = "PIPELINE_SECRET_"  # noqa: S105 - a name
_ANY_SECRET = frozenset({"api_key"}).union(*SECRETS_OF_STORES.values())
_SECRETS = {name: of_store | {"api_key"} for name, of_store in SECRETS_OF_STORES.items()}


def path_in(data_dir: Path) -> Path:
    """Where the file lies."""
    return data_dir.absolute() / "up" / "settings.toml"


def of_running(path: Path) -> Path:
    """The file of the `pipeline up` whose data lie where a settings file says.

    Raises:
        SettingsError: the settings file cannot be used at all, or none was started there.
    """
    written = path_in(load(path, secrets=NO_SECRETS, isolate=True).data_dir)
    if not written.is_file():
        raise SettingsError(
            f"no `pipeline up` was started there: there is no {written}",
            field="--against",
            hint="name the settings file that the processes were started with",
        )
    return written


def tree(settings: Settings) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings as TOML has them, and the variables that their secrets are in."""
    variables: dict[str, str] = {}
    content = _plain(settings, variables)
    for place, refused in settings.refused.items():
        kind, _, name = place.partition(".")
        content.setdefault(kind, {})[name] = _by_reference(refused.table, variables)
    return content, variables


def write(settings: Settings) -> dict[str, str]:
    """Write the file, for this user alone; returns the variables that the processes need.

    Raises:
        PipelineError: it cannot be written.
    """
    import tomli_w  # noqa: PLC0415 - of an extra, and most commands only read

    content, variables = tree(settings)
    path = path_in(settings.data_dir)
    private.directory(path.parent)
    first = "# What `pipeline up` was started with: written at each start, for its processes.\n"
    try:
        private.write_whole(path, (first + tomli_w.dumps(content)).encode())
    except OSError as error:
        raise PipelineError(
            f"{path} cannot be written: {error.strerror}", hint="make room, or choose another data_dir"
        ) from error
    return variables


def _by_reference(table: object, variables: dict[str, str]) -> object:
    """A store or an account that cannot be used, as it is: each process says so by its own needs."""
    if not isinstance(table, Mapping):
        return table
    secret = _SECRETS.get(str(table.get("platform")), _ANY_SECRET)
    return {name: _referenced(value, variables) if name in secret else value for name, value in table.items()}


def _referenced(value: object, variables: dict[str, str]) -> object:
    if isinstance(value, list):
        return [_referenced(one, variables) for one in value]
    if not isinstance(value, str):
        return value
    name = f"{SECRET}{len(variables)}"
    variables[name] = value
    return {"env": name}


def _plain(value: object, variables: dict[str, str]) -> Any:  # noqa: PLR0911 - a case each
    """A value as TOML has it; what is None is left out."""
    match value:
        case BaseModel():
            items = ((name, getattr(value, name)) for name in type(value).model_fields)
            return {name: _plain(item, variables) for name, item in items if item is not None}
        case SecretStr():
            name = f"{SECRET}{len(variables)}"
            variables[name] = value.get_secret_value()
            return {"env": name}
        case Path():
            return str(value.absolute())
        case date() | time():
            return value.isoformat()
        case Mapping():
            return {str(name): _plain(item, variables) for name, item in value.items()}
        case frozenset() | set():
            return sorted(value)
        case tuple() | list():
            return [_plain(item, variables) for item in value]
    return value
