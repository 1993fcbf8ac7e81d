"""The files of `grafana/dashboards`, and what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.source import account, inside, replay, store, stores
from grafana.source.panels import Built

DIRECTORY = Path(__file__).parents[1] / "dashboards"
#: File name -> what makes it.
_DASHBOARDS: Mapping[str, Built] = {
    "stores.json": stores.DASHBOARD,
    "account.json": account.DASHBOARD,
    "store.json": store.DASHBOARD,
    "inside.json": inside.DASHBOARD,
    "replay.json": replay.DASHBOARD,
}


def made() -> dict[str, str]:
    """The content of every file, by its name."""
    encoder = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False)
    return {name: encoder.encode(dashboard) + "\n" for name, dashboard in _DASHBOARDS.items()}


def drifted(directory: Path) -> list[str]:
    """The names of the files that are missing, differ from the code, or that no code makes."""
    wanted = made()
    found = {path.name: path.read_text(encoding="utf-8") for path in directory.glob("*.json")}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def write(directory: Path) -> list[str]:
    """Write what is not as it must be, and remove what no code makes; returns their names."""
    wanted, stale = made(), drifted(directory)
    for name in stale:
        if name in wanted:
            (directory / name).write_text(wanted[name], encoding="utf-8")
        else:
            (directory / name).unlink()
    return stale
