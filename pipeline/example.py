"""`pipeline.example.toml`: every setting with its meaning and its default, made from the settings' models.

A line `#name = value` shows a default, or an example where it says so; one without `#` is to be changed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from datetime import date, time
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.config import Settings
from pipeline.errors import PipelineError
from pipeline.platform_tables import needed_webhooks
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.settings import RouteSettings, StoreSettings

FILE = Path("pipeline.example.toml")
WIDTH = 110
#: Tables that stand in a list, and are an example as a whole.
LISTED = (RouteSettings,)
#: Names in tables of tables: `[accounts.acme-es]`.
NAMES = {"accounts": "acme-es", "stores": "acme-es", "coupons": "spring"}
HEAD = """\
# Settings of the pipeline. Copy this file to pipeline.toml and change it.
# Made by `pipeline settings`: every setting, what it means, and its default.
#
# A line that begins with # and a name shows a default; leave it as it is, or take the # away and change it.
# Every value can also come from the environment, which wins: PIPELINE__ACCOUNTS__ACME_ES__CALLS_PER_MINUTE=80
# Secrets are { env = "NAME" } or { file = "path" }; only for a sandbox on this machine may they stand here.
# Relative paths are relative to this file.
"""


def text() -> str:
    """The file's content; the same code always makes the same.

    Raises:
        PipelineError: a setting has no description, or is required and has no example.
    """
    return HEAD + "\n" + "\n".join(_table(Settings, ())).strip() + "\n"


def write(path: Path, *, overwrite: bool) -> bool:
    """Write the file, if it is not as it must be; whether it was written.

    Raises:
        PipelineError: there is another file, which is not to be overwritten, or it cannot be written.
    """
    made = text()
    try:
        if path.exists():
            if path.read_text(encoding="utf-8", errors="replace") == made:
                return False
            if not overwrite:
                raise PipelineError(
                    f"{path} is there already, with settings of its own",
                    hint="choose another name, or overwrite it with --force",
                )
        path.write_text(made, encoding="utf-8")
    except OSError as error:
        raise PipelineError(
            f"{path} cannot be written: {error.strerror}", hint="choose another place"
        ) from error
    return True


def _table(model: type[BaseModel], path: tuple[str, ...], *, shown: bool = True) -> Iterator[str]:
    """The lines of a table: its own settings, then the tables in it. One that is not `shown` is a comment."""
    below: list[tuple[str, FieldInfo, type[BaseModel]]] = []
    if path:
        summary = (model.__doc__ or "").strip()
        name = ".".join(path)
        header = f"[[{name}]]" if model in LISTED else f"[{name}]"
        yield from ("", *_comment(" ".join(summary.split())), f"{'' if shown else '#'}{header}")
    fields = dict(model.model_fields)
    if model is StoreSettings:
        fields["platform"] = _platform(fields["platform"])
        fields["account"] = _account(fields["account"])
    for name, field in fields.items():
        if (inner := _model_of(field)) is not None:
            below.append((name, field, inner))
        else:
            yield from _setting(name, field, path, shown=shown)
    if model is StoreSettings:
        yield from _of_platforms(path)
    # Tables whose names are the reader's own come first: they are what has to be filled in.
    for name, field, inner in sorted(below, key=lambda item: get_origin(item[1].annotation) is not dict):
        if get_origin(field.annotation) is dict:
            yield from _table(inner, (*path, name, NAMES[name]), shown=shown and not path)
        else:
            optional = not field.is_required() and field.default is None
            yield from _table(inner, (*path, name), shown=shown and not optional and inner not in LISTED)


def _platform(field: FieldInfo) -> FieldInfo:
    """The setting that names a store's platform, with those there are."""
    known = " or ".join(map(_toml, PLATFORMS))
    shown = FieldInfo(annotation=str, description=f"{field.description}: {known}")
    shown.examples = list(PLATFORMS)
    return shown


def _account(field: FieldInfo) -> FieldInfo:
    """The setting that names a store's account, which is to be changed, as most stores have one."""
    said = f"{field.description}; where it feeds several, take this out and give it `routes`"
    shown = FieldInfo(annotation=str, description=said)
    shown.examples = field.examples
    return shown


def _of_platforms(path: tuple[str, ...]) -> Iterator[str]:
    """The settings that not every store has: commented, as the store shown is another platform's, too."""
    owners: dict[str, list[str]] = {}
    for platform in PLATFORMS.values():
        for name in platform.settings.model_fields:
            if name in platform.own_settings:
                owners.setdefault(name, []).append(platform.name)
    for platforms in dict.fromkeys(map(tuple, owners.values())):
        yield from _comment(f"Only with platform = {' or '.join(map(_toml, platforms))}:")
        for name in (name for name, having in owners.items() if tuple(having) == platforms):
            yield from _setting(name, PLATFORMS[platforms[0]].settings.model_fields[name], path, shown=False)


def _setting(name: str, field: FieldInfo, path: tuple[str, ...], *, shown: bool) -> Iterator[str]:
    where = ".".join((*path, name))
    if not field.description:
        raise PipelineError(f"{where} has no description", hint="give its Field one")
    meaning = field.description[0].upper() + field.description[1:] + _needs(name, path)
    meaning += _choices(field.annotation) + _other_defaults(name, field, path)
    required = field.is_required()
    default = None if required else field.get_default(call_default_factory=True)
    is_value = required or default is None or default in ((), {})
    if is_value and not field.examples and (required or default is None):
        raise PipelineError(f"{where} has no example", hint="give its Field one: examples=[...]")
    if is_value and field.examples:
        value = field.examples[0]
        meaning += "" if required else ". Not set; for example:"
    else:
        value = default
    yield from _comment(meaning)
    yield f"{'' if required and shown else '#'}{name} = {_toml(value)}"


def _needs(setting: str, path: tuple[str, ...]) -> str:
    """Which webhooks a store's setting needs."""
    webhooks = needed_webhooks(setting) if path[:1] == ("stores",) else ""
    return f"; needs the webhook {webhooks}" if webhooks else ""


def _other_defaults(name: str, field: FieldInfo, path: tuple[str, ...]) -> str:
    """The defaults that stores of some platforms have instead."""
    if path[:1] != ("stores",) or name not in StoreSettings.model_fields or field.is_required():
        return ""
    own = ((platform.name, platform.settings.model_fields[name].default) for platform in PLATFORMS.values())
    others = [
        f"{_toml(value)} for platform = {_toml(which)}" for which, value in own if value != field.default
    ]
    return "".join(f"; left out, {other}" for other in others)


def _choices(annotation: Any) -> str:
    """The values there are, where they can be counted."""
    if get_origin(annotation) in {Union, UnionType}:
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        annotation = kinds[0] if len(kinds) == 1 else None  # of several, the description says it
    if get_origin(annotation) is Literal:
        return ": " + " or ".join(_toml(value) for value in get_args(annotation))
    return ""


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a table, or of the tables in a table."""
    kinds = [field.annotation, *get_args(field.annotation)]
    bare = [get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in kinds]
    return next((kind for kind in bare if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _comment(said: str) -> list[str]:
    return textwrap.wrap(
        said,
        WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _toml(value: object) -> str:  # noqa: PLR0911 - a case each
    match value:
        case bool():
            return "true" if value else "false"
        case str() | Path():
            escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case int():
            return f"{value:_}"
        case float():
            return f"{int(value):_}" if value.is_integer() else str(value)
        case date():
            return value.isoformat()
        case time():
            return f'"{value:%H:%M}"'
        case Mapping():
            pairs = [f"{_key(str(key))} = {_toml(item)}" for key, item in value.items()]
            return "{ " + ", ".join(pairs) + " }" if pairs else "{}"
        case list() | tuple() | set() | frozenset():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
    raise PipelineError(f"TOML has no value for {type(value).__name__}")


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() else _toml(name)
