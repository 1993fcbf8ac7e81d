"""`pipeline check STORE`: runs the check, says how far it is, and shows what came of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence

from pipeline.check.store import report
from pipeline.check.store.run import Say, check_stores
from pipeline.config import Settings
from pipeline.console import Console


def run(
    settings: Settings, names: Sequence[str], *, gateway: str, repair: bool, wait: float, as_json: bool
) -> bool:
    """Check stores; whether nothing is at fault.

    Args:
        settings: the program's.
        names: of the stores.
        gateway: where the gateway answers on this machine.
        repair: make and repair webhooks at the shop.
        wait: seconds for the test sale to reach Connectif.
        as_json: for scripts.

    Raises:
        SettingsError: there is no such store.
    """
    with _progress(Console(stderr=True)) as say:
        reports = asyncio.run(
            check_stores(settings, names, address=gateway, repair=repair, wait=wait, say=say)
        )
    report.show(reports, Console(), as_json=as_json)
    return not any(one.faults for one in reports)


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[Say]:
    """Which step each store is at: one line that changes, or a line each where there is no terminal."""
    at: dict[str, str] = {}
    if not console.is_terminal:
        yield lambda store, step: console.print(f"{store}: {step}", highlight=False, soft_wrap=True)
        return
    with console.status("") as status:

        def say(store: str, step: str) -> None:
            at[store] = step
            status.update("; ".join(f"{name}: {one}" for name, one in at.items())[:200])

        yield say
