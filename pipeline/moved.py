"""Notices a store that feeds another account than before: what the old one holds stays there."""

from __future__ import annotations

import contextlib
import json
import logging
from pathlib import Path

from pipeline.config import Settings

log = logging.getLogger(__name__)

FILE = "pipeline-stores.json"


def look(settings: Settings) -> list[str]:
    """Say which stores have moved since a process last started with this `data_dir`, and remember them.

    Returns:
        The names of the stores that have.
    """
    path = settings.data_dir / FILE
    now = {name: " and ".join(store.accounts) for name, store in settings.stores.items()}
    before = _read(path)
    moved = sorted(name for name, account in now.items() if before.get(name, account) != account)
    for name in moved:
        log.warning(
            "store %s fed account %s until now, and feeds %s from now on: what %s holds stays there and "
            "is not corrected any more, what waits for it is still sent there, and %s gets an order, a "
            "customer or a product when it changes",
            name,
            before[name],
            now[name],
            before[name],
            now[name],
            extra={"event": "settings.store_moved", "store": name},
        )
    # A store that is gone for a while is remembered: it may come back, to another account.
    if (known := {**before, **now}) != before:
        with contextlib.suppress(OSError):  # a full disk: the warning is repeated the next time
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(known), encoding="utf-8")
            partial.replace(path)
    return moved


def _read(path: Path) -> dict[str, str]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    items = tree.items() if isinstance(tree, dict) else ()
    return {name: account for name, account in items if isinstance(account, str)}
