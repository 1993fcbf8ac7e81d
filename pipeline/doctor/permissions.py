"""Who may read and change what the pipeline keeps, its settings and the files that hold secrets."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

from pipeline import private
from pipeline.config_tree import secret_files
from pipeline.doctor.context import Context
from pipeline.doctor.findings import Finding, named, ok, problem, warning

PERMISSIONS = "permissions"


def examine(context: Context) -> list[Finding]:
    """Look at the modes; nothing is changed."""
    found = [
        *_data_dir(context.settings.data_dir.absolute()),
        *_settings_file(context.path.absolute()),
        *_secret_files(_secrets_of(context.path)),
    ]
    return found or [ok(PERMISSIONS, "data_dir, settings and secrets are the pipeline's own user's alone")]


def _data_dir(path: Path) -> Iterator[Finding]:
    try:
        found = path.stat()
    except FileNotFoundError:
        yield warning(PERMISSIONS, f"there is no {path} yet", "`pipeline up` makes it")
        return
    except OSError as error:
        yield problem(PERMISSIONS, f"{path} cannot be looked at: {error.strerror}", "type it as its own user")
        return
    if found.st_uid != os.geteuid():
        said = f"{path} is of user {found.st_uid}, and this is user {os.geteuid()}"
        yield warning(PERMISSIONS, said, "type commands as the pipeline's own user")
    elif not os.access(path, os.W_OK | os.X_OK):
        yield problem(PERMISSIONS, f"{path} cannot be written", f"`chmod 700 {path}`, or see its mount")
    yield from _open(path, found.st_mode)


def _open(path: Path, mode: int) -> Iterator[Finding]:
    """A directory that others can enter."""
    if not mode & private.OTHERS:
        return
    shown = f"{path} has the mode {stat.S_IMODE(mode):04o}"
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        said = f"{shown}: others can replace what is in it"
        yield problem(PERMISSIONS, said, f"`chmod 700 {path}`")
        return
    inside = sorted(entry.name for entry in _entries(path) if _is_ours(entry) and _is_open(entry))
    if inside:
        said = f"{shown}, and others can read {named(inside)} in it"
        yield problem(PERMISSIONS, said, f"`chmod 700 {path}`, or only what is named in it")
    else:
        yield warning(PERMISSIONS, f"{shown}: others see what is in it", f"`chmod 700 {path}`")


def _entries(path: Path) -> list[Path]:
    try:
        return list(path.iterdir())
    except OSError:
        return []


def _is_ours(entry: Path) -> bool:
    return entry.name in private.OURS - {"lost+found"} or entry.name.startswith(private.PREFIX)


def _is_open(entry: Path) -> bool:
    try:
        return bool(entry.stat().st_mode & private.OTHERS)
    except OSError:
        return False


def _settings_file(path: Path) -> Iterator[Finding]:
    mode = path.stat().st_mode if path.exists() else 0
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        said = f"{path} has the mode {stat.S_IMODE(mode):04o}: others can change where data go"
        yield problem(PERMISSIONS, said, f"`chmod go-w {path}`")


def _secrets_of(path: Path) -> set[Path]:
    """The files that the settings name for secrets; relative ones are relative to the settings."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return set()
    return {path.absolute().parent / name for name in secret_files(tree)}


def _secret_files(paths: set[Path]) -> Iterator[Finding]:
    """Containers often mount them readable to all, where nobody else is: no more than a warning."""
    for path in sorted(paths):
        try:
            mode = path.stat().st_mode
        except OSError:
            continue  # that it cannot be read is told of the secrets
        shown = f"the secret in {path} has the mode {stat.S_IMODE(mode):04o}"
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            yield problem(PERMISSIONS, f"{shown}: others can change it", f"`chmod 600 {path}`")
        elif mode & private.OTHERS:
            yield warning(PERMISSIONS, f"{shown}: others can read it", f"`chmod 600 {path}`")
