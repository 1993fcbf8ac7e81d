"""`pipeline up` takes other settings over, and `pipeline reload` asks for it and waits for the outcome."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline import private, reload
from pipeline.config import Settings
from pipeline.config_values import ALL_SECRETS
from pipeline.console import Console
from pipeline.errors import PipelineError, SettingsError
from pipeline.local.wiring import Wiring
from pipeline.reload import OUTCOME
from pipeline.settings_changes import changes

log = logging.getLogger(__name__)

LOCK = "lock"
#: Outcomes after which all is as the file says.
WELL = {"taken", "unchanged"}
_WORDS = {
    "taken": "taken over; every process runs with it",
    "unchanged": "nothing to do: what runs has these settings",
    "refused": "not taken over; all goes on as before",
    "failed": "taken over, and not every process is ready since: see above",
}
#: Seconds between two looks at the outcome.
_LOOK = 0.1


class Reloads:
    """Takes the settings file over each time that it is asked to, one after the other.

    Args:
        path: of the file.
        environ: as it was at the start.
        settings: in use.
        wiring: the processes.
    """

    def __init__(self, path: Path, environ: Mapping[str, str], settings: Settings, wiring: Wiring) -> None:
        self._path = path
        self._environ = environ
        self._settings = settings
        self._wiring = wiring
        self._asked = asyncio.Event()
        self._outcome = settings.data_dir / "up" / OUTCOME
        self._outcome.unlink(missing_ok=True)  # of the `up` before this one

    def ask(self) -> None:
        """Look at the file again."""
        self._asked.set()

    async def serve(self) -> None:
        """Do so whenever it is asked; never returns."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            self._tell(await self._reload())

    async def _reload(self) -> dict[str, Any]:
        """What came of it, for whoever asked."""
        try:
            new = await asyncio.to_thread(
                reload.checked, self._settings, self._path, self._environ, ALL_SECRETS
            )
        except SettingsError as error:
            reload.say_refused(error)
            return {"outcome": "refused", "said": [str(error)]}
        found = changes(self._settings, new)
        reload.say(found)
        if not found:
            return {"outcome": "unchanged", "said": []}
        self._settings = new
        try:
            failed = await self._wiring.reload(new)
        except PipelineError as error:
            failed = [str(error)]
        for line in failed:
            log.error("after the reload: %s", line, extra={"event": "settings.reload_failed"})
        return {
            "outcome": "failed" if failed else "taken",
            "said": failed,
            "changes": [change._asdict() for change in found],
        }

    def _tell(self, outcome: dict[str, Any]) -> None:
        told = json.dumps({"at": time.time(), **outcome})
        try:
            private.write_whole(self._outcome, told.encode())
        except OSError as error:
            log.warning("%s cannot be written: %s", self._outcome, error.strerror)


def ask(
    data_dir: Path, within: float, said: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
) -> dict[str, Any]:
    """Tell the `pipeline up` of a data directory to read its settings again; its outcome.

    Args:
        data_dir: where its data lie.
        within: seconds to wait for it.
        said: told of what is done.
        sleep: waits.

    Raises:
        PipelineError: none runs there, or it says nothing in time.
    """
    directory = data_dir / "up"
    holder = re.match(r"process (\d+), ", private.holder_of(directory / LOCK))
    if holder is None or not private.is_held(directory / LOCK):
        raise PipelineError(
            f"no `pipeline up` runs in {data_dir}",
            hint="a process that runs by itself reads its settings again on SIGHUP: kill -HUP PID",
        )
    before = _outcome(directory)
    os.kill(int(holder[1]), signal.SIGHUP)
    said(f"process {holder[1]} reads its settings; one process after the other begins again")
    until = time.monotonic() + within
    while (outcome := _outcome(directory)) == before:
        if time.monotonic() > until:
            raise PipelineError(
                f"nothing was heard for {within:.0f} s", hint=f"its log: {data_dir / 'logs' / 'up.log'}"
            )
        sleep(_LOOK)
    return outcome


def show(outcome: dict[str, Any], console: Console) -> None:
    """Print an outcome for a person."""
    for change in outcome.get("changes", ()):
        console.print(f"{change['place']}: {change['old']} -> {change['new']}")
    for line in outcome["said"]:
        console.print(line, style="red")
    console.print(_WORDS.get(outcome["outcome"], outcome["outcome"]))


def _outcome(directory: Path) -> dict[str, Any]:
    try:
        found = json.loads((directory / OUTCOME).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
