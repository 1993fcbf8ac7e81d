"""The settings as a tree, before they are checked: what the environment changes, where paths begin."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, MutableMapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any

from pydantic_core import ErrorDetails

from pipeline.config_values import BY_REFERENCE, SECURITY_FILES, SECURITY_SECRETS, is_loopback
from pipeline.errors import SettingsError

#: pydantic's errors in the terms of a settings file.
_WORDS = {
    "extra_forbidden": "there is no such setting",
    "missing": "must be set",
    "tuple_type": "must be a list: [ ... ]",
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "path_type": "must be a path",
    "finite_number": "must be a number with an end: neither inf nor nan",
}
_NAME_RULE = "a name is made of a-z, 0-9, - and _, and begins with a letter or digit"


def complaints(errors: list[ErrorDetails]) -> list[str]:
    """One line for each wrong field; the length of a list is no matter while its items are wrong."""
    places = [item["loc"] for item in errors]
    lines = []
    for item in errors:
        place = item["loc"]
        if item["type"] == "too_short" and any(
            len(p) > len(place) and p[: len(place)] == place for p in places
        ):
            continue
        message = _WORDS.get(item["type"], item["msg"].removeprefix("Value error, "))
        if place[-1:] == ("[key]",):
            place, message = place[:-1], _NAME_RULE
        lines.append(": ".join(filter(None, (".".join(map(str, place)), message))))
    return lines


@dataclass(frozen=True, slots=True)
class RefusedTable:
    """A store or an account that cannot be used.

    Attributes:
        table: as the file and the environment have it.
        complaints: what is wrong with it, without values.
    """

    table: object
    complaints: tuple[str, ...]


def refused_tables(tree: dict[str, Any], errors: list[ErrorDetails]) -> dict[str, RefusedTable]:
    """Take the stores and accounts out of the tree that all the errors are about.

    Returns:
        each by its place, such as `stores.acme-es`; none where an error is about something else.
    """
    about: dict[tuple[str, str], list[ErrorDetails]] = {}
    for item in errors:
        place = _table_of(item)
        if place is None:
            return {}
        about.setdefault(place, []).append(item)
    return {
        f"{kind}.{name}": RefusedTable(tree[kind].pop(name), tuple(complaints(items)))
        for (kind, name), items in about.items()
    }


def _table_of(item: ErrorDetails) -> tuple[str, str] | None:
    """The store or account that an error is about."""
    if item["type"] == "of_store":
        return "stores", item["ctx"]["store"]
    match item["loc"]:
        case ("stores" | "accounts" as kind, str(name), *_):
            return kind, name
    return None


def override(tree: dict[str, Any], path: list[str], text: str) -> None:
    """Set one value; a path's part meets an existing key whatever its case and with `_` for `-`.

    Raises:
        SettingsError: no setting has this path, or two have.
    """
    name = f"PIPELINE__{'__'.join(path)}"
    *parents, last = path
    for part in parents:
        tree = tree.setdefault(_meet(tree, part, name), {})
        if not isinstance(tree, dict):
            raise SettingsError(
                f"{name} points into a value that is not a table",
                hint="set the whole value, as it stands in the file: a list as [ ... ]",
            )
    tree[_meet(tree, last, name)] = _value(text)


def _value(text: str) -> object:
    """What TOML makes of it, if it is one value; else the text. Only a file has dates and times."""
    try:
        tree = tomllib.loads(f"v = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return text if set(tree) != {"v"} or isinstance(tree["v"], date | time) else tree["v"]


def _meet(tree: Mapping[str, Any], part: str, name: str) -> str:
    folded = part.lower().replace("-", "_")
    keys = [key for key in tree if key.lower().replace("-", "_") == folded]
    if len(keys) > 1:
        raise SettingsError(
            f"{name} could mean {' or '.join(keys)}", hint="rename one of them, or set it in the file"
        )
    return keys[0] if keys else part.lower()


#: What stands in place of a file where there is none.
NO_FILES = ("api", "events")


def anchor(tree: MutableMapping[str, Any], directory: Path) -> None:
    """Make the tree's relative paths relative to `directory`: its data, secrets and certificates."""
    for table, key in _paths(tree):
        path = table[key]
        if isinstance(path, str) and path not in {"", "."}:
            table[key] = str(directory / path)


def _paths(tree: MutableMapping[str, Any]) -> Iterator[tuple[MutableMapping[str, Any], str]]:
    """Where paths stand: the table and the key of each."""
    if "data_dir" in tree:
        yield tree, "data_dir"
    for store in _tables(tree.get("stores")).values():
        wish = store.get("reconcile")
        if isinstance(wish, MutableMapping):
            files = [name for name in ("shop", "reports") if name in wish]
            yield from ((wish, name) for name in files if wish[name] not in NO_FILES)
    kafka = tree.get("kafka")
    security = kafka.get("security") if isinstance(kafka, Mapping) else None
    if isinstance(security, MutableMapping):
        yield from ((security, name) for name in SECURITY_FILES if name in security)
    yield from ((secret, "file") for secret in _in_files(tree))


def secret_files(tree: Mapping[str, Any]) -> list[str]:
    """The files that the tree names for secrets."""
    return [secret["file"] for secret in _in_files(tree) if isinstance(secret["file"], str)]


def _in_files(tree: Mapping[str, Any]) -> Iterator[MutableMapping[str, Any]]:
    """The secrets that are `{ file = "path" }`."""
    secrets = [tree.get("http_token")]
    secrets += [account.get("api_key") for account in _tables(tree.get("accounts")).values()]
    for store in _tables(tree.get("stores")).values():
        for named in store.values():
            secrets += named if isinstance(named, list) else [named]
    kafka = tree.get("kafka")
    security = kafka.get("security") if isinstance(kafka, Mapping) else None
    if isinstance(security, Mapping):
        secrets += [security.get(name) for name in SECURITY_SECRETS]
    yield from (secret for secret in secrets if isinstance(secret, MutableMapping) and "file" in secret)


def plain_secrets(
    tree: Mapping[str, Any], of_stores: Mapping[str, AbstractSet[str]]
) -> list[tuple[str, str]]:
    """Where secrets stand in the file itself: (account or store, field) of each.

    Args:
        tree: the settings.
        of_stores: the settings of a store that are secrets, or lists of them, by platform.
    """
    found = [
        (f"accounts.{name}", "api_key")
        for name, account in _tables(tree.get("accounts")).items()
        if isinstance(account.get("api_key"), str)
    ]
    every = frozenset[str]().union(*of_stores.values())
    for name, store in _tables(tree.get("stores")).items():
        secret_settings = of_stores.get(str(store.get("platform")), every)
        found += [
            (f"stores.{name}", field) for field in sorted(secret_settings) if _stands_plain(store.get(field))
        ]
        routes = store.get("routes")
        found += [
            (f"stores.{name}", "routes.callback_tokens")
            for route in (routes if isinstance(routes, list) else ())
            if isinstance(route, Mapping) and _stands_plain(route.get("callback_tokens"))
        ]
    if isinstance(tree.get("http_token"), str):
        found.append(("", "http_token"))
    kafka = tree.get("kafka")
    security = kafka.get("security") if isinstance(kafka, Mapping) else None
    if isinstance(security, Mapping):
        found += [
            ("kafka.security", name)
            for name in sorted(SECURITY_SECRETS)
            if isinstance(security.get(name), str)
        ]
    return found


def _stands_plain(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and any(isinstance(one, str) for one in value))


def refuse_plain_secrets(tree: Mapping[str, Any], plain: list[tuple[str, str]]) -> None:
    """Secrets stand in the file only where every call stays on this machine (a sandbox).

    Raises:
        SettingsError: one does not.
    """
    accounts = _tables(tree.get("accounts"))
    stores = _tables(tree.get("stores"))
    sandboxes = {name for name, account in accounts.items() if is_loopback(str(account.get("base_url", "")))}
    for place, field in plain:
        table, _, name = place.partition(".")
        if table == "kafka":
            kafka = tree["kafka"]
            servers = str(kafka.get("bootstrap", "")).split(",") if isinstance(kafka, Mapping) else []
            stays = all(is_loopback(f"kafka://{server.strip()}") for server in servers)
        elif table == "accounts":
            stays = name in sandboxes
        elif not table:
            stays = False
        else:
            named = _accounts_of(stores.get(name, {}))
            stays = bool(named) and named <= sandboxes
        if not stays:
            what = "the secret" if table == "accounts" else "a secret"
            raise SettingsError(
                f"{what} stands in the settings file",
                store=place,
                field=field,
                hint=BY_REFERENCE,
            )


def _accounts_of(store: Mapping[str, Any]) -> set[str]:
    """The accounts that a store's table names, by itself or in its routes."""
    routes = store.get("routes")
    listed = [store, *(routes if isinstance(routes, list) else ())]
    return {str(one["account"]) for one in listed if isinstance(one, Mapping) and one.get("account")}


def _tables(value: object) -> dict[str, MutableMapping[str, Any]]:
    """The tables in a table; what has another shape is for the validation to name."""
    items = value.items() if isinstance(value, Mapping) else ()
    return {name: table for name, table in items if isinstance(table, MutableMapping)}
